"""Packing with one path per archive: few archives with few unneeded files."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reframe_firecrest.gateway.v1.listing_cache import LISTINGS, ListingCache
from reframe_firecrest.gateway.v1.packing import ARCHIVE, parts_of, sources_for
from reframe_firecrest.gateway.v1.paths import packable
from reframe_firecrest.model import errors
from reframe_firecrest.model.remote_file import FileKind, RemoteFile


def test_a_directory_goes_as_a_whole_where_little_else_is_in_it() -> None:
    sizes = {"t/out": 10, "t/err": 10, "t/input": 1000}
    assert sources_for(["t/out", "t/err"], sizes, {"t"}) == ["t"]


def test_a_single_file_goes_alone_where_much_else_is_beside_it() -> None:
    sizes = {"t/out": 10, "t/err": 10, "t/image": 100 * ARCHIVE}
    assert sources_for(["t/out", "t/err"], sizes, {"t"}) == ["t/out", "t/err"]


def test_directories_of_many_jobs_go_together_where_others_beside_them_are_small() -> None:
    sizes = {f"env/t{number}/out": 10 for number in range(10)} | {"env/other/in": 5 * ARCHIVE}
    wanted = [path for path in sizes if path.endswith("out")]
    whole = {"env", *(f"env/t{number}" for number in range(10))}
    assert sources_for(wanted, sizes, whole) == ["env"]
    assert len(sources_for(wanted[:2], sizes, whole)) == 2


def test_what_is_not_known_is_not_packed_as_a_whole() -> None:
    assert sources_for(["t/out", "t/err"], {}, ()) == ["t/out", "t/err"]


@pytest.mark.parametrize("name", ["a(1)", "-rf", "a'b"])
def test_a_file_that_can_not_be_packed_by_its_name_goes_with_its_directory(name: str) -> None:
    sizes = {f"t/{name}": 10, "t/image": 100 * ARCHIVE}
    assert sources_for([f"t/{name}"], sizes, {"t"}) == ["t"]
    # It cannot be packed; the error names it.
    assert sources_for([f"t/{name}"], sizes, ()) == [f"t/{name}"]
    with pytest.raises(errors.RejectedError, match=re.escape(f"t/{name}")):
        packable(f"t/{name}")


def test_smaller_parts_are_what_lies_directly_in_a_directory() -> None:
    assert parts_of("a", ["a/b/c", "a/b/d", "a/e", "x/y"]) == ["a/b", "a/e"]
    assert parts_of("a/e", ["a/b/c", "a/e"]) == []


NAMES = st.sampled_from(["a", "b", "c", "d(1)"])
PATHS = st.lists(NAMES, min_size=2, max_size=4).map("/".join)


@given(st.dictionaries(PATHS, st.integers(0, 3 * ARCHIVE), min_size=1), st.data())
def test_whatever_is_wanted_is_packed_once(sizes: dict[str, int], data: st.DataObject) -> None:
    # A file can't be a directory as well.
    files = {
        path: size for path, size in sizes.items() if not any(other.startswith(f"{path}/") for other in sizes)
    }
    wanted = data.draw(st.lists(st.sampled_from(sorted(files)), unique=True))
    whole = {path.rpartition("/")[0] for path in files}
    sources = sources_for(wanted, files, whole)
    for path in wanted:
        assert [path == one or path.startswith(f"{one}/") for one in sources].count(True) == 1
    assert all(any(path == one or path.startswith(f"{one}/") for path in wanted) for one in sources)


def entry(path: str, size: int = 1, kind: FileKind = FileKind.FILE) -> RemoteFile:
    return RemoteFile(path, kind, size, "2026-11-23T06:02:32")


class TestInventory:
    def test_listings_are_put_together(self) -> None:
        known = ListingCache()
        known.note("/run/sys", [entry("t", kind=FileKind.DIRECTORY), entry("t/out", 3)])
        known.note("/run/sys/t", [entry("out", 5)])
        known.note("/elsewhere", [entry("x")])
        assert known.below("/run") == ({"sys/t/out": 5}, {"sys", "sys/t"})
        assert known.below("/run/sys") == ({"t/out": 5}, {"t"})

    def test_it_does_not_grow_for_ever(self) -> None:
        known = ListingCache()
        for number in range(LISTINGS + 5):
            known.note(f"/run/{number}", [entry("x")])
        assert len(known.below("/run")[0]) == LISTINGS
