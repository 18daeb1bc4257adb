"""A run of any size: its journal, and what ReFrame reports of it; always the same for the same size."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reframe_firecrest.journal.events import Closed, Event, JobMoved, Opened, Traffic, Transferred
from tests.journal.processes import GONE

BEGUN = 1_800_000_000.0
RUN = "20270115-080000-runner-0a1b2c"
SESSION = "2814bc29"
"""ReFrame's id of the session."""

SUITE = ("Stream", "Gemm", "Halo exchange", "Hello", "Latency", "IO", "Fft", "Launch")
KINDS = 23
"""Of each so many tests, one fails on its way back, one in sanity, and one is skipped."""


def opened(
    stage: str = "/stage", run: str = RUN, system: str = "alps", begun: float = BEGUN, session: str = SESSION
) -> Opened:
    return Opened(
        time=begun,
        run=run,
        url="https://firecrest.example.org/v2",
        system=system,
        root=f"/scratch/me/reframe-firecrest/{run}",
        stage=stage,
        host=socket.gethostname(),
        version="0.1.0",
        locked=True,
        session=session,
        **GONE,
    )


def job(number: int, after: float, phase: str, **more: object) -> JobMoved:
    return JobMoved.model_validate(
        {
            "time": BEGUN + after,
            "number": number,
            "name": f"rfm_t{number}",
            "directory": f"/stage/alps/gpu/gnu/t{number}",
            "phase": phase,
            **more,
        }
    )


def lived(
    number: int, *, begin: float, staging: float, queue: float, run: float, retrieval: float, **more: object
) -> list[JobMoved]:
    """All that a job went through that came to its end."""
    submitted = begin + staging
    noticed = submitted + queue + run
    known: dict[str, object] = {"job_id": str(1000 + number), **more}
    ended = {"state": "COMPLETED", "exit_code": 0, "nodes": "nid001", **known, "elapsed": run}
    return [
        job(number, begin, "queued", **more),
        job(number, begin, "staging", **more),
        job(number, submitted, "submitting", **more),
        job(number, submitted, "submitted", **{**known, "state": "PENDING"}),
        job(number, noticed, "submitted", **ended),
        job(number, noticed, "retrieving", **ended),
        job(number, noticed + retrieval, "done", **ended),
    ]


def case(name: str, **more: object) -> dict[str, Any]:
    """A test case, as ReFrame 4.10 writes it."""
    return {
        "name": name,
        "unique_name": name,
        "display_name": name,
        "hashcode": "c6b4244e",
        "system": "alps",
        "partition": "gpu",
        "environ": "gnu",
        "result": "pass",
        "fail_phase": None,
        "fail_reason": None,
        "filename": "/checks/check.py",
        "job_completion_time_unix": None,
        "jobid": None,
        "job_stdout": "rfm_job.out",
        "job_stderr": "rfm_job.err",
        "stagedir": f"/stage/alps/gpu/gnu/{name}",
        "perfvalues": {},
        "time_total": 1.0,
        **more,
    }


def results(*runs: Sequence[Mapping[str, Any]], end: float = 100.0, stage: str = "/stage") -> dict[str, Any]:
    """ReFrame's report."""
    return {
        "session_info": {
            "data_version": "4.2",
            "hostname": "runner",
            "uuid": SESSION,
            "version": "4.10.4",
            "prefix_stage": stage,
            "cmdline": "reframe -S token=cmdline-secret -r",
            "time_start_unix": BEGUN - 1,
            "time_end_unix": BEGUN + end,
            "time_elapsed": end + 1,
        },
        "runs": [{"num_cases": len(cases), "testcases": list(cases)} for cases in runs],
        "restored_cases": [],
    }


