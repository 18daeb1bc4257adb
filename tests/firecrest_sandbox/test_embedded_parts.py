"""The embedded runner's arithmetic: time limits, arrays, placement, name patterns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firecrest_sandbox.records import JobDescription
from firecrest_sandbox.runners.embedded import slurm_output
from firecrest_sandbox.runners.embedded.arrays import ArraySpec, folded
from firecrest_sandbox.runners.embedded.directives import JobSpec, SbatchError, read_spec
from firecrest_sandbox.runners.embedded.durations import seconds_of
from firecrest_sandbox.runners.embedded.environment import repeated
from firecrest_sandbox.runners.embedded.jobs import EmbeddedJob, State
from firecrest_sandbox.runners.embedded.placement import allocate


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 300),
        ("5:30", 330),
        ("1:00:00", 3600),
        ("0-00:15:00", 900),
        ("2-3", 183_600),
        ("1-1:30", 91_800),
        ("UNLIMITED", None),
        ("infinite", None),
        ("-1", None),
    ],
)
def test_time_limits(text: str, seconds: int | None) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "1:2:3:4", "x", "1-", "1-2-3", "-5"])
def test_what_is_no_time_limit(text: str) -> None:
    with pytest.raises(ValueError, match="Invalid time limit"):
        seconds_of(text)


@pytest.mark.parametrize(
    ("text", "indices", "at_once"),
    [
        ("3", (3,), None),
        ("0-3", (0, 1, 2, 3), None),
        ("0-8:4,2%2", (0, 2, 4, 8), 2),
        ("5,1,1%0", (1, 5), None),
    ],
)
def test_arrays(text: str, indices: tuple[int, ...], at_once: int | None) -> None:
    assert ArraySpec.parse(text) == ArraySpec(indices, at_once)


@pytest.mark.parametrize("text", ["", "a", "3-1", "1-5:0", "0-5000", "1%x", "0-999999999"])
def test_what_is_no_array(text: str) -> None:
    with pytest.raises(ValueError, match="Invalid job array"):
        ArraySpec.parse(text)


@given(st.sets(st.integers(0, 30), min_size=1))
def test_folded_indices_can_be_read_again(indices: set[int]) -> None:
    assert ArraySpec.parse(folded(list(indices))[1:-1]).indices == tuple(sorted(indices))


def test_repeated_counts_are_folded() -> None:
    assert repeated([2, 2, 2, 1, 2]) == "2(x3),1,2"


def spec(*directives: str) -> JobSpec:
    script = "".join(["#!/bin/sh\n", *(f"#SBATCH {one}\n" for one in directives)])
    return read_spec(JobDescription(working_directory="/w"), script, "sbatch")


FREE = {"n1": 4, "n2": 4, "n3": 2, "n4": 0}


@pytest.mark.parametrize(
    ("directives", "expected"),
    [
        ([], {"n1": (1, 1)}),
        (["-n4"], {"n1": (4, 4)}),
        (["-n5"], {"n1": (3, 3), "n2": (2, 2)}),
        (["-N2"], {"n1": (1, 1), "n2": (1, 1)}),
        (["-N2 -n3"], {"n1": (2, 2), "n2": (1, 1)}),
        (["-N3 -n9"], {"n1": (4, 4), "n2": (3, 3), "n3": (2, 2)}),
        (["-n2 -c3"], {"n1": (1, 3), "n2": (1, 3)}),
        (["-N2", "--ntasks-per-node=2"], {"n1": (2, 2), "n2": (2, 2)}),
        (["-n4", "--ntasks-per-node=2"], {"n1": (2, 2), "n2": (2, 2)}),
        (["-w n3"], {"n3": (1, 1)}),
        (["-N2 -w n3"], {"n1": (1, 1), "n3": (1, 1)}),
        (["-x n[1-2]"], {"n3": (1, 1)}),
        (["--exclusive"], {"n1": (1, 4)}),
        (["-N3 --exclusive"], None),
        (["-N4"], None),
        (["-w n4"], None),
        (["-c5"], None),
        (["-n11"], None),
        (["-N1 -n5"], None),
    ],
)
def test_placement(directives: list[str], expected: dict[str, tuple[int, int]] | None) -> None:
    allocation = allocate(spec(*directives), FREE, 4)
    found = allocation and {s.node: (s.tasks, s.cpus) for s in allocation.shares}
    assert found == expected


@given(st.integers(1, 12), st.integers(1, 4), st.none() | st.integers(1, 4))
def test_a_placed_job_fits(tasks: int, cpus: int, nodes: int | None) -> None:
    asked = [f"-n{tasks}", f"-c{cpus}", *([f"-N{nodes}"] if nodes else [])]
    allocation = allocate(spec(*asked), FREE, 4)
    if allocation is not None:
        assert allocation.tasks == tasks
        assert all(share.cpus <= FREE[share.node] for share in allocation.shares)
        assert nodes is None or len(allocation.shares) == nodes


def test_the_request_wins_over_the_script() -> None:
    description = JobDescription(
        working_directory="/w", name="asked", account="a", partition="p", standard_output="o"
    )
    script = (
        "#!/bin/sh\n# comment\n\n#SBATCH -J script -A b --partition=q -o x -t 5 # why\ntrue\n#SBATCH -N9\n"
    )
    found = read_spec(description, script, "sbatch")
    assert (found.name, found.account, found.partition, found.output) == ("asked", "a", "p", "o")
    assert (found.time_limit, found.nodes) == (300, None)


def test_a_script_needs_an_interpreter() -> None:
    with pytest.raises(SbatchError, match="does not look like a batch script"):
        read_spec(JobDescription(working_directory="/w"), "true\n", "sbatch")


def test_no_job_goes_back() -> None:
    job = EmbeddedJob(number=1, spec=spec(), time_limit=1, partition="p", account="a")
    job.move(State.RUNNING)
    job.move(State.COMPLETED)
    for state in State:
        with pytest.raises(ValueError, match="cannot go"):
            job.move(state)


def waiting(number: int = 7, **asked: object) -> EmbeddedJob:
    directives = "".join(f"#SBATCH --{name}={value}\n" for name, value in asked.items())
    description = JobDescription(working_directory="/work", script_path="run.sh")
    spec = read_spec(description, f"#!/bin/sh\n{directives}true\n", "run.sh")
    return EmbeddedJob(number, spec, time_limit=spec.time_limit, partition="normal", account="sandbox")


def test_times_are_printed_as_slurm_does() -> None:
    long = waiting(time="1-01:00:00")
    [row] = slurm_output.queue([long, waiting(8, time="5")][:1], user="me")
    assert (row["TimeLeft"], row["TimeUsed"], row["StartTime"]) == ("1-01:00:00", "0:00", "N/A")
    assert (row["ReasonList"], row["NumNodes"]) == ("(None)", "1")
    [short] = slurm_output.queue([waiting(8, time="01:30:00")], user="me")
    assert short["TimeLeft"] == "1:30:00"
    [endless] = slurm_output.queue([waiting(9, time="UNLIMITED")], user="me")
    assert endless["TimeLeft"] == "UNLIMITED"


def test_a_cancelled_job_that_never_ran_has_no_start() -> None:
    job = waiting(nodes=2)
    job.move(State.CANCELLED)
    [row] = slurm_output.account([job], user="me", delay=0)
    assert row["State"].startswith("CANCELLED by ")
    assert (row["Start"], row["NodeList"], row["NNodes"]) == ("None", "None assigned", "2")
    assert row["End"] != "Unknown"
    assert slurm_output.queue([job], user="me") == []


def test_the_accounting_delay_spares_jobs_that_wait_only_from_being_stubs() -> None:
    job = waiting()
    assert slurm_output.account([job], user="me", delay=100) == []
    job.submitted -= 60
    [row] = slurm_output.account([job], user="me", delay=100)
    assert (row["JobName"], row["State"]) == ("run.sh", "PENDING")


def test_a_script_is_described_by_its_path() -> None:
    shown = slurm_output.job(waiting(), user="me")
    assert (shown["Command"], shown["StdOut"], shown["JobState"]) == (
        "/work/run.sh",
        "/work/slurm-7.out",
        "PENDING",
    )
