"""The `srun` that jobs of the embedded runner find."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from firecrest_sandbox import Sandbox, SandboxConfig
from tests.firecrest_sandbox.conftest import Api


@pytest.fixture(scope="module")
def cluster() -> Iterator[Api]:
    with Sandbox(SandboxConfig(nodes=2, cpus=4, kill_wait=1)) as sandbox:
        api = Api(sandbox)
        yield api
        api.close()


SHOW = "bash -c 'echo $SLURM_PROCID $SLURM_LOCALID $SLURM_NODEID $SLURMD_NODENAME $SLURM_NTASKS'"


def test_tasks_know_their_ranks_and_nodes(cluster: Api) -> None:
    _, output = cluster.ran(f"#SBATCH -N2 -n4\nsrun {SHOW}\n")
    assert sorted(output.splitlines()) == [
        "0 0 0 nid001 4",
        "1 1 0 nid001 4",
        "2 0 1 nid002 4",
        "3 1 1 nid002 4",
    ]


@pytest.mark.parametrize(
    ("options", "tasks"),
    [
        ("-n3", 3),
        ("--ntasks 3", 3),
        ("-N2", 4),
        ("-N1 -n1", 1),
        ("-N 2 --ntasks-per-node=1", 2),
        ("-n2 -c2 --cpu-bind=cores --mem 1G --mpi=pmi2 --exact --overlap", 2),
        ("--gpus-per-task=1 --unknown-flag -u -n1", 1),
    ],
)
def test_as_many_tasks_as_asked_for(cluster: Api, options: str, tasks: int) -> None:
    job, output = cluster.ran(f"#SBATCH -N2 -n4\nsrun {options} echo x\n")
    assert output.split() == ["x"] * tasks
    assert job["tasks"][1]["status"]["state"] == "COMPLETED"


def test_labels_exports_directories_and_files(cluster: Api) -> None:
    (cluster.home / "sub").mkdir(exist_ok=True)
    _, output = cluster.ran(
        "#SBATCH -n2\nexport KEPT=1\n"
        "srun -l --export=ALL,NEW=2 --chdir=sub bash -c 'echo $KEPT$NEW $(basename $PWD)'\n"
        "srun -n1 --export=NONE bash -c 'echo [$KEPT]'\n"
        "srun -o %j.%s.%t.txt bash -c 'echo $SLURM_PROCID'\n"
        "echo fed > in; srun -n1 -i in cat\n"
    )
    job_id = cluster.listed()[-1]["jobId"]
    assert sorted(output.splitlines()) == ["0: 12 sub", "1: 12 sub", "[]", "fed"]
    assert (cluster.home / f"{job_id}.2.1.txt").read_text() == "1\n"


def test_the_highest_exit_code_wins_and_steps_are_recorded(cluster: Api) -> None:
    job, output = cluster.ran("#SBATCH -n3\nsrun bash -c 'exit $SLURM_PROCID'\nsrun -n1 true\nexit 5\n")
    assert "srun: error: nid001: task 2: Exited with exit code 2" in output
    steps = [(s["id"].split(".")[1], s["name"], s["status"]["exitCode"]) for s in job["tasks"]]
    assert steps == [("batch", "batch", 5), ("0", "bash", 2), ("1", "true", 0)]


def test_a_killed_task_and_a_missing_program(cluster: Api) -> None:
    job, output = cluster.ran("srun bash -c 'kill -9 $$'\necho $?\nsrun /nowhere/program\necho $?\n")
    assert output.splitlines()[1] == str(128 + signal.SIGKILL)
    assert output.splitlines()[-1] == "2"
    assert job["tasks"][1]["status"]["interruptSignal"] == signal.SIGKILL


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("-N3 true", "Only allocated 1 nodes asked for 3"),
        ("-n5 true", "More processors requested than permitted"),
        ("-n1", "No command given"),
    ],
)
def test_more_than_the_job_has_is_refused(cluster: Api, options: str, complaint: str) -> None:
    _, output = cluster.ran(f"#SBATCH -n1\nsrun {options}\n")
    assert complaint in output


def test_overcommit_and_the_version(cluster: Api) -> None:
    _, output = cluster.ran("srun -n3 --overcommit echo x\nsrun --version\n")
    assert output.split() == ["x", "x", "x", "slurm", "22.05.8"]


def test_a_bad_exit_kills_the_others_when_asked(cluster: Api) -> None:
    script = "srun -K -n2 bash -c '[ $SLURM_PROCID = 0 ] && exit 1; sleep 60'\n"
    job, _ = cluster.ran("#SBATCH -n2\n" + script)
    assert job["status"]["exitCode"] == 1
