"""Recording modules by a job: what its script prints, and what is made of it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from reframe_firecrest.commands.detect.modules_facts import NoModulesSystemError, parse_modules
from reframe_firecrest.commands.detect.modules_jobs import (
    ModulesResult,
    ModulesSetup,
    ModulesTarget,
    modules_probe,
    modules_result,
    write_results,
)
from reframe_firecrest.commands.detect.modules_script import FACTS, ModuleStep, modules_script
from reframe_firecrest.commands.detect.modules_targets import modules_targets, modules_targets_of_survey
from reframe_firecrest.commands.detect.probes import ProbeResult
from reframe_firecrest.commands.targets import Target
from reframe_firecrest.model.errors import DetectionError
from reframe_firecrest.modules.snapshot import Snapshot
from reframe_firecrest.modules.snapshot_file import read_snapshots, write_snapshots
from tests.gateway.helpers import make_settings
from tests.modules.samples import GNU, PLAIN, TAKEN
from tests.modules_tree import modules_init
from tests.plugin.modules_site import write_site

GCC = ModuleStep("gcc/13.1", ("module load gcc/13.1",))
CLANG = ModuleStep("clang/15.0", ("module load clang/15.0",))
CORE = ("clang/15.0", "cmake/3.25", "gcc/12.2", "gcc/13.1")

SPACK = """\
spack() {
    case "$*" in
        -V) echo 0.23.1 ;;
        *--loaded*) echo gcc/12.2.0-abc ;;
        *) printf '%s\\n' gcc/12.2.0-abc fftw/3.3-abd ;;
    esac
}
"""

ENVMOD = """\
export MODULEPATH=/apps LOADEDMODULES=
unset LMOD_CMD LMOD_VERSION
module() {
    case $1 in
        -V) echo 'Modules Release 5.2.0 (2022-11-08)' >&2 ;;
        avail) printf '%s\\n' /apps: 'gcc/12.2(default)' gcc/13.1 >&2 ;;
        show) [[ $2 == gcc/12.2 ]] && printf '%s\\n' /apps/gcc/12.2: 'conflict        clang icc' >&2 ;;
        restore) export LOADEDMODULES=gcc/12.2 ;;
    esac
}
"""


def recorded(
    directory: Path,
    setup: str,
    steps: Sequence[ModuleStep | str] = (),
    *,
    wanted: str = "",
    resolve: bool = True,
) -> str:
    """Run the commands of the job; return what it has written."""
    script = modules_script(wanted, [setup], steps, resolve=resolve)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env={"PATH": "/usr/bin:/bin", "HOME": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return (directory / FACTS).read_text()


def parsed(text: str) -> Snapshot:
    return parse_modules(text, "cpu", "gcc", TAKEN)


class TestScript:
    def test_a_hierarchy_is_recorded_before_and_after(self, tmp_path: Path) -> None:
        setup = f"source {modules_init(tmp_path)}"
        found = parsed(recorded(tmp_path, setup, [GCC, "export X=1"], wanted="lmod"))
        assert (found.kind, found.key) == ("lmod", ("cpu", "gcc"))
        assert [name for name in found.before.available if not name.endswith("/")] == list(CORE)
        assert {"fftw/3.4", "openblas/0.3", *CORE} == {
            name for name in found.after.available if not name.endswith("/")
        }
        assert found.before.loaded == ()
        assert found.after.loaded == ("gcc/13.1",)
        assert [path.rpartition("/")[2] for path in found.after.modulepath] == ["13.1", "Core"]
        assert found.modules == ("gcc/13.1",)
        assert found.conflicts["clang/15.0"] == ("gcc",)
        assert found.conflicts["gcc/12.2"] == ("clang",)

    def test_conflicting_modules_are_unloaded_first_if_reframe_does_so(self, tmp_path: Path) -> None:
        setup = f"source {modules_init(tmp_path)}"
        resolved = parsed(recorded(tmp_path, setup, [GCC, CLANG]))
        assert [load.loaded for load in resolved.loads] == [("gcc/13.1",), ("clang/15.0",)]

    def test_without_resolution_no_module_is_inspected(self, tmp_path: Path) -> None:
        found = parsed(recorded(tmp_path, f"source {modules_init(tmp_path)}", [GCC], resolve=False))
        assert (found.modules, found.conflicts) == (("gcc/13.1",), {})

    def test_environment_modules(self, tmp_path: Path) -> None:
        collection = ModuleStep("mine", ("module restore mine",), collection=True)
        found = parsed(recorded(tmp_path, ENVMOD, [collection]))
        assert (found.kind, found.version) == ("envmod", "5.2.0")
        assert found.after.available == ("gcc/12.2", "gcc/13.1")
        assert found.after.modulepath == ("/apps",)
        assert [(load.module, load.loaded) for load in found.loads] == [("mine", ("gcc/12.2",))]
        assert found.conflicts == {"gcc/12.2": ("clang", "icc")}

    @pytest.mark.parametrize("wanted", ["", "spack"])
    def test_spack(self, wanted: str, tmp_path: Path) -> None:
        step = ModuleStep("gcc", ("spack load gcc",))
        found = parsed(recorded(tmp_path, SPACK, [step], wanted=wanted))
        assert (found.kind, found.version) == ("spack", "0.23.1")
        assert found.after.available == ("gcc/12.2.0-abc", "fftw/3.3-abd")
        assert found.after.loaded == ("gcc/12.2.0-abc",)
        assert found.conflicts == {}

    def test_a_module_that_is_not_loaded_is_named(self, tmp_path: Path) -> None:
        step = ModuleStep("nosuch/1", ("module load nosuch/1",))
        with pytest.raises(DetectionError, match="loading failed: nosuch/1; correct 'modules'"):
            parsed(recorded(tmp_path, f"source {modules_init(tmp_path)}", [step]))

    def test_no_modules_system_is_no_error_of_the_script(self, tmp_path: Path) -> None:
        with pytest.raises(NoModulesSystemError, match="neither 'module' nor 'spack'"):
            parsed(recorded(tmp_path, "bash() { return 1; }"))

    def test_a_modules_system_of_login_shells_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DetectionError, match="set 'use_login_shell' to True"):
            parsed(recorded(tmp_path, "bash() { return 0; }"))

    def test_loads_are_the_commands_that_reframe_writes(self) -> None:
        step = ModuleStep("a'b", ("module use /p", "module load a", "module unuse /p"))
        script = modules_script("envmod", ["x=1"], ["hello", step], resolve=False)
        assert "x=1\nrfm_find_kind\nrfm_note_state before\nhello\n" in script
        assert "module use /p && module load a && module unuse /p || rfm_note failed 'a'\"'\"'b'\n" in script
        assert "rfm_unload_conflicts '" not in script


GOOD = "kind:lmod\nversion:Modules based on Lua: Version 8.7.1  2022\nbefore.modulepath:/core\nend:\n"


class TestFacts:
    def test_messages_of_the_modules_system_are_no_modules(self) -> None:
        text = (
            GOOD
            + "after.available:gcc/12 (D)\nafter.available:Lmod Warning: old cache\nafter.available:$(id)\n"
        )
        assert parsed(text).after.available == ("gcc/12",)
        assert parsed(text).version == "8.7.1"

    @pytest.mark.parametrize("text", ["", "kind:lmod\n", "kind:lmod\nkind:lmod\nend:\n"])
    def test_an_incomplete_output_is_refused(self, text: str) -> None:
        with pytest.raises(DetectionError, match="the list of modules is incomplete"):
            parsed(text)

    def test_hostile_values_are_left_out(self) -> None:
        text = GOOD + (
            "load:gcc\nload.loaded:`id`\nload.loaded:gcc/1\ninspected:a;b\nconflict:c\n"
            'inspected:gcc\nconflict:("clang",\'icc\', "$x")\nafter.modulepath:/a:relative:/b$x\n'
        )
        found = parsed(text)
        assert found.loads[0].loaded == ("gcc/1",)
        assert found.conflicts == {"gcc": ("clang", "icc")}
        assert found.after.modulepath == ("/a",)


def target(directory: Path, partition: str = "cpu", **settings: object) -> Target:
    return Target("daint", partition, ("--partition=x",), make_settings(**settings), directory)


class TestTargets:
    def test_each_environment_of_each_partition_is_a_job(self, tmp_path: Path) -> None:
        site = write_site(tmp_path)
        # An existing snapshot may be what is wrong.
        (tmp_path / "daint.modules.json").write_text("{")
        found = modules_targets(site, [target(tmp_path), target(tmp_path, "gpu")])
        assert [each.name for each in found] == ["daint:cpu+plain", "daint:cpu+gnu", "daint:gpu+plain"]
        assert {each.file for each in found} == {tmp_path / "daint.modules.json"}
        setup = found[1].setup
        assert (setup.kind, setup.resolve, setup.login) == ("lmod", True, False)
        assert setup.steps == (
            "hello",
            ModuleStep("PrgEnv-gnu", ("module load PrgEnv-gnu",)),
            ModuleStep("gcc/13.1", ("module load gcc/13.1",)),
            "export X=$(touch expanded)",
        )

    def test_a_system_without_a_modules_system_has_none(self, tmp_path: Path) -> None:
        assert modules_targets(write_site(tmp_path, kind="nomod"), [target(tmp_path)]) == []

    def test_a_new_configuration_has_one_environment(self, tmp_path: Path) -> None:
        [found] = modules_targets_of_survey([target(tmp_path)], tmp_path / "new/site.py")
        assert (found.environ, found.setup) == ("builtin", ModulesSetup())
        assert found.file == tmp_path / "new/daint.modules.json"
        [other] = modules_targets_of_survey([target(tmp_path, modules_dir=str(tmp_path))], None)
        assert other.file == tmp_path / "daint.modules.json"

    def test_the_job_runs_as_those_of_tests_do(self, tmp_path: Path) -> None:
        setup = ModulesSetup("lmod", ("source init",), (GCC,), login=True)
        probe = modules_probe(ModulesTarget(target(tmp_path), "gnu", tmp_path / "f", setup))
        assert (probe.name, probe.facts) == ("daint:cpu+gnu", FACTS)
        head = probe.script.splitlines()[:3]
        assert head == ["#!/bin/bash -l", "#SBATCH --partition=x", "#SBATCH --job-name=rfm-modules-cpu"]


class TestResults:
    def result(self, directory: Path, text: str | None, kind: str = "lmod") -> ModulesResult:
        setup = ModulesSetup(kind)
        wanted = ModulesTarget(target(directory), "gnu", directory / "daint.modules.json", setup)
        return modules_result(wanted, ProbeResult(text, "" if text else "it did not start", "7"))

    @pytest.mark.parametrize(
        ("text", "kind", "reason", "absent"),
        [
            (GOOD, "lmod", "", False),
            (None, "lmod", "it did not start", False),
            (GOOD, "spack", "the job has lmod; set 'modules_system' to 'lmod'", False),
            ("kind:none\n", "lmod", "jobs on the system have neither 'module' nor 'spack'", False),
            ("kind:none\n", "", "jobs on the system have neither 'module' nor 'spack'", True),
            ("", "", "job 7: the list of modules is incomplete", False),
        ],
    )
    def test_each_outcome_has_its_reason(
        self, text: str | None, kind: str, reason: str, absent: bool, tmp_path: Path
    ) -> None:
        found = self.result(tmp_path, text, kind)
        assert (found.reason, found.absent) == (reason, absent)
        assert (found.snapshot is None) is bool(reason)

    def test_what_failed_keeps_its_last_snapshot_and_what_is_not_defined_any_more_goes(
        self, tmp_path: Path
    ) -> None:
        good = self.result(tmp_path, GOOD)
        failed = ModulesResult(ModulesTarget(target(tmp_path), "plain", good.target.file), reason="no")
        gone = Snapshot("cpu", "gone", TAKEN, "lmod", "1", GNU.before, (), GNU.before)
        write_snapshots(good.target.file, "daint", [PLAIN, gone])
        write_results([good, failed], [good.target, failed.target])
        assert [each.key for each in read_snapshots(good.target.file)] == [("cpu", "gnu"), ("cpu", "plain")]

    def test_a_damaged_file_is_replaced_and_without_results_nothing_is_written(self, tmp_path: Path) -> None:
        good = self.result(tmp_path, GOOD)
        good.target.file.write_text("{")
        write_results([ModulesResult(good.target, reason="no")], [good.target])
        assert good.target.file.read_text() == "{"
        write_results([good], [good.target])
        assert [each.key for each in read_snapshots(good.target.file)] == [("cpu", "gnu")]
