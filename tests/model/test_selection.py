"""Selection of the files to retrieve."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reframe_firecrest.model.remote_file import FileKind, RemoteFile
from reframe_firecrest.model.selection import EVERYTHING, Selection
from reframe_firecrest.staging.retrieval_plan import make_plan


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


SIZES = {"a": 5, "b": 1, "c": 3, "d": 3}


@pytest.mark.parametrize(
    ("selection", "left", "reason"),
    [
        (Selection(), [], ""),
        (Selection(max_files=4, max_total_size=12), [], ""),
        (Selection(max_files=2), ["a", "d"], "it is one of 4 files, and 'max_files' is 2"),
        (Selection(max_files=0), ["a", "b", "c", "d"], "'max_files' is 0"),
        (Selection(max_total_size=11), ["a"], "all files together have 12 bytes, and 'max_total_size' is 11"),
        (Selection(max_total_size=0), ["a", "b", "c", "d"], "'max_total_size' is 0"),
    ],
)
def test_of_too_many_or_too_much_the_largest_stay(selection: Selection, left: list[str], reason: str) -> None:
    found = selection.beyond(SIZES)
    assert sorted(found) == left
    assert all(reason in text for text in found.values())


def test_outputs_come_back_however_much_there_is_and_do_not_count() -> None:
    listing = [
        RemoteFile(name, FileKind.FILE, size, "2026-01-01T00:00:00")
        for name, size in {"job.out": 10**9, "job.err": 10**9, "small": 4, "large": 5}.items()
    ]
    plan = make_plan(listing, {}, ["job.out", "job.err"], Selection(max_total_size=4, max_files=1))
    assert sorted(plan.files) == ["job.err", "job.out", "small"]
    assert list(plan.left) == ["large"]
    assert "'max_files' is 1" in plan.left["large"]


@given(
    st.dictionaries(st.text(max_size=3), st.integers(0, 2**64), max_size=9),
    st.none() | st.integers(0, 2**65),
    st.none() | st.integers(0, 9),
)
def test_the_limits_are_obeyed_and_no_more_stays_than_must(
    sizes: dict[str, int], total: int | None, count: int | None
) -> None:
    left = Selection(max_total_size=total, max_files=count).beyond(sizes)
    came = [size for path, size in sizes.items() if path not in left]
    assert total is None or sum(came) <= total
    assert count is None or len(came) <= count
    if left:
        more = min(size for path, size in sizes.items() if path in left)
        assert len(came) == count or (total is not None and sum(came) + more > total)
