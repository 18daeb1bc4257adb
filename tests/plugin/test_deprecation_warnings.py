"""ReFrame's deprecation warnings: still there where they are seen, without cost where they are not."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from reframe.core import fields, variables
from reframe.core.warnings import ReframeDeprecationWarning, suppress_deprecations

import reframe_firecrest  # noqa: F401 - importing puts the shortcut in


class Owner:
    """A test with a deprecated variable."""

    old = fields.DeprecatedField(fields.TypedField(int), "'old' is deprecated")


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how often the call stack is looked at."""
    looked: list[int] = []
    stack: Callable[..., Any] = inspect.stack

    def counted(context: int = 1) -> Any:
        looked.append(1)
        return stack(context)

    monkeypatch.setattr(inspect, "stack", counted)
    return looked


def test_a_suppressed_warning_looks_at_no_stack(stacks: list[int]) -> None:
    owner = Owner()
    with suppress_deprecations():
        owner.old = 3
        assert owner.old == 3
    assert stacks == []


def test_a_warning_that_is_seen_is_still_given(stacks: list[int]) -> None:
    owner = Owner()
    with suppress_deprecations():
        owner.old = 3
    with pytest.warns(ReframeDeprecationWarning, match="'old' is deprecated"):
        assert owner.old == 3
    assert stacks == [1]


def test_another_filter_in_front_leaves_reframe_alone(stacks: list[int]) -> None:
    owner = Owner()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        owner.old = 3
    assert stacks == [1]


def test_both_of_reframes_modules_have_the_shortcut() -> None:
    assert fields.user_deprecation_warning is not None
    for module in (fields, variables):
        assert module.user_deprecation_warning.__name__ == "user_deprecation_warning"
        assert hasattr(module.user_deprecation_warning, "__wrapped__")
