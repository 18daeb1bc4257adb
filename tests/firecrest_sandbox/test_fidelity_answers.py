"""Replays recorded requests against a sandbox that was prepared like the recorded gateway."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from firecrest_sandbox import Sandbox, SandboxConfig
from tests.firecrest_sandbox.conftest import Api
from tests.firecrest_sandbox.differences import DIFFERENCES
from tests.firecrest_sandbox.recordings import RECORDINGS, Exchange, Shape, exchanges, names

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no directory `shared` with recordings beside the project"
)

LINES = "".join(f"line {n}\n" for n in range(100)).encode()
SLEEP = "#!/bin/bash\nsrun sleep 60\n"

# What each streamed body held; the recordings don't show it.
UPLOADS = {
    "err_permission_upload": ("x.txt", b"x"),
    "err_upload_direct_too_big": ("d.bin", bytes(5 * 1024 * 1024 + 1)),
    "err_upload_missing_dir": ("x.py", b"x"),
    "odd_name_amp_and_txt": ("amp&and.txt", b"odd\n"),
    "odd_name_dollar_x_txt": ("dollar$x.txt", b"odd\n"),
    "odd_name_quo_te_txt": ("quo'te.txt", b"odd\n"),
    "odd_name_with_space_txt": ("with space.txt", b"odd\n"),
    "odd_name_ünïcode_txt": ("ünïcode.txt", b"odd\n"),
    "upload_direct_exactly_5MiB_ok": ("d.bin", bytes(5 * 1024 * 1024)),
    "upload_direct_limit_ok": ("d.bin", bytes(5_000_000)),
    "upload_empty_file": ("empty.bin", b""),
    "upload_small": ("small.txt", LINES),
}

NEEDS_USER = "permissions don't stop root"
NOT_REPLAYED = {
    **dict.fromkeys(
        (
            "err_permission_mkdir",
            "err_permission_rm",
            "err_permission_upload",
            "err_permission_view",
        ),
        NEEDS_USER,
    ),
    "err_submit_quota": "reservations",
    "err_upload_s3_store_down": "errors-of-services",
    "err_user_without_ssh_key": "errors-of-services",
    "job_metadata_after_MinJobAge": "metadata-age",
    "reservations": "reservations",
    "slurmdbd_down_submit": "errors-of-services",
    "submit_partition_account_reservation": "reservations",
    "systems_unhealthy": "errors-of-services",
    "token_45s_fresh": "the same request as userinfo",
    "upload_late_s3": "transfer-poll",
    "err_token_expired": "test_auth",
    "err_token_expires_soon": "test_auth",
    "transfer_upload_unwritable_dir": NEEDS_USER,
}
if os.geteuid() != 0:
    NOT_REPLAYED = {name: why for name, why in NOT_REPLAYED.items() if why != NEEDS_USER}
LISTS = re.compile("job_info_(all|time_window)")
SERVICES_DOWN = re.compile("err_(sessions|slurm|sshd|unhealthy)")

# Where an answer may look otherwise, by recording and place in the body.
EXCUSED_PLACES = {
    ("job_info_cancelled", ".jobs[].time.limit"): "cancelled-record",
    ("job_info_array_pending", ".jobs[].time.start"): "pending-start",
    ("job_info_array_pending", ".jobs[].time.end"): "pending-start",
    ("job_info_pending", ".jobs[].time.start"): "pending-start",
    ("job_info_pending", ".jobs[].time.end"): "pending-start",
}
EXCUSED_MESSAGES = {
    "err_checksum_dir": "command-texts",
    "err_compress_missing": "command-texts",
    "err_extract_missing_dir": "command-texts",
    "err_job_id_array_task": "validation-message",
    "err_job_id_list": "validation-message",
    "err_time_window_bad": "validation-message",
    "err_validation_body": "validation-message",
    "err_view_dir": "command-texts",
}


def replayed() -> list[str]:
    return [name for name in names() if name not in NOT_REPLAYED and not SERVICES_DOWN.match(name)]


@pytest.fixture(scope="module")
def recorded_like() -> Iterator[Api]:
    settings = SandboxConfig(
        system="mycluster",
        partitions=("normal", "debug"),
        accounts=("staff", "users"),
        operation_timeout=2.5,
        kill_wait=1.0,
    )
    with Sandbox(settings) as sandbox:
        api = Api(sandbox)
        prove = api.home / "prove"
        (prove / "a" / "b").mkdir(parents=True)
        (api.sandbox.root / "scratch" / api.home.name).mkdir(parents=True)
        (api.sandbox.root / "scratch" / "readonly").mkdir()
        (api.sandbox.root / "scratch" / "readonly" / "file.txt").touch()
        (api.sandbox.root / "scratch" / "readonly").chmod(0o555)
        (api.sandbox.root / "scratch" / "rootonly").mkdir(mode=0)
        os.mkfifo(prove / "fifo")
        random = os.urandom(20_983_865)
        (prove / "big.bin").write_bytes(random)
        (prove / "huge.bin").write_bytes(random * 2)
        (prove / "m.bin").write_bytes(random[: 1024 * 1024])
        (prove / "d.bin").write_bytes(random[:4_500_000])
        yield api
        (api.sandbox.root / "scratch" / "rootonly").chmod(0o700)
        api.close()


class Replay:
    """One recording being replayed."""

    def __init__(self, api: Api, name: str) -> None:
        self.api = api
        self.name = name
        self.job_id: str | None = None

    def translated(self, value: Any) -> Any:
        """Return a recorded value with the sandbox's paths, user and ids."""
        text = json.dumps(value, ensure_ascii=False)
        text = text.replace("/home/fireuser", str(self.api.home))
        text = re.sub(r'/(scratch|home)(?=["/])(?!fireuser)', self._place, text)
        text = text.replace("(/etc/x)", f"({self.api.sandbox.root.parent}/etc/x)")
        if self.job_id is not None:
            text = re.sub(r"\b(job(?: id)?) \d+", rf"\1 {self.job_id}", text)
        text = text.replace("fireuser", self.api.sandbox.state.user.name)
        return json.loads(text)

    def _place(self, match: re.Match[str]) -> str:
        return str(self.api.sandbox.root / match[1]) if match[1] == "scratch" else match[0]

    def send(self, exchange: Exchange) -> httpx.Response:
        path = exchange.path
        if self.job_id is not None:
            path = re.sub(r"/jobs/\d+", f"/jobs/{self.job_id}", path)
        options: dict[str, Any] = {"params": self.translated(exchange.query)}
        if exchange.body == "<streamed>":
            options["files"] = {"file": UPLOADS[self.name]}
        elif exchange.body is not None:
            options["json"] = self.translated(exchange.body)
        headers = {}
        if self.name in ("err_bad_token", "err_tampered_token"):
            token = "not-a-token" if self.name == "err_bad_token" else self.api.token()[:-4] + "AAAA"
            headers["Authorization"] = f"Bearer {token}"
        request = self.api.http.build_request(exchange.method, path, headers=headers, **options)
        if self.name == "err_no_auth_header":
            del request.headers["Authorization"]
        return self.api.http.send(request)


