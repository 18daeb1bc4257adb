"""Additions to a job script, executed by a real shell in an environment like Slurm's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from reframe_firecrest.model.remote_file import FileKind, RemoteFile
from reframe_firecrest.staging.inspection import digest_of
from reframe_firecrest.staging.markers import UNKNOWN, Changes, Markers, read_claims, read_stage
from reframe_firecrest.staging.pack import SentStat
from reframe_firecrest.staging.prologue import BY_HAND, Prologue, with_prologue
from reframe_firecrest.staging.shared_inputs import InputContent

TOKEN = "0123456789abcdef" * 2
OLD = 1_600_000_000
SHELLS = ["bash", "dash"]


class Job:
    """A stage directory with a job script in it, the directory of claims, and a store of inputs."""

    def __init__(self, path: Path) -> None:
        self.claims, self.directory = path / ".transfer/claims", path / "it's a [stage] dir"
        self.store = path / ".transfer/inputs"
        for made in (self.claims, self.directory, self.store):
            made.mkdir(parents=True)
        self.shared: dict[str, tuple[InputContent, SentStat]] = {}
        self.truncates = False
        self.shell = "bash"

    def share(self, name: str, text: str) -> Path:
        source = self.store / "source"
        source.write_text(text)
        content = InputContent(digest_of(str(source)), name)
        place = self.store / content.place
        place.parent.mkdir(exist_ok=True)
        source.rename(place)
        self.shared[name] = content, SentStat(len(text), OLD)
        return place

    def send(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (OLD, OLD))
        return path

    def prologue(self) -> Prologue:
        return Prologue(
            TOKEN, str(self.claims), str(self.directory), str(self.store), self.shared, self.truncates
        )

    def run(
        self,
        body: str,
        job_id: str = "12",
        slurm: Mapping[str, str] | None = None,
        directives: str = "",
        code: int = 0,
    ) -> str:
        """Run the script as a job; return its standard output."""
        script = with_prologue(f"#!/bin/bash\n{directives}\n{body}\n".encode(), self.prologue())
        path = self.directory.parent / "slurm_script"
        path.write_bytes(script)
        environment = {"PATH": os.environ["PATH"], **({"SLURM_JOB_ID": job_id} if job_id else {})}
        done = subprocess.run(
            [*self.shell.split(), path],
            cwd=self.directory,
            env={**environment, **(slurm or {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.errors = done.stderr
        assert done.returncode == code, done.stderr
        return done.stdout

    def markers(self, *, claims: bool = True) -> Markers:
        found = read_stage(listing(self.directory), TOKEN)
        prepares = bool(self.shared)
        return read_claims(listing(self.claims), TOKEN, found, prepares=prepares) if claims else found

    def hidden(self, *tasks: str) -> Changes:
        return self.markers().hidden_changes(tasks or [""])


def listing(directory: Path) -> list[RemoteFile]:
    return [
        RemoteFile(item.name, FileKind.LINK, 0, "", str(item.readlink()))
        for item in directory.iterdir()
        if item.is_symlink()
    ]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


class TestClaim:
    @pytest.mark.parametrize("shell", SHELLS)
    def test_a_second_job_of_one_submission_ends_without_a_trace(self, job: Job, shell: str) -> None:
        job.shell = shell
        body = "echo ran >> log; echo ran"
        assert job.run(body, "12") == "ran\n"
        before = sorted(path.name for path in job.directory.iterdir())
        assert job.run(body, "13") == ""
        assert job.errors == ""
        assert (job.directory / "log").read_text() == "ran\n"
        assert sorted(path.name for path in job.directory.iterdir()) == before
        assert job.markers() == Markers("12", started=True, changes={"": "searched"})

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({}, {"SLURM_RESTART_COUNT": "1"}),
            (
                {"SLURM_JOB_ID": "13", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "0"},
                {"SLURM_JOB_ID": "12", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "1"},
            ),
            (
                {"SLURM_JOB_ID": "12", "SLURM_HET_JOB_ID": "12"},
                {"SLURM_JOB_ID": "13", "SLURM_HET_JOB_ID": "12"},
            ),
        ],
        ids=["requeue", "array", "heterogeneous"],
    )
    def test_a_job_enters_again_whatever_part_of_it(
        self, job: Job, first: dict[str, str], second: dict[str, str]
    ) -> None:
        assert job.run("echo ran", slurm=first) == "ran\n"
        assert job.run("echo ran", slurm=second) == "ran\n"
        assert job.markers().holder == "12"

    def test_jobs_that_start_at_the_same_time_run_once(self, job: Job) -> None:
        script = job.directory.parent / "slurm_script"
        script.write_bytes(with_prologue(b"#!/bin/bash\necho $SLURM_JOB_ID >> log\n", job.prologue()))
        started = [
            subprocess.Popen(["bash", script], cwd=job.directory, env={**os.environ, "SLURM_JOB_ID": str(n)})
            for n in range(1, 9)
        ]
        assert [process.wait(60) for process in started] == [0] * 8
        [holder] = (job.directory / "log").read_text().split()
        assert job.markers().holder == holder

    @pytest.mark.parametrize("wipe", ["rm -rf .[!.]*", 'cd ..; rm -rf "$OLDPWD"', "git clean -qfdx"])
    def test_the_claim_survives_what_a_job_does_in_its_directory(self, job: Job, wipe: str) -> None:
        subprocess.run(["git", "init", "-q", job.directory], check=True)
        job.run(wipe)
        job.directory.mkdir(exist_ok=True)
        assert job.markers(claims=False).holder is None
        assert job.run("echo ran", "13") == ""
        assert job.markers().holder == "12"
        assert job.markers().started

    def test_a_submission_that_was_given_up_runs_nothing(self, job: Job) -> None:
        (job.claims / TOKEN).mkdir()
        assert job.run("echo ran") == ""
        assert list((job.claims / TOKEN).iterdir()) == []
        assert list(job.directory.iterdir()) == []

    def test_after_the_run_nothing_can_be_claimed_but_a_user_may_run_the_script(self, job: Job) -> None:
        job.claims.rmdir()
        assert job.run("echo ran", code=1) == ""
        assert BY_HAND in job.errors
        assert job.run("echo ran", slurm={BY_HAND: "1"}) == "ran\n"
        assert job.run("echo ran", job_id="") == "ran\n"

    def test_a_claim_that_can_not_be_made_is_reported_by_its_absence(self, job: Job) -> None:
        tools = job.directory.parent / "bin"
        tools.mkdir()
        (tools / "ln").symlink_to("/bin/false")
        (tools / "sleep").symlink_to("/bin/true")
        assert job.run("echo ran", slurm={"PATH": f"{tools}:{os.environ['PATH']}"}) == ""
        assert job.markers() == Markers(changes={})


class TestOutput:
    def redirected(self, job: Job, body: str, **slurm: str) -> str:
        out = job.directory / "job.out"
        script = with_prologue(f"#!/bin/bash\n{body}\n".encode(), job.prologue())
        with out.open("a") as file:
            environment = {**os.environ, "SLURM_JOB_ID": "12", **slurm}
            subprocess.run(["bash", "-c", script], stdout=file, env=environment, check=True, timeout=60)
        return out.read_text()

    def test_a_requeued_job_begins_its_output_anew(self, job: Job) -> None:
        (job.directory / "job.out").write_text("printed by a prolog\n")
        assert self.redirected(job, "echo first") == "printed by a prolog\nfirst\n"
        assert self.redirected(job, "echo second", SLURM_RESTART_COUNT="1") == "second\n"

    def test_output_of_an_earlier_job_is_not_added_to(self, job: Job) -> None:
        (job.directory / "job.out").write_text("of an earlier job\n")
        job.truncates = True
        assert self.redirected(job, "echo new") == "new\n"

    def test_a_script_that_appends_appends(self, job: Job) -> None:
        job.truncates = True
        script = with_prologue(b"#!/bin/bash\n#SBATCH --open-mode=append\n\necho\n", job.prologue())
        assert script.count(b"open-mode") == 1
        assert b"/proc/$$/fd" not in script

    @pytest.mark.parametrize("directive", ["", "#SBATCH --open-mode=truncate"])
    def test_slurm_itself_truncates_nothing(self, job: Job, directive: str) -> None:
        lines = with_prologue(f"#!/bin/bash\n{directive}\n\necho\n".encode(), job.prologue()).split(b"\n")
        modes = [line for line in lines if b"--open-mode" in line]
        assert modes[-1] == b"#SBATCH --open-mode=append"

    def test_the_first_component_of_a_heterogeneous_job_has_the_output(self, job: Job) -> None:
        script = b"#!/bin/bash\n#SBATCH -n 1\n#SBATCH hetjob\n#SBATCH -n 2\n\necho\n"
        lines = with_prologue(script, job.prologue()).split(b"\n")
        assert lines[:4] == [*script.split(b"\n")[:2], b"#SBATCH --open-mode=append", b"#SBATCH hetjob"]

    @pytest.mark.parametrize(("directive", "seen"), [("", "unset"), ("#SBATCH --open-mode=t", "t")])
    def test_steps_open_their_files_as_without_us(self, job: Job, directive: str, seen: str) -> None:
        # sbatch hands its own mode to each srun by this variable.
        body = "echo ${SLURM_OPEN_MODE-unset}"
        assert job.run(body, slurm={"SLURM_OPEN_MODE": "a"}, directives=directive) == f"{seen}\n"


class TestCopying:
    @pytest.mark.parametrize("shell", SHELLS)
    def test_a_copy_that_fails_is_reported_as_such(self, job: Job, shell: str) -> None:
        job.shell = shell
        job.share("data", "shared").unlink()
        assert job.run("echo ran", code=1) == ""
        found = job.markers(claims=False)
        assert not found.started
        assert "No such file or directory" in str(found.error)
        assert job.markers().error == found.error

    def test_a_job_that_ends_while_it_copies_shows_no_start(self, job: Job) -> None:
        job.share("data", "shared")
        tools = job.directory.parent / "bin"
        tools.mkdir()
        (tools / "cp").write_text("#!/bin/sh\nkill -KILL $(ps -o ppid= -p $PPID)\n")
        (tools / "cp").chmod(0o755)
        job.run("echo ran", slurm={"PATH": f"{tools}:{os.environ['PATH']}"}, code=-9)
        assert (job.markers().holder, job.markers().started) == ("12", False)

    def test_copied_inputs_do_not_count_as_changes(self, job: Job) -> None:
        job.share("data", "shared")
        assert job.run("cat data") == "shared"
        assert job.hidden() == Changes()

    def test_a_requeue_that_copies_reports_no_old_error(self, job: Job) -> None:
        place = job.share("data", "shared")
        place.rename(job.store / "away")
        job.run("", code=1)
        (job.store / "away").rename(place)
        assert job.run("echo ran", slurm={"SLURM_RESTART_COUNT": "1"}) == "ran\n"
        assert (job.markers().error, job.markers().started) == (None, True)


class TestChanges:
    @pytest.mark.parametrize("shell", SHELLS)
    @pytest.mark.parametrize(
        "change",
        [
            "printf 'BBBB\\n' > state; touch -r input state",
            "cp -p other state",
            "mv other state",
            "t=$(stat -c %y state); printf 'BBBB\\n' > state; touch -d \"$t\" state",
        ],
    )
    def test_a_change_that_keeps_size_and_time_is_found(self, job: Job, change: str, shell: str) -> None:
        job.shell = shell
        for name in ("state", "other"):
            job.send(name, "AAAA\n")
        job.send("input", "of another size")
        job.run(change)
        assert job.hidden().suspects({"state": 5, "input": 15}) == {"state"}

    def test_directories_that_change_places_are_found(self, job: Job) -> None:
        for name in ("a", "b"):
            job.send(f"{name}/deep/case", name)
        job.send("a/other", "other")
        job.run("mv a c; mv b a; mv c b")
        sizes = {"a/deep/case": 1, "b/deep/case": 1, "a/other": 5, "case": 2}
        assert job.hidden().suspects(sizes) == {"a/deep/case", "b/deep/case"}

    def test_an_ordinary_job_reports_none(self, job: Job) -> None:
        job.send("input", "in")
        job.run("cat input; echo result > result; mkdir made; echo > made/file")
        assert job.hidden().suspects({"input": 2, "src/file": 7}) == set()

    @pytest.mark.parametrize("body", ["exec true", "trap : EXIT", "kill -KILL $$", 'rm -rf "$PWD"'])
    def test_a_job_that_can_not_report_has_everything_fetched(self, job: Job, body: str) -> None:
        job.run(body, code=-9 if "KILL" in body else 0)
        job.directory.mkdir(exist_ok=True)
        assert job.hidden() == UNKNOWN

    def test_many_changes_have_everything_fetched(self, job: Job) -> None:
        for number in range(300):
            job.send(f"f{number}", "x" * number)
        job.run("chmod +x f*")
        assert job.hidden() == UNKNOWN

    def test_every_task_of_an_array_has_to_report(self, job: Job) -> None:
        for task in ("0", "1"):
            job.run("", slurm={"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": task})
        assert job.hidden("0", "1") == Changes()
        assert job.hidden("0", "1", "2") == UNKNOWN

    @pytest.mark.parametrize("shell", [*SHELLS, "bash --posix"])
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ("exit 3", 3),
            ("set -eu; false", 1),
            ("set -eu; echo $unset", None),
            ("set -x; true; exit 4", 4),
            ("unset PATH SLURM_JOB_ID; IFS=/; set -f; exit 5", 5),
            ("exec >&- 2>&-; exit 6", 6),
            ("set -C; cd /; exit 7", 7),
        ],
    )
    def test_the_search_changes_neither_exit_code_nor_output(
        self, job: Job, body: str, code: int | None, shell: str
    ) -> None:
        alone = subprocess.run([*shell.split(), "-c", body], capture_output=True, text=True, check=False)
        job.shell = shell
        assert job.run(body, code=alone.returncode) == alone.stdout
        assert code in (None, alone.returncode)
        assert len(job.errors.splitlines()) == len(alone.stderr.splitlines())
        assert job.hidden() == Changes()

    def test_options_and_traps_of_bash_do_not_show_the_search(self, job: Job) -> None:
        body = "set -Eeuo pipefail; trap 'echo failed' ERR; trap 'echo returned' RETURN; set -T; true"
        assert job.run(body) == ""
        assert job.errors == ""
        assert job.hidden() == Changes()

    def test_what_stands_in_a_directory_that_can_not_be_read_is_not_looked_for(self, job: Job) -> None:
        (job.directory / "secret").mkdir()
        job.run("chmod 000 secret")
        (job.directory / "secret").chmod(0o755)
        assert not job.hidden().everything
