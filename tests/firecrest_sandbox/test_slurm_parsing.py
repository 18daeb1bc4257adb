"""The Slurm runner's parsing of Slurm's output, without a Slurm."""

from __future__ import annotations

import pytest

from firecrest_sandbox.records import NodeState
from firecrest_sandbox.runners.slurm import parsing

SACCT = """\
9_0|1|c|0:0|g|staff|arr|nid001|normal|1|COMPLETED|None|4|100|104|00:00:00|30|me|/w
9_0.batch|1|c|0:0||staff|batch|nid001|||COMPLETED||4|100|104|00:00:00|||
9_1|1|c|1:9|g|staff|arr|nid001|normal|1|FAILED|None|4|100|104|00:00:00|UNLIMITED|me|/w
10|1|c|0:0|g|staff|wait|None assigned|normal|1|PENDING|None|0|Unknown|Unknown|00:00:00|5|me|/w
a line of something else
"""
SQUEUE = """\
10|2|c|g|staff|wait||normal|7|PENDING|Resources|0:00|N/A|N/A|5:00|me|/w
9_1|1|c|g|staff|arr|nid001|normal|7|COMPLETING|None|0:04|100|N/A|1-00:00:00|me|/w
408|1|c|g|staff|arr|nid001|normal|7|RUNNING|None|1:02:03|100|200|30:00|me|/w
"""


def test_jobs_of_sacct_and_squeue_are_merged() -> None:
    jobs = parsing.merged(parsing.accounted_jobs(SACCT), parsing.queued_jobs(SQUEUE))
    by_id = {job.job_id: job for job in jobs}
    assert list(by_id) == ["9_0", "9_1", "10", "408"]
    first = by_id["9_0"]
    assert first.tasks is not None
    assert [(task.id, task.name) for task in first.tasks] == [("9_0.batch", "batch")]
    assert (first.time.limit, first.time.start, first.time.end) == (1800, 100, 104)
    failed = by_id["9_1"]
    assert (failed.status.exit_code, failed.status.interrupt_signal) == (1, 9)
    assert (failed.status.state, failed.time.limit) == ("FAILED", None)
    waiting = by_id["10"]
    assert (waiting.status.state_reason, waiting.nodes, waiting.time.limit) == ("Resources", "", 300)
    assert (waiting.allocation_nodes, waiting.time.start) == (2, None)
    assert by_id["408"].time.elapsed == 3723


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("idle", NodeState.IDLE),
        ("mixed*", NodeState.MIXED),
        ("allocated", NodeState.ALLOCATED),
        ("draining", NodeState.DRAIN),
        ("down*", NodeState.DOWN),
        ("reserved", NodeState.RESERVED),
        ("completing", NodeState.COMPLETING),
        ("powering_up", NodeState.POWERING_UP),
        ("whatever", NodeState.UNKNOWN),
    ],
)
def test_node_states(word: str, state: NodeState) -> None:
    assert parsing.node_state(word) is state


def test_a_node_of_two_partitions_comes_once() -> None:
    line = "1:16:1|16|{load}|22000|mc,lab|nid001|127.0.0.1|vm|mixed|{partition}|1|16000|2/14/0/16\n"
    output = line.format(load="1.5", partition="normal") + line.format(load="N/A", partition="debug")
    [node] = parsing.nodes(output)
    assert node.partitions == ["normal", "debug"]
    assert (node.alloc_cpus, node.idle_cpus, node.cpu_load) == (2, 14, 1.5)


def test_partitions_and_reservations() -> None:
    shown = parsing.attributes(
        "PartitionName=normal Hidden=NO State=UP TotalCPUs=64 TotalNodes=4\n"
        "PartitionName=secret Hidden=YES State=DOWN TotalCPUs=4 TotalNodes=1\n"
    )
    assert [one.name for one in parsing.partitions(shown, hidden=False)] == ["normal"]
    assert [one.name for one in parsing.partitions(shown, hidden=True)] == ["normal", "secret"]
    reserved = "ReservationName=res StartTime=100 EndTime=200 Nodes=nid004 Features=(null) State=ACTIVE\n"
    [one] = parsing.reservations(parsing.attributes(reserved))
    assert (one.name, one.node_list, one.start_time, one.features, one.state) == (
        "res",
        "nid004",
        100,
        None,
        "active",
    )
    assert parsing.attributes("No reservations in the system\n") == []


def test_metadata_of_an_array_is_that_of_its_first_task() -> None:
    shown = "JobId=9 StdErr=/e StdIn=/dev/null StdOut=/o\nJobId=10 StdErr=/e2 StdIn=/i StdOut=/o2\n"
    [one] = parsing.metadata("9", shown, "#!/bin/sh\n")
    assert (one.job_id, one.standard_output, one.script) == ("9", "/o", "#!/bin/sh\n")
    assert parsing.metadata("9", "", "") == []
