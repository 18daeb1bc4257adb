"""Links by which a job reports about its own run."""

from __future__ import annotations

import pytest

from reframe_firecrest.model.remote_file import FileKind, RemoteFile
from reframe_firecrest.staging.markers import (
    PREFIX,
    UNKNOWN,
    Changes,
    changes_of,
    new_token,
    read_claims,
    read_stage,
    without_markers,
)

TOKEN = "ab" * 16


def link(path: str, target: str = "12") -> RemoteFile:
    return RemoteFile(path, FileKind.LINK, 0, "", target)


def test_no_marker_is_one_of_the_tests_files() -> None:
    other = new_token()
    users = [link("latest", "run.1"), link(f"sub/{PREFIX}{TOKEN}.ready"), link(f"{PREFIX}notes")]
    users.append(RemoteFile(f"{PREFIX}{TOKEN}.ready", FileKind.FILE, 1, ""))
    markers = [
        link(f"{PREFIX}{TOKEN}{end}")
        for end in (".ready", ".error", ".changes", ".changes-0", ".changes-117")
    ]
    assert without_markers([*users, *markers, link(f"{PREFIX}{other}.ready")]) == users


def test_markers_of_other_submissions_prove_nothing() -> None:
    found = read_stage([link(f"{PREFIX}{new_token()}.ready")], TOKEN)
    found = read_claims([link(new_token())], TOKEN, found, prepares=False)
    assert (found.holder, found.started, found.error) == (None, False, None)


@pytest.mark.parametrize("target", ["", "12\x1b[2J", "../../etc", "1" * 40, "12_3"])
def test_only_ids_are_taken_for_ids(target: str) -> None:
    assert read_claims([link(TOKEN, target)], TOKEN, read_stage([], TOKEN), prepares=False).holder is None


def test_where_inputs_are_copied_the_claim_alone_proves_no_start() -> None:
    claims = [link(TOKEN)]
    nothing = read_stage([], TOKEN)
    assert read_claims(claims, TOKEN, nothing, prepares=False).started
    assert not read_claims(claims, TOKEN, nothing, prepares=True).started
    assert read_claims([*claims, link(f"{TOKEN}.ready")], TOKEN, nothing, prepares=True).started


def test_reports_of_tasks_add_up() -> None:
    assert changes_of(["searched", "searched 7 12", "searched d 7"]) == Changes(
        moved=True, sizes=frozenset({7, 12})
    )


@pytest.mark.parametrize("marks", [[], [""], ["searched 7 failed"], ["searched -1"], ["searched \uff17"]])
def test_a_report_that_can_not_be_read_stands_for_any_change(marks: list[str]) -> None:
    assert changes_of(marks) == UNKNOWN
