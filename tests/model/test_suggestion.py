"""Suggestions for names with a typing error."""

from __future__ import annotations

import pytest

from reframe_firecrest.model.suggestion import closest, did_you_mean


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("dant", ["daint", "eiger"], " (did you mean 'daint'?)"),
        ("DAINT", ["daint", "eiger"], " (did you mean 'daint'?)"),
        ("santis", ["daint", "eiger"], ""),
        ("x", [], ""),
    ],
)
def test_a_similar_name_is_suggested(name: str, known: list[str], expected: str) -> None:
    assert did_you_mean(name, known) == expected


def test_the_least_similarity_can_be_raised() -> None:
    assert closest("dant", ["daint"], cutoff=0.95) is None
