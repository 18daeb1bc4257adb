"""Parsers of the output of Slurm's commands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firecrest_sandbox.errors import SchedulerError
from firecrest_sandbox.records import (
    Job,
    JobMetadata,
    JobStatus,
    JobTask,
    JobTime,
    Node,
    NodeState,
    Partition,
    Reservation,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

SACCT_FIELDS = (
    "JobID,AllocNodes,Cluster,ExitCode,Group,Account,JobName,NodeList,Partition,Priority,State,"
    "Reason,ElapsedRaw,Start,End,Suspended,TimelimitRaw,User,WorkDir"
)
SQUEUE_FIELDS = (
    "JobID,NumNodes,Cluster,GroupName,Account,Name,NodeList,Partition,PriorityLong,State,Reason,"
    "TimeUsed,StartTime,EndTime,TimeLimit,UserName,WorkDir"
)
QUEUE_FORMAT = "%i|%P|%j|%u|%T|%M|%S|%L|%D|%R"
SINFO_FORMAT = "%z|%c|%O|%e|%f|%N|%o|%n|%T|%R|%w|%m|%C"

_CLOCK = re.compile(r"(?:(?:(?P<days>\d+)-)?(?P<hours>\d+):)?(?P<minutes>\d+):(?P<seconds>\d+)")
_STATES = {
    "idle": NodeState.IDLE,
    "planned": NodeState.IDLE,
    "alloc": NodeState.ALLOCATED,
    "mix": NodeState.MIXED,
    "down": NodeState.DOWN,
    "fail": NodeState.DOWN,
    "drain": NodeState.DRAIN,
    "res": NodeState.RESERVED,
    "maint": NodeState.RESERVED,
    "comp": NodeState.COMPLETING,
    "powering_down": NodeState.POWERING_DOWN,
    "powering_up": NodeState.POWERING_UP,
}


@dataclass(frozen=True)
class Row:
    """One line of output, by field."""

    values: Mapping[str, str]

    def __getitem__(self, field: str) -> str:
        """Return a field's text."""
        return self.values[field]

    def number(self, field: str) -> int | None:
        """Return a field's number, or None for texts like `Unknown` and `N/A`."""
        text = self.values[field]
        return int(text) if text.isdigit() else None


def rows(output: str, fields: str) -> list[Row]:
    """Split lines at `|` into fields, and omit lines with another number of fields."""
    names = fields.split(",")
    split = (line.split("|") for line in output.splitlines())
    return [Row(dict(zip(names, parts, strict=True))) for parts in split if len(parts) == len(names)]


def seconds(clock: str) -> int | None:
    """Return `[[days-]hours:]minutes:seconds` in seconds, or None for other texts."""
    match = _CLOCK.fullmatch(clock)
    if match is None:
        return None
    part = {name: int(digits) for name, digits in match.groupdict(default="0").items()}
    return ((part["days"] * 24 + part["hours"]) * 60 + part["minutes"]) * 60 + part["seconds"]


def accounted_jobs(output: str) -> list[Job]:
    """Return the jobs in sacct's output, with their steps.

    Raises:
        SchedulerError: 500; the job of a step is missing, because `|` in its name made its line unreadable.
    """
    jobs: dict[str, Job] = {}
    for row in rows(output, SACCT_FIELDS):
        job_id, _, step = row["JobID"].partition(".")
        exit_code, _, signum = row["ExitCode"].partition(":")
        limit = row.number("TimelimitRaw")
        status = JobStatus(
            state=row["State"],
            state_reason=None if step else row["Reason"],
            exit_code=int(exit_code) if exit_code else None,
            interrupt_signal=int(signum) if signum else None,
        )
        time = JobTime(
            elapsed=row.number("ElapsedRaw"),
            start=row.number("Start"),
            end=row.number("End"),
            suspended=seconds(row["Suspended"]),
            limit=None if limit is None else limit * 60,
        )
        if step:
            task = JobTask(id=row["JobID"], name=row["JobName"], status=status, time=time)
            if (job := jobs.get(job_id)) is None:
                raise SchedulerError.query_unparsable()
            job.tasks = [*(job.tasks or ()), task]
            continue
        jobs[job_id] = Job(
            job_id=job_id,
            name=row["JobName"],
            status=status,
            tasks=[],
            time=time,
            account=row["Account"],
            allocation_nodes=row.number("AllocNodes") or 0,
            cluster=row["Cluster"],
            group=row["Group"],
            nodes=row["NodeList"],
            partition=row["Partition"],
            user=row["User"],
            working_directory=row["WorkDir"],
            priority=row.number("Priority"),
        )
    return list(jobs.values())


