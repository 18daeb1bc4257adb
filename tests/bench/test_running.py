"""The benchmark runs, and counts right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.cases import LOCAL, Case, Options
from bench.running import measure, why_no_slurm
from bench.runs import Flow, ProcessFigures, Run


@pytest.mark.e2e
def test_a_small_run_is_measured_as_the_sandbox_saw_it() -> None:
    run = measure(Case(2, 0.0))
    assert run.remarks == []
    assert run.passed
    assert 0 < (run.session_s or 0) < run.wall_s
    assert len(run.process.submits_ms) == 2
    assert run.lists + run.singles > 0
    assert run.requests == sum(number for *_what, number, _sent, _received in run.process.requests) >= 5
    assert 100_000 < run.inputs < 110_000
    assert 200_000 < run.uploaded < run.sent
    assert run.packed is not None
    # The report of a job lists its stage directory, too.
    assert 0 < run.fetched < 5 * run.packed
    assert run.process.peak_bytes > 20_000_000
    assert 0 < run.process.cpu_s < run.wall_s


@pytest.mark.e2e
def test_the_same_tests_run_without_a_gateway() -> None:
    run = measure(Case(1, large_mib=1, partition=LOCAL))
    assert run.passed
    assert run.traffic == {}
    assert run.inputs > 1 << 20


@pytest.mark.e2e
@pytest.mark.parametrize(
    "case", Options(tests=(1,), latencies=(0.2,)).listings, ids=lambda case: case.partition
)
def test_a_list_of_tests_is_measured(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.running.LISTINGS", 2)
    run = measure(case)
    assert run.remarks == []
    assert run.passed
    assert run.traffic == {}
    assert run.wall_s > 0
    assert run.process.peak_bytes > 20_000_000


def sbatch(directory: Path, script: str) -> None:
    command = directory / "sbatch"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)


def test_without_sbatch_there_is_no_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert why_no_slurm() == "there is no sbatch on the PATH"
    sbatch(tmp_path, "echo refused >&2; exit 1")
    assert why_no_slurm() == "refused"
    sbatch(tmp_path, "exit 0")
    assert why_no_slurm() is None


def test_all_that_was_measured_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FIRECREST_URL", raising=False)
    measured: list[Case] = []

    def pretend(case: Case, _api: str) -> Run:
        measured.append(case)
        process = ProcessFigures(requests=[("GET", "https://gateway/x", 1, 0, 0)])
        return Run(
            passed=case.latency != 0.2, wall_s=1.0, process=process, traffic={"GET /x": Flow(requests=40)}
        )

    monkeypatch.setattr("bench.__main__.measure", pretend)
    files = ["--json", str(tmp_path / "all.json"), "--markdown", str(tmp_path / "all.md")]
    monkeypatch.setattr("bench.__main__.why_no_slurm", lambda: "no sbatch")
    assert main(["--tests", "20", "--latency", "0.2", "--repeat", "2", "--label", "here", *files]) == 1
    assert measured[:3] == measured[3:] == Options(tests=(20,), latencies=(0.2,)).cases()
    found = json.loads((tmp_path / "all.json").read_text())
    assert found["surroundings"]["label"] == "here"
    assert {"wall time, s", "requests per test", "peak memory, MB"} <= {
        figure["name"] for figure in found["figures"]
    }
    assert [len(entry["runs"]) for entry in found["runs"]] == [2, 2, 2]
    assert "https://gateway" not in json.dumps(found)
    text = (tmp_path / "all.md").read_text()
    assert "(here)" in text
    assert "| requests per test | 20 tests, 200 ms |  | ≤ 1.60 |  | not measured: no run passed |" in text
    assert "| wall time / native slurm's | 10 tests, listed | 1.00 | ≤ 1.15 | met | 1.00 s / 1.00 s |" in text
    assert "20 tests, 200 ms, 2 of 2 FAILED" in text
    shown = capsys.readouterr()
    assert "Targets" in shown.out
    assert "Further figures" not in shown.out
    assert "no comparison with ReFrame's slurm: no sbatch" in shown.err


@pytest.mark.parametrize(
    "arguments",
    [["--tests", "0"], ["--latency", "-1"], ["--scale", "0"], ["--history", "-1"], ["--json", "/dev/null/x"]],
)
def test_nonsense_is_refused_in_a_line(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.__main__.measure", pytest.fail)
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert f"argument {arguments[0]}: " in capsys.readouterr().err.splitlines()[-1]
