"""Questions about a remote system's modules are answered from snapshots, and nothing runs here."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import reframe.core.runtime as rt
from reframe.core.environments import Environment
from reframe.core.exceptions import ConfigError, EnvironError
from reframe.core.modules import LModImpl
from reframe.utility import find_modules

from reframe_firecrest.modules.changes import VARIABLE
from reframe_firecrest.plugin import modules_selection, remote_modules
from reframe_firecrest.plugin.environments import emit_environment
from reframe_firecrest.plugin.remote_modules import NoSnapshotError, commands_of_run
from tests.modules.samples import CORE, SNAPSHOTS
from tests.plugin.modules_site import now, running, write_site


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every command fail, and `$(command)` leave a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("LMOD_CMD", raising=False)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path, [replace(each, taken=now()) for each in SNAPSHOTS])


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []

    class Logger:
        def warning(self, message: str, cache: bool = False) -> None:
            if not (cache and message in said):
                said.append(message)

    for module in (modules_selection, remote_modules):
        monkeypatch.setattr(module, "getlogger", Logger)
    return said


def environs_of(runtime: Any, partition: int, environ: int) -> list[Any]:
    found = runtime.system.partitions[partition]
    return [found.local_env, found.environs[environ]]


class TestQuestions:
    def test_find_modules_finds_those_of_each_partition_and_environment(self, site: Path) -> None:
        before = dict(os.environ)
        with running(site):
            assert list(find_modules("fftw")) == [("daint:cpu", "gnu", "fftw/3.4")]
            assert list(find_modules("c"))[-1] == ("daint:gpu", "plain", "cuda/12")
            assert [each[:2] for each in find_modules("cmake")] == [
                ("daint:cpu", "plain"),
                ("daint:cpu", "gnu"),
            ]
        assert dict(os.environ) == before
        assert not Path("expanded").exists()

    def test_the_modules_system_is_the_remote_one(self, site: Path) -> None:
        with running(site) as runtime:
            system = runtime.modules_system
            assert (system.name, system.version) == ("lmod", "8.6.19")
            assert system.available_modules() == list(CORE)
            assert system.loaded_modules() == ["cce/15", "PrgEnv-cray/8"]
            assert system.is_module_loaded("PrgEnv-cray")
            assert system.searchpath == ["/core"]
            assert system.conflicted_modules("gcc/13.1") == ["gcc"]
            assert system.conflicted_modules("mine", collection=True) == []

    def test_modules_that_a_test_loads_change_the_answers_and_nothing_here(self, site: Path) -> None:
        before = {name: value for name, value in os.environ.items() if name != VARIABLE}
        with running(site) as runtime:
            system = runtime.modules_system
            assert system.load_module("PrgEnv-gnu", force=True) == [("PrgEnv-gnu", ["PrgEnv-cray"])]
            system.load_module("gcc/13.1", force=True)
            assert system.available_modules("fftw") == ["fftw/3.4"]
            system.unload_module("gcc")
            assert system.loaded_modules() == ["PrgEnv-gnu/8"]
            system.unload_all()
            assert system.loaded_modules() == []
            assert {name: value for name, value in os.environ.items() if name != VARIABLE} == before
        assert VARIABLE not in os.environ

    def test_the_selected_partition_is_asked(self, site: Path) -> None:
        with running(site) as runtime:
            with rt.temp_config("daint:gpu"):
                assert runtime.modules_system.available_modules() == ["cuda/12"]
            assert runtime.modules_system.available_modules() == list(CORE)
        with running(site, "daint:gpu") as runtime:
            assert runtime.modules_system.available_modules("cuda") == ["cuda/12"]

    def test_an_effect_that_no_job_has_seen_is_reported_once(self, site: Path, warnings: list[str]) -> None:
        with running(site) as runtime:
            runtime.modules_system.load_module("other/1")
            runtime.modules_system.searchpath_add("/mine")
            assert runtime.modules_system.searchpath == ["/mine", "/core"]
            for _ in range(2):
                assert runtime.modules_system.available_modules() == list(CORE)
        [warning] = warnings
        assert "module load other/1, module use /mine is unknown" in warning
        assert "reframe-firecrest detect --config" in warning

    def test_other_commands_are_refused(self, site: Path) -> None:
        with running(site) as runtime, pytest.raises(EnvironError, match="'module spider' does not run"):
            runtime.modules_system.execute("spider", "gcc")

    def test_conflicts_that_were_not_inspected_are_reported(self, site: Path, warnings: list[str]) -> None:
        with running(site) as runtime:
            runtime.modules_system.load_module("slow/1", force=True)
        assert "conflicts of module slow/1 on daint are unknown" in warnings[0]


class TestScripts:
    def emitted(self, site: Path, partition: int = 0, environ: int = 1, **options: Any) -> list[str]:
        with running(site, **options) as runtime:
            environs = [*environs_of(runtime, partition, environ), Environment("test", ["gcc/12.2", "m"])]
            return emit_environment(environs, runtime.modules_system)

    def test_conflicting_modules_are_unloaded_as_natively(self, site: Path) -> None:
        assert self.emitted(site) == [
            "hello",
            "module unload PrgEnv-cray",
            "module load PrgEnv-gnu",
            "module unload gcc",
            "module load gcc/13.1",
            "export X=$(touch expanded)",
            "module unload gcc",
            "module load gcc/12.2",
            "module load m",
        ]

    def test_module_mappings_are_applied(self, site: Path) -> None:
        with running(site) as runtime:
            runtime.modules_system.load_mapping("m: real/1 real/2")
            environs = [*environs_of(runtime, 0, 0), Environment("test", ["m"])]
            commands = emit_environment(environs, runtime.modules_system)
        assert commands == ["module load real/1", "module load real/2"]

    def test_without_resolution_modules_are_only_loaded(self, site: Path) -> None:
        commands = self.emitted(site, resolve_module_conflicts=False)
        assert [command for command in commands if command.startswith("module")] == [
            "module load PrgEnv-gnu",
            "module load gcc/13.1",
            "module load gcc/12.2",
            "module load m",
        ]

    def test_without_a_snapshot_modules_are_only_loaded_with_one_warning(
        self, tmp_path: Path, warnings: list[str]
    ) -> None:
        commands = self.emitted(write_site(tmp_path))
        assert "module load gcc/13.1" in commands
        assert not [command for command in commands if "unload" in command]
        [warning] = warnings
        assert warning.startswith(
            "conflicts of modules are not resolved: daint:cpu+gnu: there is no snapshot"
        )
        assert warning.endswith("or set 'resolve_module_conflicts' to False")

    @pytest.mark.parametrize(
        ("kind", "module", "commands"),
        [
            ("lmod", {"name": "a", "path": "/p"}, ["module use /p", "module load a"]),
            ("envmod", {"name": "a", "path": "/p"}, ["module use /p", "module load a", "module unuse /p"]),
            ("envmod", {"name": "a", "collection": True}, ["module restore a"]),
            ("tmod4", {"name": "a"}, ["module load a"]),
            ("spack", {"name": "a"}, ["spack load a"]),
            ("nomod", {"name": "a"}, []),
        ],
    )
    def test_every_modules_system_has_its_own_commands(
        self, kind: str, module: dict[str, Any], commands: list[str], tmp_path: Path
    ) -> None:
        recorded = "envmod" if kind == "tmod4" else kind
        snapshots = [] if kind == "nomod" else [replace(each, kind=recorded) for each in SNAPSHOTS]
        with running(write_site(tmp_path, snapshots, kind)) as runtime:
            environs = [*environs_of(runtime, 0, 0), Environment("test", [module])]
            assert emit_environment(environs, runtime.modules_system) == commands

    def test_changes_of_the_whole_run_are_made_by_each_job(self, site: Path) -> None:
        with running(site) as runtime:
            system = runtime.modules_system
            system.unload_all()
            system.searchpath_add("/mine")
            system.load_module("tool/1", force=True)
            system.unload_module("gcc")
            emit_environment(environs_of(runtime, 0, 1), system)
            assert commands_of_run(system) == [
                "module --force purge",
                "module use /mine",
                "module load tool/1",
                "module unload gcc",
            ]

    def test_purging_is_written_for_each_modules_system(self, tmp_path: Path) -> None:
        with running(write_site(tmp_path, kind="envmod")) as runtime:
            runtime.modules_system.unload_all()
            assert commands_of_run(runtime.modules_system) == ["module purge"]


class TestSelection:
    def test_without_a_snapshot_a_question_ends_the_program_in_one_line(self, tmp_path: Path) -> None:
        site = write_site(tmp_path)
        with running(site) as runtime:
            for ask in (
                runtime.modules_system.available_modules,
                runtime.modules_system.loaded_modules,
                lambda: runtime.modules_system.searchpath,
                lambda: runtime.modules_system.conflicted_modules("a"),
                lambda: list(find_modules("gcc")),
            ):
                with pytest.raises(NoSnapshotError) as caught:
                    ask()
                message = str(caught.value)
                assert f"there is no snapshot of its modules in {tmp_path}/daint.modules.json; " in message
                assert message.endswith(f"run: reframe-firecrest detect --config {site} --modules")
                assert "\n" not in message
                assert isinstance(caught.value, SystemExit)
                assert caught.value.code == message

    def test_a_snapshot_of_other_modules_is_no_answer(self, tmp_path: Path) -> None:
        gnu = replace(SNAPSHOTS[0], loads=SNAPSHOTS[0].loads[:1])
        with running(write_site(tmp_path, [gnu, *SNAPSHOTS[1:]])), pytest.raises(NoSnapshotError) as caught:
            list(find_modules("fftw"))
        assert "taken with other modules (PrgEnv-gnu; now: PrgEnv-gnu gcc/13.1)" in str(caught.value)

    def test_other_systems_keep_their_modules_system(
        self, site: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # ReFrame looks for Lmod on this machine.
        with pytest.raises(ConfigError, match="could not find a sane Lmod installation"):
            rt.temp_runtime(str(site), "laptop")
        with running(site, "laptop", resolve_module_conflicts=False) as runtime:
            assert type(runtime.modules_system.backend) is LModImpl
            assert commands_of_run(runtime.modules_system) == []

    def test_an_old_snapshot_is_reported_when_the_system_is_chosen(
        self, tmp_path: Path, warnings: list[str]
    ) -> None:
        snapshots = [replace(each, taken=now() - timedelta(days=2)) for each in SNAPSHOTS]
        cases: dict[str, dict[str, Any]] = {"default": {}, "set": {"modules_max_age": 86_400}}
        for name, options in cases.items():
            assert warnings == []
            (tmp_path / name).mkdir()
            with running(write_site(tmp_path / name, snapshots, **options)):
                pass
        [warning] = warnings
        assert "daint.modules.json is 2 d old; for a new one, run: reframe-firecrest detect" in warning

    def test_the_directory_of_the_snapshots_can_be_set(
        self, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "cache").mkdir()
        (tmp_path / "daint.modules.json").rename(tmp_path / "cache/daint.modules.json")
        monkeypatch.setenv("FIRECREST_MODULES_DIR", "cache")
        with running(site) as runtime:
            assert runtime.modules_system.available_modules("cmake") == ["cmake/3.25"]

    def test_a_snapshot_of_another_modules_system_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(
            ConfigError, match="has modules of 'lmod', but 'modules_system' of daint is 'spack'"
        ):
            rt.temp_runtime(str(write_site(tmp_path, SNAPSHOTS, "spack")), "daint")

    def test_a_damaged_snapshot_is_refused(self, site: Path, tmp_path: Path) -> None:
        (tmp_path / "daint.modules.json").write_text("{")
        with pytest.raises(ConfigError, match="is not a valid snapshot of modules"):
            rt.temp_runtime(str(site), "daint")

    def test_without_a_modules_system_nothing_is_found_with_a_warning(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said: list[str] = []
        monkeypatch.setattr("reframe.core.modules.NoModImpl._warn", lambda _self, text: said.append(text))
        with running(write_site(tmp_path, kind="nomod")):
            assert list(find_modules("gcc")) == []
        assert said.count("no modules are found on the remote system") == 3
        assert "module 'gcc' will not be loaded" in said
        assert not Path("expanded").exists()
