"""Local paths are translated wherever they stand, and in texts of any size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reframe_firecrest.staging import text_translation
from reframe_firecrest.staging.paths import PathMap
from reframe_firecrest.staging.text_translation import names_path

LOCAL, REMOTE = "/home/me/stage", "/scratch/me/run"
OWN = f"{LOCAL}/daint/gpu/gnu/test"
MAP = PathMap(LOCAL, REMOTE)


@pytest.mark.parametrize(
    "before",
    [
        "@",
        "gcc @",
        "--file=@",
        "-Wl,@",
        "curl -F file=@",
        "file://",
        "file://localhost",
        '"file://',
        "sqlite:///",
        "git+file://",
        "a;",
        "- path: ",
        '{"path": "',
        "PATH=/a:",
        "$'",
        "set(DIR ",
    ],
)
def test_a_path_is_translated_behind(before: str) -> None:
    assert MAP.translate(f"{before}{OWN}/x", OWN) == f"{before}{REMOTE}/daint/gpu/gnu/test/x"


@pytest.mark.parametrize("before", ["me@host@", "x@", "${X}@", "nothing//", "//", "see/file://x", "://"])
def test_a_path_is_left_and_counted_behind(before: str) -> None:
    found = MAP.translation(OWN)
    text = f"{before}{OWN}/x"
    assert found.feed(text) + found.finish() == text
    assert found.left == 1


def test_another_directory_of_a_similar_name_does_not_count() -> None:
    found = MAP.translation(OWN)
    found.feed(f"{LOCAL}2/x")
    found.finish()
    assert found.left == 0


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [f"{OWN}/x ", f" {LOCAL}", f"@{OWN}", f"file://{LOCAL}/a/b/c/d/e\n", f"/mnt{LOCAL}/x "]
        ),
        st.text(max_size=30),
        st.just("/long" * 20),
    )
)


@given(PIECES, st.lists(st.integers(0, 200)))
def test_it_does_not_matter_where_a_text_is_cut(pieces: list[str], cuts: list[int]) -> None:
    text = "".join(pieces)
    whole = MAP.translation(OWN)
    expected = whole.feed(text) + whole.finish()
    with pytest.MonkeyPatch.context() as patch:
        # Longer than what is looked at behind a root here, so that small texts show what large ones do.
        patch.setattr(text_translation, "HELD_BACK", 250)
        cut = MAP.translation(OWN)
        out, at = [], 0
        for end in [*sorted(cuts), len(text)]:
            out.append(cut.feed(text[at : max(at, end)]))
            at = max(at, end)
        out.append(cut.finish())
    assert "".join(out) == expected
    assert (cut.named, cut.paths, cut.left) == (whole.named, whole.paths, whole.left)


def test_what_is_kept_of_a_long_text_is_bounded() -> None:
    found = MAP.translation(OWN)
    for _ in range(100):
        found.feed("x" * 10_000 + f" {OWN}/y ")
        assert len(found._text) < 30_000


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (f"cat {OWN}/solver.log", f"{OWN}/solver.log"),
        (f"cat '{OWN}/solver.log'", f"{OWN}/solver.log"),
        (f"cat {OWN}/run*/x", OWN),
        (f"cat {OWN}/run$N.log", OWN),
        (f"cat {OWN}/$N", OWN),
        (f"cd {OWN}", OWN),
        (f"cd {OWN}/", OWN),
    ],
)
def test_named_paths_end_where_the_job_decides(text: str, path: str) -> None:
    found = MAP.translation(OWN)
    found.feed(text)
    found.finish()
    assert found.paths == {path}


def test_both_spellings_of_a_prefix_name_the_same_path() -> None:
    linked = PathMap("/home/me/stage", REMOTE, aliases=("/gpfs/stage",)).translation(OWN)
    linked.feed("cat /gpfs/stage/a/x")
    linked.finish()
    assert linked.paths == {"/home/me/stage/a/x"}


@pytest.mark.parametrize(
    ("named", "path", "expected"),
    [
        ("/a/b", "/a/b", True),
        ("/a", "/a/b", True),
        ("/a/b", "/a/b c", True),
        ("/a/b", "/a/bc", False),
        ("/a/b/c", "/a/b", False),
        ("/x", "/a/b", False),
    ],
)
def test_a_path_is_meant_if_it_is_named_or_what_it_lies_in(named: str, path: str, *, expected: bool) -> None:
    assert names_path(named, path) is expected