def restore_small(api: Api) -> None:
    prove = api.home / "prove"
    (prove / "small.txt").unlink(missing_ok=True)
    (prove / "small.txt").write_bytes(LINES)
    (prove / "empty.bin").touch()
    (prove / "ex").mkdir(exist_ok=True)
    (prove / "ex" / "small.txt").write_bytes(LINES)
    (prove / "moved.txt").write_bytes(LINES)
    for gone in ("link", "small.tar.gz"):
        (prove / gone).unlink(missing_ok=True)
    (prove / "s.sh").write_text("#!/bin/bash\nhostname\n")


def archive(api: Api) -> None:
    source, target = api.home / "prove" / "small.txt", api.home / "prove" / "small.tar.gz"
    api.ops("POST", "compress", json={"path": str(source), "targetPath": str(target)})


def lat(api: Api) -> None:
    (api.home / "prove" / "lat.tgz").write_bytes(b"")


def link(api: Api) -> None:
    (api.home / "prove" / "link").symlink_to(api.home / "prove" / "small.txt")


def running(api: Api) -> str:
    job_id = str(api.submit(SLEEP, name="runner").json()["jobId"])
    api.wait(job_id, "RUNNING")
    deadline_free = api.http.get(f"{api.jobs_url}/{job_id}")
    while len(deadline_free.json()["jobs"][0]["tasks"]) < 2:
        deadline_free = api.http.get(f"{api.jobs_url}/{job_id}")
    return job_id


def pending(api: Api) -> str:
    api.submit(SLEEP.replace("srun", "#SBATCH --exclusive -N4\nsrun -N4"))
    return api.submitted("true\n")


def pending_array(api: Api) -> str:
    pending(api)
    return api.submitted("#SBATCH --array=0-2\ntrue\n")


def running_array(api: Api) -> str:
    job_id = api.submitted("#SBATCH --array=0-1\nsleep 60\n")
    api.wait(job_id, "RUNNING")
    return job_id


def running_array_task(api: Api) -> str:
    return str(int(running_array(api)) + 1)


def ended(script: str) -> Callable[[Api], str]:
    def prepare(api: Api) -> str:
        job_id = api.submitted(script, name="hello")
        api.wait(job_id)
        return job_id

    return prepare


def cancelled(api: Api) -> str:
    job_id = running(api)
    api.http.delete(f"{api.jobs_url}/{job_id}")
    api.wait(job_id)
    return job_id


