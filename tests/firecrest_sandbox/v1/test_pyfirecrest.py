"""pyfirecrest's own v1 client against both runners."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import firecrest
import pytest

from firecrest_sandbox import Sandbox, SandboxConfig
from tests.firecrest_sandbox.conftest import PATIENCE
from tests.firecrest_sandbox.test_pyfirecrest import over_slurm

ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")


@dataclass(frozen=True)
class Site:
    """A sandbox as a client of v1 sees it."""

    client: Any
    system: str
    base: str

    def ended(self, job_id: str) -> dict[str, str]:
        """Wait until accounting reports the end of a job, with its actual name."""
        deadline = time.monotonic() + PATIENCE
        while True:
            rows = self.client.poll(self.system, [job_id])
            if rows and rows[0]["state"].startswith(ENDED) and rows[0]["partition"]:
                row: dict[str, str] = rows[0]
                return row
            assert time.monotonic() < deadline, rows
            time.sleep(0.1)


@contextmanager
def connected(variables: dict[str, str]) -> Iterator[Site]:
    auth = firecrest.ClientCredentialsAuth(
        variables["FIRECREST_CLIENT_ID"],
        variables["FIRECREST_CLIENT_SECRET"],
        variables["AUTH_TOKEN_URL"],
    )
    client = firecrest.v1.Firecrest(variables["FIRECREST_URL"], auth)
    client.timeout = 30
    client.polling_sleep_times = [0.05] * 400
    yield Site(client, variables["FIRECREST_SYSTEM"], variables["FIRECREST_BASEDIR"])
    client._session.close()


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
    parameters = {one["name"]: one["value"] for one in client.parameters()["utilities"]}
    assert parameters == {"UTILITIES_MAX_FILE_SIZE": "5", "UTILITIES_TIMEOUT": "5"}
    assert client.system(system)["status"] == "available"
    assert [one["service"] for one in client.all_services()][1:3] == ["utilities", "compute"]
    assert client.filesystems(system)[system][0]["status"] == "available"
    assert {"nid001", "nid004"} <= {one["NodeName"] for one in client.nodes(system)}
    assert client.nodes(system, ["nid001"])[0]["Partitions"]
    assert [one["Default"] for one in client.partitions(system)].count("YES") == 1
    assert isinstance(client.reservations(system), list)
    assert client.groups(system)["user"]["name"] == client.whoami(system)


@pytest.mark.parametrize("size", [300, 6 * 1024 * 1024 + 7])
def test_a_file_goes_up_and_comes_back(site: Site, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / f"file{size}").write_bytes(content)
    client, system = site.client, site.system
    upload = client.external_upload(system, str(tmp_path / f"file{size}"), site.base)
    upload.finish_upload()
    while upload.in_progress:
        time.sleep(0.05)
    assert upload.status == "114"
    download = client.external_download(system, f"{site.base}/file{size}")
    download.finish_download(str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == content
    download.invalidate_object_storage_link()
    assert client.stat(system, f"{site.base}/file{size}")["size"] == size


def test_small_files_and_archives(site: Site, tmp_path: Path) -> None:
    client, system, base = site.client, site.system, site.base
    client.mkdir(system, f"{base}/tree/empty", p=True)
    (tmp_path / "a.txt").write_text("first\nsecond\n")
    client.simple_upload(system, str(tmp_path / "a.txt"), f"{base}/tree")
    assert client.head(system, f"{base}/tree/a.txt", lines=1) == "first\n"
    assert client.tail(system, f"{base}/tree/a.txt", lines=1) == "second\n"
    assert client.view(system, f"{base}/tree/a.txt") == "first\nsecond\n"
    client.compress(system, f"{base}/tree", f"{base}/tree.tgz")
    client.mkdir(system, f"{base}/out")
    client.extract(system, f"{base}/tree.tgz", f"{base}/out")
    listed = client.list_files(system, f"{base}/out", recursive=True)
    assert sorted(one["name"] for one in listed) == ["tree", "tree/a.txt", "tree/empty"]
    checksums = {client.checksum(system, f"{base}/{name}/a.txt") for name in ("tree", "out/tree")}
    assert len(checksums) == 1
    client.simple_download(system, f"{base}/out/tree/a.txt", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "first\nsecond\n"
    client.simple_delete(system, f"{base}/out")
    with pytest.raises(firecrest.HeaderException):
        client.list_files(system, f"{base}/out")


def test_archives_are_made_and_unpacked_by_jobs(site: Site) -> None:
    client, system, base = site.client, site.system, f"{site.base}/jobs"
    client.mkdir(system, f"{base}/tree/deep", p=True)
    client.mkdir(system, f"{base}/out")
    packed = client.submit_compress_job(system, f"{base}/tree", f"{base}/tree.tgz")
    assert site.ended(packed["jobid"])["name"] == "compress-job"
    unpacked = client.submit_extract_job(system, f"{base}/tree.tgz", f"{base}/out")
    assert site.ended(unpacked["jobid"])["state"] == "COMPLETED"
    assert client.head(system, unpacked["job_file_err"]) == ""
    listed = client.list_files(system, f"{base}/out", recursive=True)
    assert [one["name"] for one in listed] == ["tree", "tree/deep"]


def test_a_job_runs(site: Site, tmp_path: Path) -> None:
    client, system = site.client, site.system
    directory = f"{site.base}/job"
    client.mkdir(system, directory)
    (tmp_path / "run.sh").write_text(
        "#!/bin/bash\n#SBATCH -n2 -N2 -J both\n#SBATCH --time=1\n"
        "srun bash -c 'echo rank $SLURM_PROCID $WORD'\nexit 3\n"
    )
    client.simple_upload(system, str(tmp_path / "run.sh"), directory)
    job = client.submit(system, script_remote_path=f"{directory}/run.sh", env_vars={"WORD": "two words"})
    assert job["job_file"] == f"{directory}/run.sh"
    row = site.ended(job["jobid"])
    assert (row["state"], row["exit_code"], row["name"]) == ("FAILED", "3:0", "both")
    output = client.head(system, job["job_file_out"])
    ranks = sorted(line for line in output.splitlines() if line.startswith("rank"))
    assert ranks == ["rank 0 two words", "rank 1 two words"]


def test_a_job_is_cancelled(site: Site) -> None:
    client, system = site.client, site.system
    job = client.submit(system, script_str="#!/bin/bash\nsleep 100\n")
    assert "/firecrest/" in job["job_file"]
    assert [one["jobid"] for one in client.poll_active(system, [job["jobid"]])] == [job["jobid"]]
    assert client.cancel(system, job["jobid"]) == f"scancel: Terminating job {job['jobid']}"
    assert site.ended(job["jobid"])["state"].startswith("CANCELLED")
    with pytest.raises(firecrest.FirecrestException, match="already completing or completed"):
        client.cancel(system, job["jobid"])


def test_an_array_is_polled_by_its_id_and_by_its_tasks(site: Site) -> None:
    client, system = site.client, site.system
    job = client.submit(system, script_str="#!/bin/bash\n#SBATCH --array=0-1\nexit $SLURM_ARRAY_TASK_ID\n")
    array = job["jobid"]
    assert site.ended(f"{array}_1")["exit_code"] == "1:0"
    assert site.ended(f"{array}_0")["exit_code"] == "0:0"
    rows = client.poll(system, [array])
    assert sorted(row["jobid"] for row in rows) == [f"{array}_0", f"{array}_1"]


def test_a_batch_knows_known_and_unknown_jobs(site: Site) -> None:
    client, system = site.client, site.system
    job = client.submit(system, script_str="#!/bin/bash\ntrue\n")
    site.ended(job["jobid"])
    rows = client.poll(system, [job["jobid"], "99999999", job["jobid"]])
    assert [row["jobid"] for row in rows] == [job["jobid"]]
    assert client.poll(system, ["99999999"]) == []
    with pytest.raises(firecrest.FirecrestException, match="Bad job/step specified: abc"):
        client.poll(system, [job["jobid"], "abc"])


def test_a_wrong_partition_is_refused(site: Site) -> None:
    script = "#!/bin/bash\n#SBATCH --partition=nowhere\ntrue\n"
    with pytest.raises(firecrest.FirecrestException, match="invalid partition specified: nowhere"):
        site.client.submit(site.system, script_str=script)
