"""Archives that travel in parts: packed here, joined and unpacked by a job script in a real shell."""

from __future__ import annotations

import gc
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from reframe_firecrest.staging import split_archive
from reframe_firecrest.staging.manifest import scan
from reframe_firecrest.staging.markers import read_claims, read_stage
from reframe_firecrest.staging.pack import ArchivePart, SentStat
from reframe_firecrest.staging.prologue import Prologue, with_prologue
from reframe_firecrest.staging.split_archive import (
    OversizeError,
    SplitArchive,
    Unpacking,
    pack_limited,
    part_sizes,
)
from tests.staging.test_prologue import TOKEN, listing

OLD = 1_600_000_000
SHELLS = ["bash", "dash"]
CONTENT = random.Random(1).randbytes(300_000)
TOOLS = (
    *("cat", "chmod", "cut", "find", "gzip", "ln", "mkdir", "mv", "readlink"),
    *("rm", "sleep", "tar", "timeout", "touch", "tr"),
)
ODD = "it's a [large] file"


class Remote:
    """A stage directory, and a transfer directory with an archive in parts."""

    def __init__(self, path: Path) -> None:
        self.here = path / "here"
        self.here.mkdir()
        self.transfer, self.directory = path / "run/.transfer", path / "run/stage's dir"
        self.claims = self.transfer / "claims"
        for made in (self.claims, self.directory / "deep"):
            made.mkdir(parents=True)
        (self.here / ODD).write_bytes(CONTENT)
        (self.here / "second").write_bytes(CONTENT[::-1])
        self.shell = "bash"
        self.scripts = 0
        self.members = {f"0/{ODD}": ODD, "1/second": "second"}
        self.wanted = [
            self.unpacking({ODD: (f"0/{ODD}", 0o750, OLD), "deep/second": ("1/second", 0o640, OLD + 1)})
        ]

    def archive(self, limit: int = 65_536) -> SplitArchive:
        entries = scan(str(self.here))
        part = ArchivePart(".", {member: entries[name] for member, name in self.members.items()})
        packed = self.here.parent / "packed.tgz"
        _, digest = pack_limited(part, packed, 1 << 30)
        content = packed.read_bytes()
        names = []
        for number, (at, size) in enumerate(part_sizes(len(content), limit)):
            names.append(f"large-1.{number}")
            (self.transfer / names[-1]).write_bytes(content[at : at + size])
        return SplitArchive(str(self.transfer), tuple(names), digest, len(self.members))

    def unpacking(
        self, files: dict[str, tuple[str, int, int]], *, once: bool = False, whole: bool = True
    ) -> Unpacking:
        sent = {
            path: (member, SentStat(len(CONTENT), mtime, mode=mode))
            for path, (member, mode, mtime) in files.items()
        }
        marker = str(self.transfer / "once-1") if once else ""
        return Unpacking(self.archive(), str(self.directory), sent, marker, whole)

    def script(self, body: str) -> Path:
        prologue = Prologue(TOKEN, str(self.claims), str(self.directory), unpacked=self.wanted)
        self.scripts += 1
        path = self.here.parent / f"script-{self.scripts}"
        path.write_bytes(with_prologue(f"#!/bin/bash\n{body}\n".encode(), prologue))
        return path

    def start(self, body: str, **slurm: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(shutil.which(self.shell)), self.script(body)],
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], "SLURM_JOB_ID": "12", **slurm},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, body: str = "echo ran", *, code: int = 0, **slurm: str) -> str:
        process = self.start(body, **slurm)
        out, self.errors = process.communicate(timeout=60)
        assert process.returncode == code, self.errors
        return out

    def tool(self, name: str, text: str) -> str:
        """Put a command in front of all others; return the variable PATH."""
        tools = self.here.parent / "bin"
        tools.mkdir(exist_ok=True)
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
        return f"{tools}:{os.environ['PATH']}"

    def leftovers(self) -> list[str]:
        return sorted(
            path.name for path in self.transfer.iterdir() if path.is_dir() and path.name != "claims"
        )


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path)


