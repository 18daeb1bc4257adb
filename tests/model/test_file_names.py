"""Unusual names: they survive both transfers, or are refused by name."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from firecrest_sandbox.filesystem.archives import pack_matching_command
from firecrest_sandbox.filesystem.listing import LS, parse
from reframe_firecrest.gateway.v2.find_patterns import patterns
from reframe_firecrest.gateway.v2.schemas import parse_listing
from reframe_firecrest.journal.events import Removed
from reframe_firecrest.journal.writer import Journal
from reframe_firecrest.staging.manifest import scan
from reframe_firecrest.staging.pack import ArchivePart, pack
from reframe_firecrest.staging.retrieval_plan import make_plan
from reframe_firecrest.staging.unpack import Destination, unpack
from tests.conftest import PROJECT
from tests.fuzzing import examples

AWKWARD = st.sampled_from(list(b" '\"\\\n\t:$`*?[]()|&;<>-~#%\x1b\x7f\x80\xe9\xff.ab"))
COMPONENTS = (
    st.one_of(
        st.lists(AWKWARD, min_size=1, max_size=8).map(bytes),
        st.text(min_size=1, max_size=10).map(lambda text: text.encode("utf-8", "replace")),
        st.sampled_from([b"-rf", b"n" * 255, b"$(touch x)", b"ab", b"a+b", b"a.b"]),
    )
    .filter(lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b".."))
    .map(lambda name: os.fsdecode(name[:255]))
)
PATHS = st.lists(st.tuples(COMPONENTS, st.none() | COMPONENTS), min_size=1, max_size=6)


def make_files(top: Path, parts: list[tuple[str, str | None]]) -> dict[str, bytes]:
    """Make a file for each name, some in directories; return them with their contents."""
    made: dict[str, bytes] = {}
    for number, (name, below) in enumerate(parts):
        path = name if below is None else f"{name}/{below}"
        if any(other in (path, name) or other.startswith(f"{path}/") for other in made):
            continue
        place = top / path
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"%d" % number * 5)
        made[path] = place.read_bytes()
    return made


def run(command: tuple[str, ...]) -> str:
    done = subprocess.run(
        command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=True, timeout=60
    )
    return done.stdout.decode("utf-8", "replace")


@given(PATHS)
@examples(15)
def test_files_come_back_under_their_names_or_not_at_all(parts: list[tuple[str, str | None]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        remote, local = Path(directory, "remote"), Path(directory, "local")
        (remote / "t").mkdir(parents=True)
        local.mkdir()
        made = make_files(remote / "t", parts)
        listed = parse(run((*LS, "-A", "-R", "--", f"{remote}/t")))
        plan = make_plan(
            parse_listing({"output": [entry.model_dump(by_alias=True) for entry in listed]}), {}, []
        )
        wanted = {f"t/{path}": Destination(str(local), path, file.size) for path, file in plan.files.items()}
        for number, pattern in enumerate(patterns(wanted)):
            archive = Path(directory, f"{number}.tgz")
            run(tuple(pack_matching_command(f"{remote}/x", str(archive), pattern=pattern, dereference=False)))
            unpack(archive, wanted)
        came = {
            os.path.relpath(path, local): path.read_bytes() for path in local.rglob("*") if path.is_file()
        }
        assert came.items() <= made.items()
        # A listing cannot distinguish a backslash in the name from one that it has added.
        lacking = made.keys() - came.keys()
        assert all("\\" in path for path in lacking), lacking
        # Files that were not fetched are reported by a name, though not always by their own.
        if len(made) == len(wanted):
            assert len(wanted.keys() - {f"t/{path}" for path in came}) == len(lacking)


@given(PATHS)
@examples(10)
def test_files_arrive_there_under_their_names(parts: list[tuple[str, str | None]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        local, remote = Path(directory, "local"), Path(directory, "remote")
        local.mkdir()
        remote.mkdir()
        made = make_files(local, parts)
        archive = Path(directory, "a.tgz")
        pack([ArchivePart("run/t", scan(str(local)))], archive)
        run(("tar", "-C", str(remote), "-xzf", str(archive)))
        there = remote / "run" / "t"
        came = {
            os.path.relpath(path, there): path.read_bytes() for path in there.rglob("*") if path.is_file()
        }
        assert came == made


PLAIN = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}

ROUND_TRIP = r"""
import os, sys
from pathlib import Path
from reframe_firecrest.model.errors import StagingError
from reframe_firecrest.gateway.v2.schemas import parse_listing
from reframe_firecrest.gateway.v1.paths import accepted
from reframe_firecrest.staging.paths import PathMap
from reframe_firecrest.staging.manifest import scan
from reframe_firecrest.staging.pack import ArchivePart, pack
from reframe_firecrest.staging.placeholder import create_placeholder
from reframe_firecrest.staging.unpack import Destination, unpack
from tests.conftest import PROJECT

assert sys.getfilesystemencoding() == "ascii"
root = Path(sys.argv[1])
names = [b"f\303\274r.txt", b"d\303\274/\303\237", b"lat\351n"]
for name in names:
    place = os.path.join(os.fsencode(root / "here"), name)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as file:
        file.write(name)
entries = scan(str(root / "here"))
pack([ArchivePart("t", entries)], root / "a.tgz")
# As a gateway lists them, C-quoted or not.
listed = parse_listing({"output": [
    {"name": name, "type": "-", "size": "9", "lastModified": "2026-01-01T00:00:00"}
    for name in (r"f\303\274r.txt", "d\u00fc/\u00df", r"lat\351n")
]})
assert {entry.path for entry in listed} <= set(entries), (listed, list(entries))
wanted = {f"t/{entry.path}": Destination(str(root / "back"), entry.path, 9) for entry in listed}
assert unpack(root / "a.tgz", wanted).placed == set(wanted)
for name in names:
    with open(os.path.join(os.fsencode(root / "back"), name), "rb") as file:
        assert file.read() == name
create_placeholder(str(root / "back"), listed[0].path, 100, f"{listed[0].path} stays")
assert accepted(f"/s/{listed[0].path}") == "/s/f\u00fcr.txt"
text = PathMap("/st\udcc3\udca4ge", "/r\udcc3\udcb6").translate("cd /st\u00e4ge/x", "/st\udcc3\udca4ge/x")
assert text == "cd /r\u00f6/x", ascii(text)
for reported in (f"no {listed[0].path}", "no f\u00fcr.txt", listed[2].path):
    print(StagingError(reported))
"""


def test_names_beyond_ascii_travel_where_the_locale_has_none(tmp_path: Path) -> None:
    (tmp_path / "back").mkdir()
    answer = subprocess.run(
        [sys.executable, "-c", ROUND_TRIP, str(tmp_path)],
        env={**os.environ, **PLAIN},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines() == [r"no f\xfcr.txt", r"no f\xfcr.txt", r"lat\udce9n"]


def test_a_name_that_is_no_text_can_be_in_a_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "run", lambda _text: None)
    journal.write(Removed(time=1.0, path="lat\udce9n"))
    journal.close()
    assert rb"lat\\udce9n" in journal.path.read_bytes()
