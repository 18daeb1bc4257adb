"""Retrieval by the reports of jobs: which requests it saves, and when results are listed instead."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from reframe_firecrest.journal.reader import session_logs
from reframe_firecrest.model import errors
from reframe_firecrest.model.capabilities import Capabilities
from reframe_firecrest.model.job import JobHandle, Phase
from reframe_firecrest.session.job_reports import FEW, MAX_MISSING
from reframe_firecrest.session.reactor import reactor
from tests.session.conftest import Stage

READS = ("list_tree", "list_directory", "archive", "download")


def run(stage: Stage, *names: str, **options: object) -> list[JobHandle]:
    """Run jobs that end at the same time and report their results."""
    handles = [stage.submit(name, files={"input": "in"}) for name in names]
    for job_id in stage.submitted(*handles):
        stage.gateway.finish_with_report(job_id, {"result": "made"}, **options)  # type: ignore[arg-type]
    for handle in handles:
        assert handle.ended.wait(15)
    return handles


def reads(stage: Stage) -> dict[str, int]:
    return {method: stage.gateway.calls[method] for method in READS if stage.gateway.calls[method]}


def test_a_lone_job_takes_one_request(stage: Stage) -> None:
    [handle] = run(stage, "a")
    assert handle.state.phase is Phase.DONE
    assert reads(stage) == {"download": 1}
    assert (stage.local / "a" / "result").read_text() == "made"
    assert (stage.local / "a" / "job.out").read_text() == "out"
    assert not list(stage.remote.glob(".transfer/out-*"))


def test_files_from_a_report_count_as_fetched(stage: Stage) -> None:
    run(stage, "a")
    stage.close()
    [session_log] = session_logs(stage.settings.journal_dir)
    [fetched] = [batch for batch in session_log.transfers if batch.way == "fetched"]
    assert (fetched.files, fetched.jobs) == (3, 1)
    assert fetched.size > 0


def test_many_jobs_take_two(stage: Stage) -> None:
    names = [f"t{number}" for number in range(FEW + 3)]
    answering = stage.gateway.blocked["jobs"] = asyncio.Event()
    handles = [stage.submit(name) for name in names]
    for job_id in stage.submitted(*handles):
        stage.gateway.finish_with_report(job_id, {"result": job_id})
    reactor().call(answering.set)
    for handle in handles:
        assert handle.ended.wait(15)
        assert (Path(handle.spec.directory) / "result").read_text() == handle.state.job_id
    assert reads(stage) == {"archive": 1, "download": 1}


def test_an_archive_of_reports_is_first_downloaded_directly(stage: Stage) -> None:
    stage.gateway.capabilities = Capabilities(max_direct_download=1000)
    run(stage, *(f"t{number}" for number in range(FEW + 3)))
    assert stage.gateway.size_hints
    assert max(stage.gateway.size_hints) <= 1000


def test_a_file_that_is_not_in_the_report_is_fetched_without_a_listing(stage: Stage) -> None:
    run(stage, "a", packed=("job.out", "job.err"))
    assert reads(stage) == {"archive": 1, "download": 2}
    assert (stage.local / "a" / "result").read_text() == "made"


@pytest.mark.parametrize(
    "options",
    [{"state": "FAILED"}, {"code": 1}, {"nodes": 2}, {"begun": False}, {"content": b"x"}, {"content": b""}],
    ids=["failed", "code", "nodes", "not begun", "damaged", "missing"],
)
def test_otherwise_results_are_listed(stage: Stage, options: dict[str, object]) -> None:
    [handle] = run(stage, "a", **options)
    assert handle.state.phase is Phase.DONE
    assert stage.gateway.calls["list_tree"] == 1
    assert (stage.local / "a" / "result").read_text() == "made"


def test_a_gateway_that_refuses_the_download_of_a_report_does_no_harm(stage: Stage) -> None:
    stage.gateway.failures["download"] = [errors.ForbiddenError("no", status=403)]
    [handle] = run(stage, "a")
    assert handle.state.phase is Phase.DONE
    assert reads(stage) == {"list_tree": 1, "archive": 1, "download": 2}


def test_where_jobs_make_no_reports_none_is_requested_for_long(stage: Stage) -> None:
    for number in range(MAX_MISSING):
        run(stage, f"t{number}", content=b"")
    before = stage.gateway.calls["download"]
    run(stage, "last", content=b"")
    assert stage.gateway.calls["download"] == before + 1


def test_a_gateway_that_packs_whole_directories_is_not_asked_for_reports(stage: Stage) -> None:
    stage.gateway.capabilities = Capabilities(selects_files=False)
    run(stage, "a")
    assert reads(stage) == {"list_tree": 1, "archive": 1, "download": 1}
