"""The parts of a job as its script defines them; every case was tried with the sbatch of Slurm 22.05."""

from __future__ import annotations

import pytest

from reframe_firecrest.model.directives import access_options, shape_of, tasks_of
from reframe_firecrest.model.job_shape import SINGLE


def script(*lines: str) -> str:
    return "\n".join(["#!/bin/bash", *lines, "hostname", ""])


@pytest.mark.parametrize(
    ("line", "tasks"),
    [
        ("#SBATCH --array=1-2", {1, 2}),
        ("#SBATCH --array 1-2", {1, 2}),
        ("#SBATCH -a1-2", {1, 2}),
        ("#SBATCH -a 1-2", {1, 2}),
        ("#SBATCH --arr=1-2", {1, 2}),
        ("#SBATCH --ar=4", {4}),
        ("#SBATCH -Ha 1-2", {1, 2}),
        ("#SBATCH -Ha1-2", {1, 2}),
        ("#SBATCH\t--array=1-2", {1, 2}),
        ("#SBATCH --array=1-2 # a comment", {1, 2}),
        ('#SBATCH --array="1-2"', {1, 2}),
        ('#SBATCH -n1 --array=" 1-2"', {1, 2}),
        ("#SBATCH --array [1-2,5]", {1, 2, 5}),
        ("#SBATCH --array=3 --array=1-2", {1, 2}),
        ("#SBATCH --array=1-2\n#SBATCH -a 5", {5}),
        ("#SBATCH\n# a comment\n\n#SBATCH -a7", {7}),
        ("#SBATCH -J array --array=1", {1}),
    ],
)
def test_the_tasks_of_an_array_are_read_from_the_script(line: str, tasks: set[int]) -> None:
    assert shape_of(script(line)).tasks == tasks


@pytest.mark.parametrize(
    "line",
    [
        "",
        "  #SBATCH --array=1-2",
        "# SBATCH --array=1-2",
        "true\n#SBATCH --array=1-2",
        "#SBATCH --comment --array=1",
        "#SBATCH -J -a1",
        "#SBATCH -pa1",
        "#SBATCH --account=a --acctg-freq=1",
    ],
)
def test_what_sbatch_does_not_take_for_an_array_is_none(line: str) -> None:
    assert shape_of(script(line)) == SINGLE


@pytest.mark.parametrize(
    ("value", "tasks"),
    [
        ("7", {7}),
        ("0-9:3", {0, 3, 6, 9}),
        ("0-4:2,7%2", {0, 2, 4, 7}),
        ("1%2,3", {1, 3}),
        ("1-3%2,7%3", {1, 2, 3, 7}),
        ("1-3%", {1, 2, 3}),
        ("1-3%0", {1, 2, 3}),
        ("1,,3,", {1, 3}),
        ("+1-3", {1, 2, 3}),
        ("1-5:9", {1}),
        ("1,1-2", {1, 2}),
    ],
)
def test_a_list_of_indices_means_what_slurm_makes_of_it(value: str, tasks: set[int]) -> None:
    assert tasks_of(value) == tasks


@pytest.mark.parametrize(
    "value", ["", "a", "0x10", "5-3", "1:2", "1-5:0", "-1", "0-99999999", "1-2;3", "\uff11"]
)
def test_a_list_that_slurm_refuses_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="not a list of array indices"):
        tasks_of(value)


@pytest.mark.parametrize(
    ("lines", "components"),
    [
        (["#SBATCH -n1"], 1),
        (["#SBATCH hetjob", "#SBATCH -n 3"], 2),
        (["#SBATCH  packjob ", "#SBATCH hetjob"], 3),
        (["#SBATCH hetjobs", "echo", "#SBATCH hetjob"], 1),
        (["#SBATCH --job-name=hetjob"], 1),
    ],
)
def test_a_line_begins_each_component_but_the_first(lines: list[str], components: int) -> None:
    assert shape_of(script(*lines)).components == components


def test_another_job_gets_the_same_access() -> None:
    script = (
        "#!/bin/bash\n#SBATCH -A users --partition=debug,normal\n#SBATCH --constraint='mc&gpu'\n"
        "#SBATCH --res=mine\n#SBATCH --job-name=--qos=high\n#SBATCH -q low -N 4\n\ntrue\n#SBATCH -p late\n"
    )
    assert access_options(script) == [
        "--account=users",
        "--constraint='mc&gpu'",
        "--partition=debug,normal",
        "--qos=low",
        "--reservation=mine",
    ]


def test_a_script_without_access_options_gives_none() -> None:
    assert access_options("#!/bin/bash\n#SBATCH --parsable\n#SBATCH --quiet\n\ntrue\n") == []
