from __future__ import annotations

from types import SimpleNamespace

import pytest

from reframe_firecrest.plugin.launcher import FirecrestSrun


def job(cpus: int | None = 4, version: tuple[int, ...] | None = (23, 2)) -> SimpleNamespace:
    return SimpleNamespace(num_cpus_per_task=cpus, scheduler=SimpleNamespace(scheduler_version=version))


@pytest.mark.parametrize(
    ("cpus", "version", "command"),
    [
        (4, (23, 2), "srun --cpus-per-task=4"),
        (4, (21, 8), "srun"),
        (4, None, "srun --cpus-per-task=4"),
        (None, (23, 2), "srun"),
    ],
)
def test_the_command_is_the_one_for_the_gateways_slurm(
    cpus: int | None, version: tuple[int, ...] | None, command: str
) -> None:
    assert " ".join(FirecrestSrun().command(job(cpus, version))) == command


def test_a_test_may_turn_the_cpus_off_as_with_reframes_launcher() -> None:
    launcher = FirecrestSrun()
    launcher.use_cpus_per_task = False
    assert launcher.command(job()) == ["srun"]


def test_variables_of_the_launcher_reach_srun() -> None:
    launcher = FirecrestSrun()
    launcher.env_vars = {"OMP_PLACES": "cores", "A": "1"}
    assert launcher.command(job(None)) == ["srun", "--export=OMP_PLACES=cores,A=1"]


def test_options_of_a_test_follow_the_command() -> None:
    launcher = FirecrestSrun()
    launcher.options = ["--exclusive"]
    assert launcher.run_command(job()) == "srun --cpus-per-task=4 --exclusive"


def test_no_srun_is_looked_for_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert FirecrestSrun().command(job())[0] == "srun"
