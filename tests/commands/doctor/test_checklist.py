"""Order of the checks, and their output."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from reframe_firecrest.commands.doctor.checklist import CHECKS, Check, checks_of, run_checks
from reframe_firecrest.commands.doctor.findings import Finding, Status, green, of_error, red, skipped, yellow
from reframe_firecrest.commands.doctor.runner import diagnose
from reframe_firecrest.commands.doctor.table import render
from reframe_firecrest.commands.doctor.targets import diagnosis_targets
from reframe_firecrest.model.errors import AuthError, DetectionError, FinalError, TransientError
from tests.commands.detect.test_command import settings, write_site
from tests.commands.doctor.cases import Patient
from tests.gateway.helpers import run

NAMES = [check.name for check in CHECKS]


def examined(patient: Patient, checks: Sequence[Check] = CHECKS) -> dict[str, Finding]:
    reported: list[str] = []
    found = run(run_checks(patient.context(), checks, reported.append))
    assert reported == [name for name, finding in found if finding.status is not Status.SKIPPED]
    return dict(found)


def test_all_is_well(patient: Patient) -> None:
    found = examined(patient)
    assert list(found) == NAMES
    # The settings lead to http://gateway.test, which is not on this machine.
    assert {name for name, finding in found.items() if finding.status is not Status.GREEN} == {"settings"}
    assert patient.gateway.submitted == []


@pytest.mark.parametrize(
    ("method", "failed", "skipped_checks"),
    [
        ("authenticate", "token", NAMES[2:]),
        ("look", "gateway", NAMES[3:]),
        ("connect", "system", ["services", "account", "base directory", "limits", "storage"]),
        ("accounts", "account", []),
        ("make_directory", "base directory", []),
        ("reach", "storage", []),
    ],
)
def test_what_needs_a_check_that_failed_is_skipped_and_the_rest_is_not(
    patient: Patient, method: str, failed: str, skipped_checks: list[str]
) -> None:
    patient.gateway.failures[method] = [AuthError("no; check this")]
    found = examined(patient)
    assert found[failed] == red("no", "check this")
    assert [name for name, finding in found.items() if finding.status is Status.SKIPPED] == skipped_checks
    assert all(found[name].detail == f"needs: {failed}" for name in skipped_checks)


def test_a_job_and_a_transfer_are_made_only_if_asked_for(patient: Patient) -> None:
    patient.partitions = {"mine:a": ("-p a",), "mine:b": ("-p b",)}
    target = patient.context().target
    assert [check.name for check in checks_of(target, transfer=False, job=False)] == NAMES
    more = [check.name for check in checks_of(target, transfer=True, job=True)][len(NAMES) :]
    assert more == ["transfer", "job mine:a", "job mine:b"]
    patient.gateway.failures["accounts"] = [FinalError("no")]
    found = examined(patient, checks_of(target, transfer=True, job=True))
    assert all(found[name] == skipped("needs: account") for name in more)
    assert patient.gateway.submitted == []


@pytest.mark.parametrize(
    ("text", "detail", "remedy"),
    [
        ("a; b failed", "a; b failed", "ask"),
        ("it has: a; b; check X and Y; then", "it has: a; b", "check X and Y; then"),
        ("not trusted; set X to a file", "not trusted", "set X to a file"),
    ],
)
def test_an_error_with_a_remedy_is_shown_as_it_is(text: str, detail: str, remedy: str) -> None:
    assert of_error(TransientError(text), "ask") == red(detail, remedy)


def test_the_table_needs_no_colours_and_shows_no_control_sequence() -> None:
    console = Console(file=StringIO(), width=60, color_system=None)
    findings = [
        ("a", green("fine [bold]")),
        ("b", yellow("so so", "look")),
        ("c", red("bad\x1b[31m", "mend")),
        ("d", skipped("needs: c")),
    ]
    console.print(render(findings))
    assert isinstance(console.file, StringIO)
    assert [line.rstrip() for line in console.file.getvalue().splitlines()] == [
        "ok    a  fine [bold]",
        "WARN  b  so so",
        "         -> look",
        "FAIL  c  bad\\x1b[31m",
        "         -> mend",
        "skip  d  needs: c",
    ]


def test_a_diagnosis_closes_its_gateway(patient: Patient) -> None:
    target = patient.context().target
    found = diagnose(
        target, CHECKS[:2], timeout=5, notify=lambda _: None, connect=lambda _settings: patient.gateway
    )
    assert [name for name, _ in found] == NAMES[:2]
    assert patient.gateway.closed


class TestSubjects:
    def test_the_environment_is_one_without_partitions(self) -> None:
        [target] = diagnosis_targets(None, None, settings("http://gateway.test"))
        assert target.partitions == {"": ()}

    def test_partitions_that_are_reached_in_the_same_way_are_one(self, tmp_path: Path) -> None:
        file = write_site(tmp_path, one=["-p a"], two=["-p b"])
        [target] = diagnosis_targets(file, None, settings("http://gateway.test"))
        assert target.partitions == {"mine:one": ("-p a",), "mine:two": ("-p b",)}

    def test_accounts_distinguish_partitions(self, tmp_path: Path) -> None:
        file = write_site(tmp_path, one=[], two=[])
        options = '"sched_options": {"firecrest": {"account": name}}, "access": access'
        file.write_text(file.read_text().replace('"access": access', options))
        found = diagnosis_targets(file, None, settings("http://gateway.test"))
        assert [target.settings.account for target in found] == ["one", "two"]
        [target] = diagnosis_targets(file, "mine:two", settings("http://gateway.test"))
        assert list(target.partitions) == ["mine:two"]
        assert len(diagnosis_targets(file, "mine", settings("http://gateway.test"))) == 2

    def test_an_unknown_name_is_refused_with_those_that_are_known(self, tmp_path: Path) -> None:
        file = write_site(tmp_path, one=[], two=[])
        with pytest.raises(DetectionError, match="check --system; it has: mine:one, mine:two"):
            diagnosis_targets(file, "yours", settings("http://gateway.test"))
