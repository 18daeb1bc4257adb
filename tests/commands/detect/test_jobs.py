"""Detection of nodes by jobs: the result of each partition."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reframe_firecrest.commands.detect.detection import run_detection
from reframe_firecrest.commands.detect.jobs import DetectionResult, write_processor
from reframe_firecrest.commands.detect.script import FACTS
from reframe_firecrest.commands.targets import Target
from reframe_firecrest.model import errors
from reframe_firecrest.session.log_queue import LOGS
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.session import Session
from reframe_firecrest.session.session_record import open_journal
from reframe_firecrest.settings import Settings
from reframe_firecrest.staging.paths import PathMap
from tests.gateway.helpers import make_settings
from tests.session.fakes import FakeGateway

RECORDED = (Path(__file__).parent / "recorded.txt").read_text()

Run = Callable[[FakeGateway, str], None]


class Cluster(FakeGateway):
    """Runs a job as soon as it is submitted, as its partition says.

    Attributes:
        partitions: what becomes of a partition's job; without an entry it stays in the queue.
    """

    def __init__(self) -> None:
        super().__init__()
        self.partitions: dict[str, Run] = {}

    def start(self, script: str, directory: str, account: str | None = None) -> str:
        job_id = super().start(script, directory, account)
        run = self.partitions.get(Path(directory).name)
        if run:
            run(self, job_id)
        return job_id


def completes(facts: str | None = RECORDED) -> Run:
    files = {"detect.out": "", "detect.err": ""} | ({} if facts is None else {FACTS: facts})
    return lambda gateway, job_id: gateway.finish(job_id, files=files)


def fails(words: str) -> Run:
    files = {"detect.out": "", "detect.err": words}
    return lambda gateway, job_id: gateway.finish(job_id, "FAILED", 127, files)


class Lab:
    """A gateway in memory, and sessions over it."""

    def __init__(self, root: Path) -> None:
        self.gateway = Cluster()
        self.root = root
        self.reported: list[str] = []
        self.stages: list[str] = []
        self.settings = make_settings(
            poll_interval_min=0.1,
            poll_interval_max=0.2,
            retry_timeout=1,
            account="staff",
            journal_dir=str(root / "journals"),
        )
        self._sessions: dict[str, Session] = {}

    def open_session(self, settings: Settings, stage: str) -> Session:
        self.stages.append(stage)
        if stage not in self._sessions:
            paths = PathMap(stage, str(self.root / "remote"))
            made = Session(
                settings,
                paths,
                reactor(),
                lambda _settings: self.gateway,
                open_journal(settings, paths, "run"),
            )
            self._sessions[stage] = made
        return self._sessions[stage]

    def detect(self, *partitions: str, timeout: float = 30) -> Sequence[DetectionResult]:
        targets = [
            Target("daint", name, (f"--partition={name}",), self.settings, self.root / "topology")
            for name in partitions
        ]
        return run_detection(
            targets, [], timeout=timeout, notify=self.reported.append, open_session=self.open_session
        ).processors

    def close(self) -> None:
        for session in self._sessions.values():
            session.shutdown()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.close()
    LOGS.stop()


def test_each_partition_gets_one_job_and_an_answer(lab: Lab) -> None:
    lab.gateway.partitions = {"cpu": completes(), "gpu": completes()}
    found = lab.detect("cpu", "gpu")
    assert [outcome.target.partition for outcome in found] == ["cpu", "gpu"]
    assert [(outcome.processor or {})["num_cpus"] for outcome in found] == [2, 2]
    assert len(lab.gateway.submitted) == 2
    script, directory, account = min(lab.gateway.submitted)
    assert "#SBATCH --partition=cpu\n" in Path(script).read_text()
    assert account == "staff"
    assert directory == str(lab.root / "remote/daint/cpu")
    # The two travelled together.
    assert lab.gateway.calls["upload"] == 1
    assert not Path(lab.stages[0]).exists()


def test_what_failed_is_named_with_the_reason_and_the_rest_is_kept(lab: Lab) -> None:
    lab.gateway.partitions = {
        "good": completes(),
        "broken": fails("detect.sh: line 1: uname: command not found\n\n"),
        "silent": fails(""),
        "empty": completes(None),
        "half": completes(RECORDED.removesuffix("end:\n")),
    }
    found = {outcome.target.partition: outcome for outcome in lab.detect(*lab.gateway.partitions)}
    assert found["good"].processor
    reasons = {name: outcome.reason for name, outcome in found.items() if not outcome.processor}
    assert reasons["broken"].endswith(
        "ended as FAILED with exit code 127: detect.sh: line 1: uname: command not found"
    )
    assert reasons["silent"].endswith("ended as FAILED with exit code 127")
    assert "left no facts.txt: No such file" in reasons["empty"]
    assert "is incomplete" in reasons["half"]


def test_a_job_that_is_refused_fails_alone(lab: Lab) -> None:
    lab.gateway.partitions = {"cpu": completes(), "gpu": completes()}
    lab.gateway.failures["submit"] = [errors.RejectedError("invalid partition specified: nosuch")]
    good, bad = sorted(outcome.reason for outcome in lab.detect("cpu", "gpu"))
    assert good == ""
    assert bad.startswith("invalid partition specified: nosuch; ")


def test_a_job_that_does_not_start_is_cancelled_and_states_what_it_waits_for(lab: Lab) -> None:
    lab.gateway.partitions = {"cpu": completes()}
    cpu, gpu = lab.detect("cpu", "gpu", timeout=1.5)
    assert cpu.processor
    [waiting] = [job_id for job_id, parts in lab.gateway.parts.items() if parts[0].state == "PENDING"]
    assert gpu.reason == f"it did not start within 1.5 s: job {waiting} is PENDING (Resources)"
    assert f"daint:gpu: job {waiting} is PENDING (Resources)" in lab.reported
    lab.close()
    assert lab.gateway.cancelled == [waiting]


def test_a_job_that_has_started_in_time_is_waited_for(lab: Lab) -> None:
    def runs(gateway: FakeGateway, job_id: str) -> None:
        [part] = gateway.parts[job_id]
        gateway.parts[job_id] = [replace(part, state="RUNNING", reason=None)]
        # Later than the time limit for the queue.
        asyncio.get_running_loop().call_later(2.5, completes(), gateway, job_id)

    lab.gateway.partitions = {"cpu": runs}
    [found] = lab.detect("cpu", timeout=2.0)
    assert found.processor
    assert any("is RUNNING" in text for text in lab.reported)
    assert lab.gateway.cancelled == []


def test_an_interruption_cancels_what_waits(lab: Lab) -> None:
    def interrupt(text: str) -> None:
        if "PENDING" in text:
            raise KeyboardInterrupt

    targets = [Target("daint", "cpu", (), lab.settings, lab.root)]
    with pytest.raises(KeyboardInterrupt):
        run_detection(targets, [], timeout=30, notify=interrupt, open_session=lab.open_session)
    lab.close()
    assert lab.gateway.cancelled == list(lab.gateway.parts)


def test_a_gateway_that_refuses_us_is_the_reason_for_all(lab: Lab) -> None:
    lab.gateway.failures["connect"] = [errors.AuthError("the client is refused")]
    assert {outcome.reason for outcome in lab.detect("cpu", "gpu")} == {"the client is refused"}


def test_warnings_of_the_session_are_reported(lab: Lab) -> None:
    def leaves_a_link(gateway: FakeGateway, job_id: str) -> None:
        directory = Path(gateway.parts[job_id][0].working_directory)
        (directory / "link").symlink_to("/etc/hostname")
        completes()(gateway, job_id)

    lab.gateway.partitions = {"cpu": leaves_a_link}
    [found] = lab.detect("cpu")
    assert found.processor
    assert any("it is a link to /etc/hostname" in text for text in lab.reported)


def test_processor_information_is_where_reframe_looks(lab: Lab) -> None:
    lab.gateway.partitions = {"cpu": completes()}
    [found] = lab.detect("cpu")
    for _ in range(2):
        write_processor(found)
    file = lab.root / "topology/daint-cpu/processor.json"
    assert json.loads(file.read_text()) == found.processor
    assert [entry.name for entry in file.parent.iterdir()] == ["processor.json"]
