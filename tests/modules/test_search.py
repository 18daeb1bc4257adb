"""The modules systems' own ways of finding modules, as seen on Lmod 8.6.19 and Environment Modules 5.2.0."""

from __future__ import annotations

import pytest

from reframe_firecrest.modules.names import is_directory, is_module, is_version, same_module
from reframe_firecrest.modules.search import search

NAMES = ["cmake/3.25", "gcc/", "gcc/12.2", "lib/gcc/1", "GROMACS/2023-foss"]


@pytest.mark.parametrize(
    ("text", "kind", "version", "found"),
    [
        ("", "lmod", "8.6", NAMES),
        ("CC", "lmod", "8.6", ["gcc/12.2", "lib/gcc/1"]),
        ("make/", "lmod", "8.6", ["cmake/3.25"]),
        ("cc", "envmod", "5.2.0", []),
        ("GC", "envmod", "5.2.0", ["gcc/", "gcc/12.2"]),
        ("GC", "envmod", "4.8", []),
        ("gro", "envmod", "", ["GROMACS/2023-foss"]),
        ("gcc", "spack", "0.23", ["gcc/", "gcc/12.2"]),
        ("gcc/12", "spack", "0.23", []),
    ],
)
def test_each_modules_system_finds_in_its_own_way(
    text: str, kind: str, version: str, found: list[str]
) -> None:
    assert search(NAMES, text, kind, version) == found


def test_spack_finds_versions() -> None:
    names = ["gcc/12.2.0-abc", "gcc/12.3-abd", "gcc-runtime/12.2.0-abe"]
    assert search(names, "gcc@12.2.0", "spack", "0.23") == ["gcc/12.2.0-abc"]


@pytest.mark.parametrize(
    "name", ["gcc", "gcc/12.2", "gcc/", "libstdc++/6", "a/b/c", "x@1%gcc~mpi=1", "3to2/1"]
)
def test_names_of_modules(name: str) -> None:
    assert is_module(name)


@pytest.mark.parametrize(
    "name", ["", "-a", "/a", "a b", "a;b", "$(a)", "`a`", "a\n", "a'b", "a|b", "ä", "a" * 513]
)
def test_what_is_no_name_of_a_module(name: str) -> None:
    assert not is_module(name)


def test_directories_and_versions() -> None:
    assert is_directory("/apps/my modules/1.0")
    assert not any(map(is_directory, ["", "a", "/a\n", "/$HOME", "/a;b"]))
    assert all(map(is_version, ["", "8.6.19", "3.2.10c"]))
    assert not any(map(is_version, ["8 6", "1;2"]))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("gcc", "gcc/12", True),
        ("gcc/12", "gcc", True),
        ("gcc/12", "gcc/12", True),
        ("gcc/12", "gcc/13", False),
        ("gcc", "gccx", False),
    ],
)
def test_a_name_without_a_version_means_every_version(first: str, second: str, same: bool) -> None:
    assert same_module(first, second) is same
