"""The comment by which people find a test in squeue."""

from __future__ import annotations

import pytest

from reframe_firecrest.plugin.job_comment import LONGEST, with_comment

RUN = "20270115-080000-host-0a1b2c"


def test_the_comment_names_run_and_test() -> None:
    preamble = ["#SBATCH --job-name=rfm_Sleeper_73d852ef", "#SBATCH hetjob", "#SBATCH --ntasks=1"]
    comment, *rest = with_comment(preamble, RUN, "Sleeper %n=0")
    assert comment == f'#SBATCH --comment="reframe {RUN} Sleeper %n=0"'
    assert rest == preamble


def test_a_job_of_no_test_names_the_run() -> None:
    assert with_comment([], RUN, "") == [f'#SBATCH --comment="reframe {RUN}"']


@pytest.mark.parametrize(
    "own", ["#SBATCH --comment=mine", "#SBATCH --comment mine", '#SBATCH  --comment="a b"']
)
def test_a_comment_of_the_settings_stays(own: str) -> None:
    assert with_comment(["#SBATCH --ntasks=1", own], RUN, "T") == ["#SBATCH --ntasks=1", own]


@pytest.mark.parametrize("char", ['"', "'", "\\", "|", "$", "`", "\n", "\x1b", "#", "\u00e4", "\udcff"])
def test_nothing_that_sbatch_interprets_is_in_it(char: str) -> None:
    [comment] = with_comment([], RUN, f"T %x={char}y")
    assert comment == f'#SBATCH --comment="reframe {RUN} T %x=_y"'


def test_it_is_not_too_long() -> None:
    [comment] = with_comment([], RUN, "T" * 1000)
    assert len(comment) == LONGEST + len('#SBATCH --comment=""')
