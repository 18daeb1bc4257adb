"""pyfirecrest's own v2 client against both runners."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import firecrest
import pytest
from ClusterShell.NodeSet import NodeSet

from firecrest_sandbox import Sandbox, SandboxConfig

SLURM_USER = os.environ.get("SLURM_LAB_USER", "fireuser")
CODE = "from reframe_firecrest.cli.main import main; main()"


@dataclass(frozen=True)
class Site:
    """A sandbox as a client sees it."""

    client: Any
    system: str
    base: str
    account: str | None


@contextmanager
def connected(variables: dict[str, str]) -> Iterator[Site]:
    auth = firecrest.ClientCredentialsAuth(
        variables["FIRECREST_CLIENT_ID"],
        variables["FIRECREST_CLIENT_SECRET"],
        variables["AUTH_TOKEN_URL"],
    )
    client = firecrest.v2.Firecrest(variables["FIRECREST_URL"], auth)
    client.timeout = 30
    accounts = client.userinfo(variables["FIRECREST_SYSTEM"])["accounts"]
    account = next(one["name"] for one in accounts if one["default"])
    try:
        yield Site(client, variables["FIRECREST_SYSTEM"], variables["FIRECREST_BASEDIR"], account)
    finally:
        client.close_session()


def slurm_command() -> list[str]:
    """Return what starts Python as a user whose jobs Slurm takes, or skip."""
    if shutil.which("sbatch") is None:
        pytest.skip("no sbatch here")
    ping = subprocess.run(["scontrol", "ping"], capture_output=True, text=True, check=False, timeout=30)
    if "UP" not in ping.stdout:
        pytest.skip("Slurm's controller doesn't answer")
    if os.geteuid() != 0:
        return [sys.executable]
    try:
        pwd.getpwnam(SLURM_USER)
    except KeyError:
        pytest.skip(f"root's jobs aren't taken, and there is no user {SLURM_USER}")
    become = ["runuser", "-u", SLURM_USER, "--", "env", f"PYTHONPATH={os.pathsep.join(sys.path)}"]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in filter(None, (os.environ.get("SLURM_LAB_PYTHON"), sys.executable, f"/usr/bin/{version}")):
        command = [*become, "PYTHONDONTWRITEBYTECODE=1", python]
        tried = [*command, "-c", "import firecrest_sandbox"]
        if subprocess.run(tried, capture_output=True, check=False, timeout=60, cwd="/").returncode == 0:
            return command
    pytest.skip(f"no {version} that {SLURM_USER} can run and that finds the package")


def over_slurm() -> Iterator[dict[str, str]]:
    """Start a sandbox over Slurm and yield its client's variables."""
    command, options = slurm_command(), ("sandbox", "--runner", "slurm")
    with tempfile.TemporaryDirectory(prefix="sandbox-slurm-", dir="/tmp") as directory:
        if os.geteuid() == 0:
            shutil.chown(directory, SLURM_USER)
        file = Path(directory, "env")
        process = subprocess.Popen(
            [*command, "-c", CODE, *options, "--env-file", str(file), "--root", f"{directory}/root"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=directory,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("# Serving")
            lines = [line.removeprefix("export ") for line in file.read_text().splitlines()]
            variables = dict(shlex.split(line)[0].split("=", 1) for line in lines)
            yield variables
        finally:
            process.terminate()
            process.communicate(timeout=60)


@pytest.fixture(scope="module", params=["embedded", "slurm"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    if request.param == "slurm":
        for variables in over_slurm():
            with connected(variables) as site:
                yield site
    else:
        with Sandbox(SandboxConfig()) as sandbox, connected(sandbox.environment()) as site:
            yield site


def test_the_system_is_described(site: Site) -> None:
    client, system = site.client, site.system
    [entry] = client.systems()
    assert entry["name"] == system
    assert entry["scheduler"]["version"].count(".") >= 1
    assert client.nodes(system)
    assert client.partitions(system)
    assert isinstance(client.reservations(system), list)
    client.server_version()


# pyfirecrest 3.10 completes an upload by an argument of httpx that is going out of use.
@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
@pytest.mark.parametrize("size", [300, 2 * 1024 * 1024 + 7])
def test_a_file_goes_up_and_comes_back(site: Site, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    options = {"account": site.account, "blocking": True}
    site.client.upload(site.system, tmp_path / "file", site.base, "file", **options)
    site.client.download(site.system, f"{site.base}/file", tmp_path / "back", **options)
    assert (tmp_path / "back").read_bytes() == content
    assert int(site.client.stat(site.system, f"{site.base}/file")["size"]) == size


def test_archives_are_made_and_unpacked(site: Site, tmp_path: Path) -> None:
    client, system, base = site.client, site.system, site.base
    client.mkdir(system, f"{base}/tree/empty", create_parents=True)
    (tmp_path / "a.txt").write_text("a")
    client.upload(system, tmp_path / "a.txt", f"{base}/tree", "a.txt", account=site.account, blocking=True)
    client.compress(system, f"{base}/tree", f"{base}/tree.tgz")
    client.mkdir(system, f"{base}/out")
    client.extract(system, f"{base}/tree.tgz", f"{base}/out")
    listed = client.list_files(system, f"{base}/out", recursive=True)
    assert sorted(one["name"] for one in listed) == ["tree", "tree/a.txt", "tree/empty"]
    client.rm(system, f"{base}/out/tree/a.txt", account=site.account, blocking=True)
    assert len(client.list_files(system, f"{base}/out/tree")) == 1


def test_a_job_runs(site: Site) -> None:
    client, system, base = site.client, site.system, site.base
    script = (
        "#!/bin/bash\n#SBATCH -n2 -N2\n#SBATCH --time=1\nsrun bash -c 'echo rank $SLURM_PROCID'\nexit 3\n"
    )
    job_id = client.submit(system, base, script_str=script)["jobId"]
    [job] = client.wait_for_job(system, job_id, timeout=60)
    assert (job["status"]["state"], job["status"]["exitCode"]) == ("FAILED", 3)
    assert [task["name"] for task in job["tasks"]] == ["batch", "bash"]
    deadline = time.monotonic() + 30
    while len(NodeSet(job["nodes"])) < 2:
        # slurmdbd learns of a job's steps before it learns of all its nodes.
        assert time.monotonic() < deadline, job
        time.sleep(0.2)
        [job] = client.job_info(system, job_id)
    output = client.view(system, f"{base}/slurm-{job_id}.out")
    assert sorted(line for line in output.splitlines() if line.startswith("rank")) == ["rank 0", "rank 1"]
    assert client.job_metadata(system, job_id)[0]["script"] == script


def test_a_job_is_cancelled(site: Site) -> None:
    client, system = site.client, site.system
    name = f"cancelled-{os.getpid()}"
    script = f"#!/bin/bash\n#SBATCH --job-name={name}\nsleep 100\n"
    job_id = client.submit(system, site.base, script_str=script)["jobId"]
    deadline = time.monotonic() + 30
    while not client.job_info(system, job_id)[0]["status"]["state"].startswith("RUNNING"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    # pyfirecrest sends both filters only to FirecREST 2.6.0 and later. Without them a job that others have
    # named `a|b` would break the list.
    listed = client.job_info(system, name=name, time_window="1h")
    assert [job["jobId"] for job in listed] == [job_id]
    client.cancel_job(system, job_id)
    jobs = client.wait_for_job(system, job_id, timeout=60)
    assert jobs[0]["status"]["state"].startswith("CANCELLED")


def test_unknown_jobs_are_not_found(site: Site) -> None:
    with pytest.raises(firecrest.UnexpectedStatusException) as error:
        site.client.job_info(site.system, "99999999")
    assert error.value.responses[-1].status_code == 404
    with pytest.raises(firecrest.UnexpectedStatusException) as error:
        site.client.cancel_job(site.system, "99999999")
    assert error.value.responses[-1].status_code == 500


def test_a_wrong_partition_is_refused(site: Site) -> None:
    script = "#!/bin/bash\n#SBATCH --partition=nowhere\ntrue\n"
    with pytest.raises(firecrest.UnexpectedStatusException) as error:
        site.client.submit(site.system, site.base, script_str=script)
    answer = error.value.responses[-1]
    assert answer.status_code == 500
    assert "invalid partition specified: nowhere" in answer.json()["message"]
