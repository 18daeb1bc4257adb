"""Directives in job scripts, as sbatch reads them."""

from __future__ import annotations

import pytest

from reframe_firecrest.model.directives import (
    account_in,
    directive,
    names_account,
    open_mode,
    options_of,
    with_directive,
)


def script(*directives: str) -> str:
    return "\n".join(["#!/bin/bash", *directives, "", "echo"])


@pytest.mark.parametrize(
    "directive",
    [
        "#SBATCH -A users",
        "#SBATCH -Ausers",
        "#SBATCH --account users",
        "#SBATCH --account=users",
        "#SBATCH --acco=users",
        "#SBATCH --acc=users",
        "#SBATCH -n 1 -A users",
        "#SBATCH -HA users",
        '#SBATCH --account="users"',
        "#SBATCH\t--account=users # charged",
    ],
)
def test_every_spelling_of_the_account_is_known(directive: str) -> None:
    assert names_account(script("#SBATCH --job-name=a", directive))


@pytest.mark.parametrize(
    "directive",
    [
        "#SBATCH --acctg-freq=10",
        "#SBATCH --array=0-3",
        "#SBATCH -a 0-3",
        "#SBATCH -JA",
        "#SBATCH -n 1 # -A users",
        '#SBATCH --comment="-A users"',
        "# SBATCH -A users",
        "#BB --account=users",
        "#SBATCH hetjob",
        "#SBATCH --comment='no end",
    ],
)
def test_nothing_else_is_taken_for_an_account(directive: str) -> None:
    assert not names_account(script(directive))


def test_behind_the_first_command_there_are_no_directives() -> None:
    assert not names_account(script() + "\n#SBATCH -A users\n")


def test_the_last_account_counts() -> None:
    assert account_in(script()) is None
    assert account_in(script("#SBATCH -A users", "#SBATCH --account=staff")) == "staff"


def test_an_option_may_be_an_entire_directive() -> None:
    assert directive("-A users") == "#SBATCH -A users"
    assert directive("#BSUB -q normal") == "#BSUB -q normal"


def test_all_options_are_read() -> None:
    given = script(
        "#SBATCH --ntasks=2 -N1", "#SBATCH -p normal --exclusive", "#SBATCH --time 5", "#SBATCH hetjob"
    )
    assert [*options_of(given)] == [
        ("ntasks", "2"),
        ("N", "1"),
        ("p", "normal"),
        ("exclusive", ""),
        ("time", "5"),
        ("hetjob", ""),
    ]


def test_the_last_mode_counts() -> None:
    assert open_mode(script()) is None
    assert open_mode(script("#SBATCH --open-mode=append", "#SBATCH --open-mode truncate")) == "truncate"


def test_a_directive_is_added_behind_the_others() -> None:
    changed = with_directive(script("#SBATCH -n 1"), "-n 2")
    assert changed == script("#SBATCH -n 1", "#SBATCH -n 2")
    assert with_directive("#!/bin/sh", "-n 2") == "#!/bin/sh\n#SBATCH -n 2"
