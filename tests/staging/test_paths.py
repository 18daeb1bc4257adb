from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reframe_firecrest.staging.paths import SHARD_SIZE, PathMap, shard_of

LOCAL = "/home/me/run/stage"
REMOTE = "/scratch/me/reframe-firecrest/r1"
MAP = PathMap(LOCAL, REMOTE)
OWN = f"{LOCAL}/daint/gpu/gnu/hello"

NAMES = st.text(alphabet=string.ascii_letters + string.digits + "._-+@~", min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..")
)
RELATIVE = st.lists(NAMES, max_size=4).map("/".join)
BEFORE = st.sampled_from(
    ["", "\n", " ", "cd ", '"', "'", "X=", "PATH=$PATH:", "-I", "-Wl,-rpath,", "(", "{", ">", "2>", "`", ","]
)
AFTER = st.sampled_from(["", "\n", " ", '"', "'", ":", ";", ")", "}", "`", ",", " && ls"])


@given(RELATIVE, BEFORE, AFTER)
def test_every_path_below_the_stage_prefix_is_translated(relative: str, before: str, after: str) -> None:
    tail = f"/{relative}" if relative else ""
    assert (
        PathMap(LOCAL, REMOTE).translate(f"{before}{LOCAL}{tail}{after}", OWN)
        == f"{before}{REMOTE}{tail}{after}"
    )


@given(st.lists(st.one_of(RELATIVE.map(lambda path: f" {LOCAL}/{path} "), st.text(max_size=20))))
def test_translating_there_and_back_gives_the_same_text(pieces: list[str]) -> None:
    text = "".join(pieces)
    back = PathMap(REMOTE, LOCAL)
    if REMOTE not in text:
        there = PathMap(LOCAL, REMOTE).translate(text, OWN)
        assert back.translate(there, f"{REMOTE}/own") == text


@given(st.text(alphabet=string.printable).filter(lambda text: LOCAL not in text))
def test_a_text_without_the_stage_prefix_stays_as_it_is(text: str) -> None:
    assert MAP.translate(text, OWN) == text


@pytest.mark.parametrize(
    "text",
    [
        f"{LOCAL}2/x",
        f"{LOCAL}-old",
        f"{LOCAL}.bak",
        f"{LOCAL}é",
        f"/mnt{LOCAL}/x",
        f"backup{LOCAL}/x",
        f"../..{LOCAL}",
        f"~{LOCAL}/x",
        f"$HOME{LOCAL}/x",
        f"${{ROOT}}{LOCAL}/x",
        f"$(pwd){LOCAL}/x",
        f"/nfs/*{LOCAL}/x",
        f"-I/usr{LOCAL}/x",
        LOCAL.removesuffix("/stage"),
    ],
)
def test_what_only_contains_the_prefix_as_a_piece_is_not_touched(text: str) -> None:
    assert MAP.translate(text, OWN) == text


def test_another_tests_stage_directory_is_translated_too() -> None:
    fixture = f"{LOCAL}/daint/gpu/gnu/build_fixture"
    assert MAP.translate(f"{fixture}/stream.x", OWN) == f"{REMOTE}/daint/gpu/gnu/build_fixture/stream.x"


def test_both_spellings_of_a_linked_stage_prefix_are_translated() -> None:
    linked = PathMap("/home/me/stage", REMOTE, aliases=("/gpfs/u1/me/stage",))
    script = "cd /home/me/stage/a\ncp /gpfs/u1/me/stage/b .\n"
    assert linked.translate(script, "/home/me/stage/a") == f"cd {REMOTE}/a\ncp {REMOTE}/b .\n"
    assert linked.relative("/gpfs/u1/me/stage/b") == "b"


def test_the_longer_of_two_prefixes_wins() -> None:
    nested = PathMap("/a/stage", REMOTE, aliases=("/a/stage/deep",))
    assert nested.translate("/a/stage/deep/x", "/a/stage/deep/x") == f"{REMOTE}/x"


def test_what_was_translated_is_not_translated_again() -> None:
    below = PathMap("/scratch/me", "/scratch/me/remote")
    assert below.translate("/scratch/me/x", "/scratch/me/x") == "/scratch/me/remote/x"