ended_array = ended("#SBATCH --array=0-2\nexit $SLURM_ARRAY_TASK_ID\n")
completed = ended("srun hostname\n")
PREPARED: dict[str, Callable[[Api], str | None]] = {
    "attach": running,
    "cancel_array": pending_array,
    "cancel_array_running": running_array,
    "cancel_finished": cancelled,
    "cancel_pending": pending,
    "cancel_running": running,
    "err_extract_missing_dir": lat,
    "err_rm_missing": lambda _: None,
    "err_symlink_exists": link,
    "extract": archive,
    "job_info_after_MinJobAge": completed,
    "job_info_all": lambda api: completed(api) and pending(api),
    "job_info_all_running": running,
    "job_info_allusers_name": completed,
    "job_info_array_done": ended_array,
    "job_info_array_pending": pending_array,
    "job_info_array_raw_task_id": running_array_task,
    "job_info_array_running": running_array,
    "job_info_cancelled": cancelled,
    "job_info_completed": completed,
    "job_info_failed": ended("srun -n1 false\nexit 3\n"),
    "job_info_pending": pending,
    "job_info_right_after_submit": pending,
    "job_info_running": running,
    "job_metadata": completed,
    "job_metadata_array": ended_array,
    "rm_file": archive,
    **dict.fromkeys((f"job_info_time_window_{w}" for w in ("1h", "8h", "24h", "3d", "7d")), completed),
}


@pytest.fixture
def cleared(recorded_like: Api) -> Iterator[Api]:
    restore_small(recorded_like)
    yield recorded_like
    for job in recorded_like.listed():
        if job["status"]["state"] in ("PENDING", "RUNNING") and "_" not in job["jobId"]:
            recorded_like.http.delete(f"{recorded_like.jobs_url}/{job['jobId']}")


@pytest.mark.parametrize("name", replayed())
def test_answer_is_like_the_recorded_one(cleared: Api, name: str) -> None:
    replay = Replay(cleared, name)
    if name in PREPARED:
        replay.job_id = PREPARED[name](cleared)
    for exchange in exchanges(name):
        if re.match(r"/fireuser/", exchange.path):
            # The object store has its own test.
            break
        answer = replay.send(exchange)
        assert answer.status_code == exchange.status, answer.text
        assert "f7t-appversion" in answer.headers
        assert answer.headers.get("content-type") == exchange.content_type
        assert ("f7t-authusername" in answer.headers) == exchange.authusername
        compare_bodies(replay, exchange, answer)
        if exchange.status == 201 and exchange.path.endswith("/jobs"):
            replay.job_id = answer.json()["jobId"]
            cleared.wait(answer.json()["jobId"]) if len(exchanges(name)) > 1 else None
        if "/transfer/" in exchange.path and exchange.status == 201:
            # What follows are looks at the job, whose ids and times are of the day.
            job_id = answer.json()["transferJob"]["jobId"]
            assert answer.json()["transferJob"]["system"] == "mycluster"
            cleared.http.delete(f"{cleared.jobs_url}/{job_id}")
            cleared.wait(job_id)
            break


def compare_bodies(replay: Replay, exchange: Exchange, answer: httpx.Response) -> None:
    if exchange.content_type != "application/json":
        body = answer.text or None
    else:
        body = answer.json() if answer.content else None
    shape = exchange.shape
    if LISTS.match(replay.name):
        # Which states a list shows depends on the moment.
        for name in names():
            if name.startswith("job_info_"):
                shape.see(exchanges(name)[-1].answer)
    differences = [
        text
        for text in shape.unlike(Shape().see(body))
        if EXCUSED_PLACES.get((replay.name, text.partition(":")[0])) not in DIFFERENCES
    ]
    assert not differences
    if exchange.status < 400 or not isinstance(body, dict):
        return
    recorded = replay.translated(exchange.answer)
    if EXCUSED_MESSAGES.get(replay.name) not in DIFFERENCES:
        assert body == recorded
    elif replay.name == "err_validation_body":
        assert body["data"]["fields"][0] in recorded["data"]["fields"]
    else:
        assert {**body, "message": ""} == {**recorded, "message": ""}


def test_every_recording_is_replayed_or_explained() -> None:
    for why in NOT_REPLAYED.values():
        assert why
    for why in (*EXCUSED_PLACES.values(), *EXCUSED_MESSAGES.values()):
        assert why in DIFFERENCES
    assert len(replayed()) > 80


def test_the_table_of_differences_is_the_documented_one() -> None:
    documented = (Path(__file__).resolve().parents[2] / "docs" / "sandbox.md").read_text()
    for one in DIFFERENCES.values():
        row = f"| {one.what} | {one.real} | {one.sandbox} | {one.why} |"
        assert row in documented, row
