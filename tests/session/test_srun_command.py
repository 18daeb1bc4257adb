from __future__ import annotations

import pytest

from reframe_firecrest.session.srun_command import needs_cpus_per_task, without_cpus_per_task

SCRIPT = """#!/bin/bash
#SBATCH --cpus-per-task=4
srun --cpus-per-task=4 ./a.out --cpus-per-task=4
srun --cpus-per-task=4 --export=A=1 ./b.out
srun --cpus-per-task=48 ./other
mysrun --cpus-per-task=4 ./mine
"""


@pytest.mark.parametrize(
    ("version", "needed"),
    [((20, 11, 9), False), ((21, 8, 8), False), ((22, 5), True), ((22, 5, 8), True), ((24, 11), True)],
)
def test_srun_gets_the_cpus_from_slurm_22_05_on(version: tuple[int, ...], needed: bool) -> None:
    assert needs_cpus_per_task(version) is needed


def test_where_the_version_is_not_known_srun_gets_the_cpus() -> None:
    assert needs_cpus_per_task(None)
    assert without_cpus_per_task(SCRIPT, 4, None) == SCRIPT


def test_a_script_for_an_older_slurm_loses_what_the_launcher_wrote_and_nothing_else() -> None:
    assert (
        without_cpus_per_task(SCRIPT, 4, (21, 8))
        == """#!/bin/bash
#SBATCH --cpus-per-task=4
srun ./a.out --cpus-per-task=4
srun --export=A=1 ./b.out
srun --cpus-per-task=48 ./other
mysrun --cpus-per-task=4 ./mine
"""
    )


def test_a_script_for_a_newer_slurm_stays_as_it_is() -> None:
    assert without_cpus_per_task(SCRIPT, 4, (23, 2)) == SCRIPT