def queued_jobs(output: str) -> list[Job]:
    """Return the jobs in squeue's output."""
    return [
        Job(
            job_id=row["JobID"],
            name=row["Name"],
            status=JobStatus(state=row["State"], state_reason=row["Reason"]),
            tasks=[],
            time=JobTime(
                elapsed=seconds(row["TimeUsed"]),
                start=row.number("StartTime"),
                end=row.number("EndTime"),
                limit=seconds(row["TimeLimit"]),
            ),
            account=row["Account"],
            allocation_nodes=int(row["NumNodes"].partition("-")[0] or 0),
            cluster=row["Cluster"],
            group=row["GroupName"],
            nodes=row["NodeList"],
            partition=row["Partition"],
            user=row["UserName"],
            working_directory=row["WorkDir"],
            priority=row.number("PriorityLong"),
        )
        for row in rows(output, SQUEUE_FIELDS)
    ]


def merged(accounted: list[Job], queued: list[Job]) -> list[Job]:
    """Merge both lists: sacct has more fields, but a pending job's record comes from squeue."""
    jobs = {job.job_id: job for job in accounted}
    for job in queued:
        if job.job_id not in jobs or job.status.state == "PENDING":
            jobs[job.job_id] = job
    return list(jobs.values())


def node_state(text: str) -> NodeState:
    """Return the API's state for sinfo's, e.g. `mixed*`."""
    word = text.rstrip("*+~#%$@!^-").lower()
    return next((state for start, state in _STATES.items() if word.startswith(start)), NodeState.UNKNOWN)


def nodes(output: str) -> list[Node]:
    """Return the nodes in sinfo's output, which has a line for each partition of a node."""
    nodes_by_name: dict[str, Node] = {}
    for row in rows(output, SINFO_FORMAT.replace("|", ",")):
        name = row["%N"]
        if name in nodes_by_name:
            node = nodes_by_name[name]
            node.partitions = [*(node.partitions or []), row["%R"]]
            continue
        sockets, cores, threads = (int(part) for part in row["%z"].split(":"))
        allocated, idle, *_ = row["%C"].split("/")
        nodes_by_name[name] = Node(
            sockets=sockets,
            cores=cores,
            threads=threads,
            cpus=row.number("%c") or 0,
            cpu_load=float(row["%O"]) if row["%O"] != "N/A" else None,
            free_memory=row.number("%e"),
            features=row["%f"],
            name=name,
            address=row["%o"],
            hostname=row["%n"],
            state=[node_state(row["%T"])],
            partitions=[row["%R"]],
            weight=row.number("%w"),
            alloc_memory=row.number("%m"),
            alloc_cpus=int(allocated),
            idle_cpus=int(idle),
        )
    return list(nodes_by_name.values())


def _attributes(line: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in line.split())
    return {name: value for name, equals, value in pairs if equals}


def attributes(output: str) -> list[Mapping[str, str]]:
    """Return the lines of `scontrol show -o`, by attribute. Values end at their first blank."""
    return [_attributes(line) for line in output.splitlines() if "=" in line]


def partitions(shown: list[Mapping[str, str]], *, hidden: bool) -> list[Partition]:
    """Return the partitions in the output of `scontrol show -o partitions`."""
    return [
        Partition(
            name=one["PartitionName"],
            cpus=int(one["TotalCPUs"]),
            total_nodes=int(one["TotalNodes"]),
            partition=one["State"],
        )
        for one in shown
        if hidden or one.get("Hidden", "NO") == "NO"
    ]


def reservations(shown: list[Mapping[str, str]]) -> list[Reservation]:
    """Return the reservations in the output of `scontrol show -o reservations` with times as `%s`."""
    return [
        Reservation(
            name=one["ReservationName"],
            node_list=one["Nodes"],
            start_time=int(one["StartTime"]),
            end_time=int(one["EndTime"]),
            features=None if one["Features"] == "(null)" else one["Features"],
            state=one["State"].lower(),
        )
        for one in shown
    ]


def metadata(job_id: str, output: str, script: str) -> list[JobMetadata]:
    """Return a job's files from `scontrol show -o job`; for an array, those of the first task."""
    return [
        JobMetadata(
            job_id=job_id,
            script=script,
            standard_input=one.get("StdIn"),
            standard_output=one.get("StdOut"),
            standard_error=one.get("StdErr"),
        )
        for one in attributes(output)[:1]
    ]
