"""What comes back and what stays."""

from __future__ import annotations

import pytest

from reframe_firecrest.gateway.protocol import FileKind, RemoteFile
from reframe_firecrest.staging.plan import make_plan
from reframe_firecrest.staging.selection import EVERYTHING, Selection


def test_everything_comes_back_unless_something_is_said() -> None:
    assert EVERYTHING.reason_to_leave("a/b.img", 10**12) is None


@pytest.mark.parametrize(
    ("selection", "path", "size", "reason"),
    [
        (Selection(retrieve=("*.txt",)), "a/b.txt", 1, None),
        (Selection(retrieve=("*.txt",)), "a/b.img", 1, "no 'retrieve' pattern"),
        (Selection(exclude=("*.img",)), "deep/below/b.img", 1, "'exclude' pattern"),
        (Selection(exclude=("build/*",)), "build/deep/x.o", 1, "'exclude' pattern"),
        (Selection(exclude=("build/*",)), "src/build.c", 1, None),
        (Selection(max_file_size=10), "a", 10, None),
        (Selection(max_file_size=10), "a", 11, "has 11 bytes, and 'max_file_size' is 10"),
    ],
)
def test_patterns_and_the_limit_decide(
    selection: Selection, path: str, size: int, reason: str | None
) -> None:
    found = selection.reason_to_leave(path, size)
    assert (found is None) if reason is None else (found is not None and reason in found)


def test_outputs_come_back_whatever_the_patterns_say() -> None:
    listing = [RemoteFile(name, FileKind.FILE, 5, "2026-01-01T00:00:00") for name in ("job.out", "big")]
    plan = make_plan(listing, {}, ["job.out"], Selection(retrieve=(), max_file_size=1))
    assert list(plan.files) == ["job.out"]
    assert list(plan.left) == ["big"]