class TestOutsideTheStagePrefix:
    OUTSIDE = "/tmp/rfm.abc/detect"

    def test_its_own_directory_is_translated(self) -> None:
        remote = MAP.remote_directory(self.OUTSIDE)
        assert remote.startswith(f"{REMOTE}/")
        assert MAP.translate(f"cd {self.OUTSIDE}/x", self.OUTSIDE) == f"cd {remote}/x"

    def test_later_queries_find_the_same_place(self) -> None:
        again = PathMap(LOCAL, REMOTE)
        assert again.remote_directory(self.OUTSIDE) == MAP.remote_directory(self.OUTSIDE)

    @given(RELATIVE, RELATIVE)
    def test_two_directories_never_share_a_place(self, one: str, other: str) -> None:
        first, second = f"/tmp/{one}", f"/tmp/{other}"
        assert (MAP.relative(first) == MAP.relative(second)) == (first == second)

    def test_no_place_of_a_test_is_taken(self) -> None:
        assert not MAP.relative(self.OUTSIDE).startswith("daint/")


@given(RELATIVE.filter(bool))
def test_a_stage_directory_keeps_its_path_below_the_remote_root(relative: str) -> None:
    assert MAP.remote_directory(f"{LOCAL}/{relative}") == f"{REMOTE}/{relative}"
    assert MAP.relative(f"{LOCAL}/{relative}") == relative


# --- directories that a text names ------------------------------------------------------------------

MAPPED = PathMap(
    "/home/me/stage",
    "/scratch/run",
    aliases=("/real/stage",),
    present=(("/home/me/data", "/store/data"), ("/apps", "/apps")),
    sent=("/home/me/resources",),
)


def test_stage_directories_are_named_whatever_follows_them() -> None:
    text = "cat /home/me/stage/sys/part/env/Build/deep/x; cd '/real/stage/sys/part/env/Other'"
    assert MAPPED.named(text) == {
        "/home/me/stage/sys/part/env/Build",
        "/home/me/stage/sys/part/env/Other",
    }


@pytest.mark.parametrize(
    "text",
    [
        "ls /home/me/stage",
        "ls /home/me/stage/sys/part",
        "ls /elsewhere/home/me/stage/sys/part/env/Build",
        "ls /home/me/stage-old/sys/part/env/Build",
        "ls /home/me/data/x /apps/bin",
    ],
)
def test_nothing_else_is_named(text: str) -> None:
    assert MAPPED.named(text) == set()


def test_mapped_directories_are_translated_and_those_to_be_sent_named() -> None:
    text = "a /home/me/data/x b /home/me/resources/t c /apps/bin d /home/me/resources-old"
    sent = MAPPED.remote_directory("/home/me/resources")
    assert MAPPED.translate(text, "/home/me/stage/s/p/e/t") == (
        f"a /store/data/x b {sent}/t c /apps/bin d /home/me/resources-old"
    )
    assert MAPPED.named(text) == {"/home/me/resources"}


class TestShelves:
    """Large runs: the stage directories that come later lie apart."""

    @staticmethod
    def full() -> PathMap:
        found = PathMap(LOCAL, REMOTE, aliases=("/real/stage",))
        for number in range(SHARD_SIZE):
            assert found.relative(f"{LOCAL}/daint/gpu/gnu/t{number}") == f"daint/gpu/gnu/t{number}"
        return found

    def test_those_that_come_later_lie_on_the_next_shelf(self) -> None:
        found = self.full()
        assert found.relative(f"{LOCAL}/daint/gpu/gnu/late") == "~1/daint/gpu/gnu/late"
        assert found.remote_directory(f"{LOCAL}/daint/gpu/gnu/late") == f"{REMOTE}/~1/daint/gpu/gnu/late"
        assert found.relative(f"{LOCAL}/daint/gpu/gnu/t7") == "daint/gpu/gnu/t7"

    def test_a_script_names_each_where_it_lies(self) -> None:
        found = self.full()
        late = f"{LOCAL}/daint/gpu/gnu/late"
        found.relative(late)
        text = f"cd {late}/x; cat {LOCAL}/daint/gpu/gnu/t7/y /real/stage/daint/gpu/gnu/late {LOCAL}"
        assert found.translate(text, late) == (
            f"cd {REMOTE}/~1/daint/gpu/gnu/late/x; cat {REMOTE}/daint/gpu/gnu/t7/y "
            f"{REMOTE}/~1/daint/gpu/gnu/late {REMOTE}"
        )

    def test_the_first_to_name_a_directory_places_it(self) -> None:
        found = self.full()
        fixture = f"{LOCAL}/daint/gpu/gnu/fixture"
        text = found.translate(f"ls {fixture}", OWN)
        assert text == f"ls {found.remote_directory(fixture)}"

    def test_a_shelf_is_read_off_a_path(self) -> None:
        assert shard_of("~3/daint/gpu/gnu/t") == "~3"
        assert shard_of("daint/gpu/gnu/t") == ""