class TestPacking:
    def test_an_archive_that_becomes_too_large_is_refused(self, remote: Remote) -> None:
        part = ArchivePart(".", {"0/second": scan(str(remote.here))["second"]})
        with pytest.raises(OversizeError):
            pack_limited(part, remote.here.parent / "packed", 200_000)
        # An error while the archive is closed would be raised here as a warning.
        gc.collect()

    @pytest.mark.parametrize(
        ("size", "sizes"), [(0, []), (1, [1]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])]
    )
    def test_parts_cover_the_archive(self, size: int, sizes: list[int]) -> None:
        spans = part_sizes(size, 10)
        assert [length for _, length in spans] == sizes
        assert [at for at, _ in spans] == [sum(sizes[:number]) for number in range(len(sizes))]


class TestUnpacking:
    @pytest.mark.parametrize("shell", SHELLS)
    def test_files_appear_with_their_content_and_attributes(self, remote: Remote, shell: str) -> None:
        remote.shell = shell
        assert len(remote.wanted[0].archive.parts) > 5
        assert remote.run() == "ran\n"
        assert remote.errors == ""
        first, second = remote.directory / ODD, remote.directory / "deep/second"
        assert (first.read_bytes(), second.read_bytes()) == (CONTENT, CONTENT[::-1])
        assert (first.stat().st_mode & 0o777, second.stat().st_mode & 0o777) == (0o750, 0o640)
        assert (first.stat().st_mtime, second.stat().st_mtime) == (OLD, OLD + 1)
        assert remote.leftovers() == []

    def test_a_script_with_strict_options_is_not_disturbed(self, remote: Remote) -> None:
        remote.wanted = [remote.unpacking({ODD: (f"0/{ODD}", 0o640, OLD)}, once=True)]
        path = remote.script("echo ran")
        done = subprocess.run(
            ["bash", "-eu", path],
            env={"PATH": os.environ["PATH"], "SLURM_JOB_ID": "12"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "ran\n", "")

    def test_an_older_version_of_a_file_is_replaced(self, remote: Remote) -> None:
        (remote.directory / ODD).write_text("old")
        remote.run()
        assert (remote.directory / ODD).read_bytes() == CONTENT

    def test_unpacked_inputs_do_not_count_as_changes(self, remote: Remote) -> None:
        remote.run()
        markers = read_stage(listing(remote.directory), TOKEN)
        assert not markers.hidden_changes([""]).suspects({ODD: len(CONTENT)})

    def test_a_job_takes_some_files_of_an_archive_and_one_of_them_twice(self, remote: Remote) -> None:
        files = {"second": ("1/second", 0o600, OLD), "deep/second": ("1/second", 0o700, OLD + 1)}
        remote.wanted = [remote.unpacking(files, whole=False)]
        assert remote.run("stat -c %a second deep/second") == "600\n700\n"
        assert (remote.directory / "deep/second").read_bytes() == CONTENT[::-1]
        assert not (remote.directory / ODD).exists()

    def test_gzip_verifies_where_there_is_no_sha256sum(self, remote: Remote, tmp_path: Path) -> None:
        tools = tmp_path / "bin"
        tools.mkdir()
        for name in TOOLS:
            (tools / name).symlink_to(str(shutil.which(name)))
        assert remote.run(PATH=str(tools)) == "ran\n"
        part = remote.transfer / "large-1.2"
        content = part.read_bytes()
        part.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        remote.run(code=1, PATH=str(tools))
        assert "missing or damaged" in remote.errors

    def test_a_user_runs_the_script_again_after_the_session(self, remote: Remote) -> None:
        remote.run()
        shutil.rmtree(remote.transfer)
        assert remote.run(REFRAME_FIRECREST_BY_HAND="1") == "ran\n"
        (remote.directory / ODD).unlink()
        assert "No such file" in remote.run(code=1, REFRAME_FIRECREST_BY_HAND="1") + remote.errors

    def test_a_requeued_job_unpacks_again(self, remote: Remote) -> None:
        remote.run(f"echo more >> '{ODD}'".replace("it's", "it'\\''s"))
        assert remote.run(SLURM_RESTART_COUNT="1") == "ran\n"
        assert (remote.directory / ODD).read_bytes() == CONTENT


class TestFailures:
    @pytest.mark.parametrize("shell", SHELLS)
    @pytest.mark.parametrize("once", [False, True])
    @pytest.mark.parametrize("damage", ["missing", "changed", "short", "long", "swapped", "last"])
    def test_a_damaged_part_is_reported_and_no_command_runs(
        self, remote: Remote, damage: str, once: bool, shell: str
    ) -> None:
        remote.shell = shell
        remote.wanted = [remote.unpacking({ODD: (f"0/{ODD}", 0o640, OLD)}, once=once)]
        first, second = remote.transfer / "large-1.1", remote.transfer / "large-1.2"
        content = first.read_bytes()
        if damage == "missing":
            first.unlink()
        elif damage == "last":
            (remote.transfer / remote.wanted[0].archive.parts[-1]).unlink()
        elif damage == "swapped":
            first.write_bytes(second.read_bytes())
            second.write_bytes(content)
        else:
            changed = bytes([content[0] ^ 1]) + content[1:]
            first.write_bytes({"changed": changed, "short": content[:-1], "long": content + b"x"}[damage])
        assert remote.run(code=1) == ""
        found = read_stage(listing(remote.directory), TOKEN)
        claims = read_claims(listing(remote.claims), TOKEN, found, prepares=True)
        assert not claims.started
        assert "a part is missing or damaged" in str(found.error)
        assert not (remote.directory / ODD).exists()
        assert not (remote.transfer / "once-1.lock").is_symlink()

    def test_a_failure_to_unpack_is_reported(self, remote: Remote) -> None:
        path = remote.tool("tar", "#!/bin/sh\necho no space >&2; exit 2\n")
        remote.run(code=1, PATH=path)
        assert "no space" in str(read_stage(listing(remote.directory), TOKEN).error)

    def test_an_archive_of_which_less_comes_out_is_noticed(self, remote: Remote) -> None:
        path = remote.tool("tar", "#!/bin/sh\ncat >/dev/null\n")
        remote.run(code=1, PATH=path)
        assert read_stage(listing(remote.directory), TOKEN).error


class TestOnce:
    def tasks(self, remote: Remote, body: str, count: int, path: str = "") -> list[tuple[int, str, str]]:
        processes = [
            remote.start(
                body,
                SLURM_JOB_ID=str(20 + task),
                SLURM_ARRAY_JOB_ID="12",
                SLURM_ARRAY_TASK_ID=str(task),
                PATH=path or os.environ["PATH"],
            )
            for task in range(count)
        ]
        return [(process.wait(), *process.communicate(timeout=60)) for process in processes]

    @pytest.mark.parametrize("shell", SHELLS)
    def test_of_several_tasks_one_unpacks_and_all_have_the_files(self, remote: Remote, shell: str) -> None:
        remote.shell = shell
        remote.wanted = [remote.unpacking({"second": ("1/second", 0o640, OLD)}, once=True)]
        log = remote.here.parent / "log"
        path = remote.tool("tar", f'#!/bin/sh\necho unpacked >> {log}\nexec /bin/tar "$@"\n')
        done = self.tasks(remote, "wc -c < second; echo x >> second", 4, path)
        assert [code for code, _, _ in done] == [0] * 4
        assert log.read_text() == "unpacked\n"
        # What a task adds is not undone by another one.
        assert (remote.directory / "second").stat().st_size == len(CONTENT) + 2 * 4

    def test_a_requeued_job_takes_over_its_own_lock_at_once(self, remote: Remote) -> None:
        remote.wanted = [remote.unpacking({"second": ("1/second", 0o640, OLD)}, once=True)]
        (remote.transfer / "once-1.lock").symlink_to("12")
        path = remote.tool("sleep", "#!/bin/sh\necho waited >&2\n")
        assert remote.run(PATH=path, SLURM_RESTART_COUNT="1") == "ran\n"
        assert "waited" not in remote.errors

    def test_the_lock_of_a_job_that_was_killed_is_ignored_after_a_while(
        self, remote: Remote, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(split_archive, "TAKE_OVER", 2)
        remote.wanted = [remote.unpacking({"second": ("1/second", 0o640, OLD)}, once=True)]
        (remote.transfer / "once-1.lock").symlink_to("99")
        assert remote.run() == "ran\n"
        assert (remote.directory / "second").read_bytes() == CONTENT[::-1]
        assert (remote.transfer / "once-1.done").is_symlink()

    def test_after_it_was_done_nothing_is_unpacked(self, remote: Remote) -> None:
        remote.wanted = [remote.unpacking({"second": ("1/second", 0o640, OLD)}, once=True)]
        remote.run()
        (remote.directory / "second").write_text("changed")
        remote.run(SLURM_RESTART_COUNT="1")
        assert (remote.directory / "second").read_text() == "changed"
