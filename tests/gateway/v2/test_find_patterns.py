from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reframe_firecrest.gateway.v2.find_patterns import patterns


def select(directory: Path, pattern: str, locale: str) -> list[str]:
    """Run `find` and `tar` as FirecREST's gateway does, quoting included; return what was packed.

    Source: ``filesystem/ops/commands/tar_command.py`` of eth-cscs/firecrest-v2.
    """
    archive = directory.parent / "out.tgz"
    command = (
        f"timeout 5 bash -c \"cd {directory}; timeout 5 find . -type f -regex '{pattern}' -print0"
        f" | tar  -czvf '{archive}' --null --files-from - \""
    )
    done = subprocess.run(
        ["bash", "-c", command],
        env={"PATH": os.environ["PATH"], "LC_ALL": locale, "HOME": "/nonexistent", "x": "expanded"},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with tarfile.open(archive) as tar:
        return [member.name.removeprefix("./") for member in tar]


def packed(names: list[str], others: list[str] = [], limit: int = 60_000, locale: str = "C") -> list[str]:  # noqa: B006 - only read
    """Return what is packed of these files, others being there too."""
    with tempfile.TemporaryDirectory() as root:
        directory = Path(root, "run")
        for name in {*names, *others}:
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        found: list[str] = []
        for pattern in patterns(names, limit):
            assert pattern.isascii()
            found += select(directory, pattern, locale)
        return found


NASTY = [
    "with space",
    "dollar$x",
    "$(touch pwned)",
    "`id`",
    "quo'te",
    'dou"ble',
    "back\\slash",
    "back\\(group\\)",
    "star*",
    "question?",
    "[bracket]",
    "a+b",
    "^caret$",
    "pipe|pipe",
    "semi;colon",
    "amp&and",
    "new\nline",
    "tab\t",
    "bell\x07",
    "del\x7f",
    "-rf",
    ".hidden",
    "#hash",
    "bang!x",
    "{brace}",
    "tilde~",
    "ünïcode",
    "日本",
    "end\\",
]


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_name_is_selected(name: str, locale: str) -> None:
    assert packed([name], locale=locale) == [name]


def test_all_nasty_names_together_are_selected_by_one_pattern() -> None:
    assert sorted(packed([f"d {number}/{name}" for number in (1, 2) for name in NASTY])) == sorted(
        f"d {number}/{name}" for number in (1, 2) for name in NASTY
    )


def test_names_that_are_no_text_are_selected_where_the_locale_is_plain() -> None:
    assert packed(["caf\udce9"], locale="C") == ["caf\udce9"]


def test_what_is_named_plainly_selects_nothing_else() -> None:
    others = ["a.out.bak", "xa.out", "sub/a.out", "rfm_job_out", "other"]
    assert sorted(packed(["rfm_job_err", "sub/data_1"], others)) == ["rfm_job_err", "sub/data_1"]


SEGMENT = st.text(
    alphabet=st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: name not in (".", "..") and len(os.fsencode(name)) < 60)


@given(
    st.lists(
        st.lists(SEGMENT, min_size=1, max_size=3).map("/".join),
        min_size=1,
        max_size=6,
        unique=True,
    ).filter(lambda paths: not any(f"{a}/" in f"{b}/" for a in paths for b in paths if a != b)),
    st.sampled_from([1, 40, 60_000]),
)
@settings(max_examples=40, deadline=None)
def test_whatever_the_names_every_wanted_file_is_selected(paths: list[str], limit: int) -> None:
    assert set(packed(paths, limit=limit)) >= set(paths)


def test_a_few_thousand_files_fit_into_few_patterns_below_the_limit() -> None:
    paths = [f"t{number % 40}/output_{number:05d}.dat" for number in range(4000)]
    found = patterns(paths)
    assert len(found) == 2
    assert all(len(pattern) <= 60_000 for pattern in found)


def test_no_pattern_is_longer_than_allowed_and_nothing_is_lost() -> None:
    names = [f"file_{number}" for number in range(50)]
    assert all(len(pattern) <= 100 for pattern in patterns(names, 100))
    assert sorted(packed(names, limit=100)) == sorted(names)


def test_nothing_wanted_is_no_pattern() -> None:
    assert patterns([]) == []