def large(count: int, stage: Path) -> tuple[list[Event], dict[str, Any]]:
    """A run with builds, failures, and jobs that wait for nodes; failed tests left their output."""
    chance = random.Random(count)
    events: list[Event] = [opened(str(stage))]
    cases: list[Mapping[str, Any]] = []
    free = [0.0] * 32
    for number in range(1, count + 1):
        name = f"{SUITE[number % len(SUITE)]} %num_nodes={2 ** (number % 5)} %variant={number}"
        directory = stage / "alps" / "gpu" / "gnu" / f"{name.partition(' ')[0]}_{number:08x}"
        begin = (number // 50) * 6.0 + chance.uniform(0, 0.5)
        slot = free.index(min(free))
        staging, run = chance.uniform(0.8, 3.0), chance.lognormvariate(2.2, 0.8)
        queue = max(free[slot] - begin - staging, 0.0) + chance.uniform(1, 4)
        free[slot] = begin + staging + queue + run
        kind = number % KINDS
        shape: dict[str, Any] = {"name": f"rfm_{directory.name}", "directory": str(directory)}
        shape["nodes"] = f"nid[{1000 + slot}-{1000 + slot + number % 4}]"
        if kind == 7:
            events += [
                *lived(number, begin=begin, staging=staging, queue=queue, run=run, retrieval=1, **shape)
            ][:4]
            shape.update(
                state="COMPLETED",
                elapsed=run,
                job_id=str(1000 + number),
                error="downloading on 'alps' failed: Disk quota exceeded",
            )
            events.append(job(number, begin + staging + queue + run, "failed", **shape))
        else:
            retrieval = chance.uniform(0.5, 2.0)
            events += lived(
                number, begin=begin, staging=staging, queue=queue, run=run, retrieval=retrieval, **shape
            )
        cases.append(_case(number, name, directory, staging + queue + run + 2, chance))
    end = max(event.time for event in events) - BEGUN
    for batch in range(1, count // 25 + 2):
        events.append(
            Transferred(time=BEGUN + batch, way="sent", files=120, jobs=25, size=400_000, seconds=1.1)
        )
        events.append(
            Transferred(time=BEGUN + batch, way="fetched", files=50, jobs=25, size=90_000, seconds=0.8)
        )
    events.append(
        Traffic(
            time=BEGUN + end, requests=count * 2, bytes_sent=count * 90_000, bytes_received=count * 20_000
        )
    )
    events.append(Closed(time=BEGUN + end + 1))
    return events, results(cases, end=end + 2, stage=str(stage))


def _case(
    number: int, name: str, directory: Path, seconds: float, chance: random.Random
) -> Mapping[str, Any]:
    kind = number % KINDS
    more: dict[str, Any] = {
        "unique_name": directory.name,
        "display_name": name,
        "hashcode": f"{number:08x}",
        "stagedir": str(directory),
        "time_total": seconds,
        "time_setup": 0.01,
        "time_sanity": chance.uniform(0.001, 0.02),
        "time_performance": 0.002,
    }
    if kind == 7:
        more.update(
            result="fail",
            fail_phase="run",
            fail_reason="downloading on 'alps' failed: Disk quota exceeded",
        )
    elif kind == 11:
        more.update(
            result="fail", fail_phase="sanity", fail_reason="pattern 'converged' not found in 'rfm_job.out'"
        )
        directory.mkdir(parents=True)
        steps = "\n".join(f"step {step:4d}  residual {1 / (step + 1):.6e}" for step in range(200))
        (directory / "rfm_job.out").write_text(f"{steps}\n")
        (directory / "rfm_job.err").write_text(
            "\x1b[31mslurmstepd\x1b[0m: error: <b>Detected 1 oom_kill</b> event\n"
        )
    elif kind == 13:
        more.update(result="skip", fail_reason="not enough nodes")
    if number % len(SUITE) in (0, 1) and kind not in (7, 11, 13):
        value = round(chance.gauss(120, 8), 2)
        verdict = "pass" if value > 102 else "fail"
        more["perfvalues"] = {"alps:gpu:triad": [value, 120.0, -0.15, None, "GB/s", verdict]}
        if verdict == "fail":
            more.update(
                result="fail",
                fail_phase="performance",
                fail_reason=f"failed to meet reference: triad={value}, expected 120.0 (l=102.0, u=inf)",
            )
    return case(name.partition(" ")[0], **more)


def lines(events: Iterable[Event]) -> Iterator[str]:
    for event in events:
        yield event.model_dump_json() + "\n"


def write_world(directory: Path, count: int) -> tuple[Path, Path]:
    """Write the journal and the report of a large run; return the journal's directory and the report."""
    events, report = large(count, directory / "stage")
    journals = directory / "journals"
    journals.mkdir(parents=True)
    (journals / f"{RUN}.alps.jsonl").write_text("".join(lines(events)))
    (directory / "report.json").write_text(json.dumps(report))
    return journals, directory / "report.json"
