"""Secrets stay out of what is shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest

from reframe_firecrest.commands.report.masking import MASK, mask_for, masked

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl-_"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"got {TOKEN}.", f"got {MASK}."),
        (
            "https://s3/b?X-Amz-Date=1&X-Amz-Signature=0a1b2c&x=1",
            f"https://s3/b?X-Amz-Date=1&X-Amz-Signature={MASK}&x=1",
        ),
        ("X-Amz-Security-Token=ab%2Bc&x", f"X-Amz-Security-Token={MASK}&x"),
        ("Authorization: Bearer abc.def-ghi", f"Authorization: Bearer {MASK}"),
        ("authorization: basic bWU6c2VjcmV0", f"authorization: basic {MASK}"),
        ("Basic checks passed, the bearer is fine", "Basic checks passed, the bearer is fine"),
    ],
)
def test_tokens_and_signatures_are_known_by_their_shape(text: str, shown: str) -> None:
    assert mask_for({})(text) == shown


def test_the_users_own_secrets_are_known(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("in-a-file\n")
    mask = mask_for(
        {
            "FIRECREST_CLIENT_SECRET": "s3cret.value",
            "FIRECREST_API_KEY": "s3cret.value+more",
            "FIRECREST_API_KEY_FILE": str(file),
            "FIRECREST_CLIENT_SECRET_FILE": str(tmp_path / "gone"),
        }
    )
    assert mask("a s3cret.value+more b s3cret.value c in-a-file") == f"a {MASK} b {MASK} c {MASK}"
    assert mask("s3cretXvalue") == "s3cretXvalue"


def test_a_short_secret_takes_no_words_away() -> None:
    assert mask_for({"FIRECREST_CLIENT_SECRET": "run"})("the run") == "the run"


class Kind(str, Enum):
    PLAIN = "topsecret"


@dataclass(frozen=True)
class Inner:
    text: str
    number: float | None


@dataclass(frozen=True)
class Outer:
    kind: Kind
    inner: list[Inner]
    pairs: tuple[tuple[str, int], ...]
    counts: dict[str, int]


def test_it_is_taken_out_of_every_text_wherever_it_is() -> None:
    mask = mask_for({"FIRECREST_API_KEY": "topsecret"})
    reported = Outer(Kind.PLAIN, [Inner("a topsecret", None)], (("topsecret", 1),), {"topsecret": 2})
    assert masked(reported, mask) == Outer(Kind.PLAIN, [Inner(f"a {MASK}", None)], ((MASK, 1),), {MASK: 2})
    assert masked(reported, mask).kind is Kind.PLAIN
