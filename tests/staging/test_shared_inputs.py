"""Inputs that several tests have alike: what a job script does to have them."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from reframe_firecrest.staging.pack import SentStat
from reframe_firecrest.staging.prologue import Prologue, with_prologue
from reframe_firecrest.staging.shared_inputs import InputContent

SCRIPT = b"#!/bin/bash\n#SBATCH --job-name=a\n#SBATCH --output=o\n\nset -u\necho ran\n"


class Remote:
    """A store and a stage directory."""

    def __init__(self, path: Path) -> None:
        self.store, self.directory = path / "the store", path / "stage's dir"
        self.directory.mkdir(parents=True)
        self.shared: dict[str, tuple[InputContent, SentStat]] = {}

    def share(self, path: str, text: str, mode: int = 0o644, mtime: int = 1_600_000_000) -> None:
        source = self.store.parent / "source"
        source.write_text(text)
        content = InputContent(hashlib.sha256(source.read_bytes()).hexdigest(), path.rpartition("/")[2])
        place = self.store / content.place
        place.parent.mkdir(parents=True)
        place.write_text(text)
        place.chmod(0o400)
        (self.directory / path).parent.mkdir(parents=True, exist_ok=True)
        self.shared[path] = content, SentStat(len(text), mtime, mode=mode)

    def script(self, script: bytes = SCRIPT) -> bytes:
        claims = str(self.store.parent / "claims")
        return with_prologue(
            script, Prologue("a" * 32, claims, str(self.directory), str(self.store), self.shared)
        )

    def run(self, script: bytes = SCRIPT) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["bash", "-c", self.script(script)], capture_output=True, timeout=20, check=False
        )


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path)


def test_the_copies_are_made_with_their_own_permissions_and_times(remote: Remote) -> None:
    remote.share("a file", "A", mode=0o755, mtime=1_600_000_001)
    remote.share("deep/er/b'c", "B", mode=0o640, mtime=1_600_000_002)
    done = remote.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, b"ran\n", b"")
    first, second = remote.directory / "a file", remote.directory / "deep/er/b'c"
    assert (first.read_text(), second.read_text()) == ("A", "B")
    assert (first.stat().st_mode & 0o777, second.stat().st_mode & 0o777) == (0o755, 0o640)
    assert (first.stat().st_mtime, second.stat().st_mtime) == (1_600_000_001, 1_600_000_002)


def test_a_job_that_writes_into_its_copy_changes_no_other(remote: Remote) -> None:
    remote.share("a", "A")
    remote.run(
        SCRIPT + f"echo more >> '{remote.directory / 'a'}'\n".replace("stage's", "stage'\\''s").encode()
    )
    [(content, _)] = remote.shared.values()
    assert (remote.directory / "a").read_text() == "Amore\n"
    assert (remote.store / content.place).read_text() == "A"


def test_directives_stay_before_the_first_command(remote: Remote) -> None:
    remote.share("a", "A")
    whole = remote.script()
    lines = whole.split(b"\n")
    commands = [line for line in lines if line and not line.startswith(b"#")]
    assert lines[:3] == SCRIPT.split(b"\n")[:3]
    assert commands[-2:] == [b"set -u", b"echo ran"]
    assert lines.index(b"#SBATCH --output=o") < lines.index(commands[0])


def test_a_copy_that_fails_ends_the_job_and_reports_it(remote: Remote) -> None:
    remote.share("a", "A")
    [(content, _)] = remote.shared.values()
    (remote.store / content.place).unlink()
    done = remote.run()
    assert done.returncode == 1
    assert b"ran" not in done.stdout
    assert b"reframe-firecrest: inputs could not be copied on the system" in done.stderr


def test_the_script_can_be_run_again_by_hand_when_the_store_is_gone(remote: Remote, tmp_path: Path) -> None:
    remote.share("a", "A")
    assert remote.run().returncode == 0
    (remote.directory / "a").write_text("changed")
    remote.store.rename(tmp_path / "gone")
    again = remote.run()
    assert (again.returncode, again.stdout) == (0, b"ran\n")
    assert (remote.directory / "a").read_text() == "changed"


def test_without_the_store_and_without_copies_the_job_fails(remote: Remote, tmp_path: Path) -> None:
    remote.share("a", "A")
    remote.store.rename(tmp_path / "gone")
    assert remote.run().returncode == 1


def test_many_files_take_few_commands(remote: Remote) -> None:
    for number in range(150):
        remote.share(f"f{number}", str(number))
    whole = remote.script()
    assert sum(line.startswith((b"cp ", b"chmod ", b"touch ")) for line in whole.split(b"\n")) == 6
    assert remote.run().returncode == 0
    assert {path.read_text() for path in remote.directory.iterdir()} == {str(n) for n in range(150)}
