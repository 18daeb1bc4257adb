"""A gateway in memory, over a directory that plays the remote side: what the session's tests steer."""

from __future__ import annotations

import asyncio
import io
import os
import re
import shutil
import stat
import tarfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from reframe_firecrest.gateway.partial_packing import pack_what_can_be
from reframe_firecrest.gateway.protocol import Progress
from reframe_firecrest.model.capabilities import Capabilities
from reframe_firecrest.model.errors import (
    ForbiddenError,
    GatewayError,
    NotFoundError,
    TooLargeError,
    UnlistableError,
)
from reframe_firecrest.model.gateway_status import GatewayStatus, ServiceHealth, SystemHealth
from reframe_firecrest.model.job_follower import JobFollower
from reframe_firecrest.model.remote_file import Archive, FileKind, RemoteFile
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.system import (
    AccountInfo,
    Cluster,
    NodeInfo,
    PartitionInfo,
    ReservationInfo,
    SystemInfo,
)

END = 1_700_000_000.0

HEALTH = SystemHealth(
    services=[
        ServiceHealth("scheduler", healthy=True),
        ServiceHealth("ssh", healthy=True),
        ServiceHealth("filesystem", healthy=True, path="/"),
        ServiceHealth("s3", healthy=True),
    ],
    checked=END - 10,
    interval=60,
    file_systems=["/"],
    max_direct_upload=1 << 20,
)


class FakeGateway:
    """A gateway that a test controls: it counts requests and fails on demand.

    Attributes:
        calls: how often each method was called.
        outage: seconds for which it has been unavailable.
        failures: errors to raise, by method, first in first out.
        blocked: methods that wait until their event is set.
        hidden: ids that the list does not show; asked singly, they are known.
        unknown: ids that are not known at all.
        trouble: errors that questions for single jobs meet each time, by id.
        opened: the gateway at the other end of this connection, if it is another one.
        unlistable: no list can be had.
        listed_parts: what lists show instead of `parts`.
        queried: ids of the jobs that were queried singly, in this order.
        settled_at: time by the monotonic clock until which requests may act late.
        names_at_once: how many names a list by name has room for.
        unsure: looks for a submission's job that will tell nothing.
        size_hints: sizes that were given for downloads.
        damaged: downloads of which only half will come.
        damaged_parts: parts of files that will come with another content.
        apart: each directory's files are in an archive of their own, with names relative to it.
        unreadable: names of files and directories that the gateway's user can't read.
        begins: a job that ends has begun; otherwise a test has to say so by `begin`.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.outage = 0.0
        self.failures: dict[str, list[GatewayError]] = {}
        self.blocked: dict[str, asyncio.Event] = {}
        self.hidden: set[str] = set()
        self.unknown: set[str] = set()
        self.parts: dict[str, list[JobPart]] = {}
        self.single: dict[str, list[JobPart]] = {}
        self.hostile: set[str] = set()
        self.trouble: dict[str, GatewayError] = {}
        self.unlistable = False
        self.listed_parts: dict[str, list[JobPart]] = {}
        self.names: list[list[str]] = []
        self.ids: list[list[str]] = []
        self.names_at_once = 1000
        self.settled_at = 0.0
        self.queried: list[str] = []
        self.unsure = 0
        self.unpackable: set[str] = set()
        self.size_hints: list[int] = []
        self.damaged = 0
        self.damaged_parts = 0
        self.apart = False
        self.unreadable: set[str] = set()
        self.begins = True
        self.late: dict[str, int] = {}
        self.submitted: list[tuple[str, str, str | None]] = []
        self.sent: dict[str, str] = {}
        self.scripts: dict[str, str] = {}
        self.places: dict[str, str] = {}
        self.cancelled: list[str] = []
        self.uploaded: list[list[str]] = []
        self.listed: list[str] = []
        self.capabilities = Capabilities(storage_url="https://s3.test")
        self.charged: list[str] = []
        self.max_direct_upload = 1 << 20
        self.version: tuple[int, ...] | None = (23, 2)
        self.token_lifetime: float | None = 300.0
        self.health = HEALTH
        self.clock_ahead = 0.0
        self.storage_status = 403
        self.closed = False
        self.opened: FakeGateway | None = None
        self._next = 100

    def expected_gateway(self) -> FakeGateway:
        """Be the connection to itself, too."""
        return self

    async def open_gateway(self) -> FakeGateway:
        """Be the connection to itself, too."""
        if "open" in self.blocked:
            await self.blocked["open"].wait()
        return self.opened or self

    def follow_jobs_with(self, follower: JobFollower) -> None:
        """Transfer without jobs."""

    def charge_transfers_to(self, account: str) -> None:
        self.charged.append(account)

    async def _enter(self, method: str) -> None:
        self.calls[method] += 1
        if method in self.blocked:
            await self.blocked[method].wait()
        if self.failures.get(method):
            raise self.failures[method].pop(0)

    async def authenticate(self) -> float | None:
        await self._enter("authenticate")
        return self.token_lifetime

    async def status(self) -> GatewayStatus:
        await self._enter("look")
        return GatewayStatus("2.5.6", {"fake": self.health}, END, 0.01, END + self.clock_ahead)

    async def reach(self, url: str) -> int:
        await self._enter("reach")
        return self.storage_status

    async def connect(self) -> SystemInfo:
        await self._enter("connect")
        capabilities = replace(
            self.capabilities, scheduler_version=self.version, max_direct_upload=self.max_direct_upload
        )
        return SystemInfo("fake", capabilities)

    async def cluster(self) -> Cluster:
        await self._enter("cluster")
        nodes = [
            NodeInfo("nid001", ("IDLE",), ("normal",), ("mc",), 16, 0, 16),
            NodeInfo("nid002", ("DRAIN",), ("normal", "debug"), ("mc", "gpu"), 16, 0, 0),
        ]
        return Cluster(nodes, [PartitionInfo("normal", 2, 32)], [ReservationInfo("res", "nid002")])

    async def accounts(self) -> list[AccountInfo]:
        await self._enter("accounts")
        return [AccountInfo("users"), AccountInfo("staff", default=True)]

    async def make_directory(self, path: str) -> None:
        await self._enter("make_directory")
        Path(path).mkdir(parents=True, exist_ok=True)

    async def exists(self, path: str) -> bool:
        await self._enter("exists")
        return Path(path).exists()

    async def list_tree(self, path: str) -> list[RemoteFile]:
        self.listed.append(path)
        await self._enter("list_tree")
        root = Path(path)
        if not root.is_dir():
            raise NotFoundError(f"{path}: no such directory", status=404)
        found = [_entry(root, item) for item in sorted(root.rglob("*"))]
        self._refuse([path, *(entry.path for entry in found if entry.kind is FileKind.DIRECTORY)])
        return [entry for entry in found if not self._is_late(path, entry)]

    async def list_directory(self, path: str) -> list[RemoteFile]:
        await self._enter("list_directory")
        if not Path(path).is_dir():
            raise NotFoundError(f"{path}: no such directory", status=404)
        self._refuse([path])
        return [_entry(Path(path), item) for item in sorted(Path(path).iterdir())]

    def _refuse(self, paths: Iterable[str]) -> None:
        for path in paths:
            if self.unreadable.intersection(path.split("/")):
                raise ForbiddenError(f"cannot open '{path}': Permission denied", status=403)

    def _is_late(self, path: str, entry: RemoteFile) -> bool:
        for name, looks in self.late.items():
            if entry.path.endswith(name) and looks > 0:
                self.late[name] -= 1
                return True
        return False

    async def upload(self, local: Path, remote: str, progress: Progress | None = None) -> str:
        await self._enter("upload")
        if progress:
            progress(0, local.stat().st_size)
        shutil.copyfile(local, remote)
        if tarfile.is_tarfile(local):
            with tarfile.open(local) as tar:
                self.uploaded.append([member.name for member in tar if not member.isdir()])
        return remote

    async def download(
        self, remote: str, local: Path, *, size_hint: int, progress: Progress | None = None
    ) -> None:
        await self._enter("download")
        self.size_hints.append(size_hint)
        self._refuse([remote])
        if not Path(remote).exists():
            raise NotFoundError(f"{remote}: no such file", status=404)
        if progress:
            progress(0, size_hint)
        shutil.copyfile(remote, local)
        if self.damaged:
            self.damaged -= 1
            os.truncate(local, local.stat().st_size // 2)

    async def upload_part(self, content: bytes, remote: str) -> str:
        await self._enter("upload_part")
        Path(remote).write_bytes(content)
        return remote

    async def download_part(self, remote: str, size: int) -> bytes:
        await self._enter("download_part")
        self._refuse([remote])
        content = Path(remote).read_bytes()
        if len(content) > self.capabilities.max_direct_download:
            raise TooLargeError(f"{remote} is too large", status=413)
        if self.damaged_parts and "/split-" in remote:
            self.damaged_parts -= 1
            return content[:-1] + bytes([content[-1] ^ 1])
        return content

    async def extract(self, archive: str, directory: str) -> None:
        await self._enter("extract")
        with tarfile.open(archive) as tar:
            # Older maintenance releases know no filters, newer ones want one named.
            trusted = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
            tar.extractall(directory, **trusted)  # type: ignore[arg-type]

    async def withdraw(self, archive: str) -> None:
        await self._enter("withdraw")
        Path(archive).unlink(missing_ok=True)

    async def archive(self, directory: str, files: Sequence[str], target: str) -> Sequence[Archive]:
        await self._enter("archive")
        if self.unreadable:

            async def pack(chunk: Sequence[str]) -> Archive:
                self._refuse(chunk)
                return self._pack(directory, chunk, f"{target}-{chunk[0].replace('/', '-')}", "")

            return await pack_what_can_be([files], pack)
        if not self.apart:
            return [self._pack(directory, files, target, "")]
        groups = {name: name.rpartition("/")[0] for name in files}
        return [
            self._pack(
                directory, [name for name in files if groups[name] == below], f"{target}-{number}", below
            )
            for number, below in enumerate(dict.fromkeys(groups.values()))
        ]

    def _pack(self, directory: str, files: Sequence[str], target: str, below: str) -> Archive:
        with tarfile.open(f"{target}.tgz", "w:gz") as tar:
            for name in files:
                inside = name.removeprefix(f"{below}/") if below else name
                if name.rpartition("/")[2] in self.unpackable:
                    continue
                if name.rpartition("/")[2] in self.hostile:
                    member = tarfile.TarInfo(f"./{inside}")
                    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
                    tar.addfile(member)
                    continue
                tar.add(Path(directory, name), f"./{inside}")
        return Archive(f"{target}.tgz", below)

    async def change_mode(self, path: str, mode: str) -> None:
        await self._enter("change_mode")
        Path(path).chmod(int(mode, 8))

    async def remove(self, path: str) -> None:
        await self._enter("remove")
        shutil.rmtree(path, ignore_errors=True)

    async def submit(self, script: str, directory: str, account: str | None) -> str:
        await self._enter("submit")
        return self.start(script, directory, account)

    def start(self, script: str, directory: str, account: str | None = None) -> str:
        """Let Slurm accept a job; call this to simulate a lost answer to a submission."""
        self._next += 1
        job_id = str(self._next)
        self.submitted.append((script, directory, account))
        with suppress(OSError):
            self.sent[job_id] = Path(script).read_text()
        self.parts[job_id] = [JobPart(job_id, "rfm", "PENDING", "Resources", None, "", END, None, directory)]
        return job_id

    def forget(self) -> None:
        """Forget the job that was submitted last, as a controller does that dies: the next has its id."""
        del self.parts[str(self._next)]
        self._next -= 1

    def finish(
        self, job_id: str, state: str = "COMPLETED", code: int = 0, files: Mapping[str, str] | None = None
    ) -> None:
        """End a job that was on two nodes and wrote its output and the given files."""
        [part] = self.parts[job_id]
        self.parts[job_id] = [
            replace(part, state=state, reason=None, exit_code=code, nodes="nid[001-002]", end=END)
        ]
        if self.begins and not self.begin(job_id):
            return
        directory = Path(part.working_directory)
        for name, text in {"job.out": "out", "job.err": "", **(files or {})}.items():
            (directory / name).write_text(text)

    def finish_with_report(
        self,
        job_id: str,
        files: Mapping[str, str],
        *,
        state: str = "COMPLETED",
        code: int = 0,
        nodes: int = 1,
        begun: bool = True,
        packed: Sequence[str] | None = None,
        content: bytes | None = None,
    ) -> None:
        """End a job that has made a report.

        Args:
            job_id: the job's.
            files: the files that it wrote.
            state: Slurm's.
            code: its exit code.
            nodes: how many it had.
            begun: the report shows that its commands began.
            packed: the files in the report; by default all that it wrote.
            content: the report's content instead; empty for no report.
        """
        [part] = self.parts[job_id]
        directory = Path(part.working_directory)
        self.begin(job_id)
        written = {"job.out": "out", "job.err": "", **files}
        for name, text in written.items():
            (directory / name).write_text(text)
        found = re.search(r"(/\S+/claims/[0-9a-f]{32})", self.sent[job_id])
        assert found is not None
        report = Path(f"{found[1]}.tgz")
        if content is None:
            _write_report(report, directory, written if packed is None else packed, begun=begun)
        elif content:
            report.write_bytes(content)
        self.parts[job_id] = [
            replace(part, state=state, exit_code=code, nodes="nid001", node_count=nodes, end=END, reason=None)
        ]

    def begin(self, job_id: str, changes: str | None = "searched") -> bool:
        """Let a job do what its script does before and after the test's commands.

        Args:
            job_id: the job's.
            changes: what it reports about hidden changes; None if it can't report.

        Returns:
            False if another job has claimed the submission, so that this one must do nothing.
        """
        found = re.search(r"(/\S+)/claims/([0-9a-f]{32})", self.sent.get(job_id, ""))
        if found is None:
            return True
        [part] = self.parts[job_id]
        claim = Path(found[1], "claims", found[2])
        marker = Path(part.working_directory, f".reframe-firecrest-{found[2]}")
        if not claim.is_symlink():
            claim.symlink_to(job_id)
        if str(claim.readlink()) != job_id:
            return False
        if not marker.with_suffix(".ready").is_symlink():
            marker.with_suffix(".ready").symlink_to(job_id)
            if changes:
                marker.with_suffix(".changes").symlink_to(changes)
        return True

    async def jobs(
        self,
        seen_since: float,
        names: Sequence[str] = (),
        ids: Sequence[str] = (),
        instead: Sequence[str] = (),
    ) -> list[JobPart]:
        await self._enter("jobs")
        self.names.append(list(names))
        self.ids.append(list(ids))
        if self.unlistable:
            raise UnlistableError("no list can be had")
        return [
            part
            for job_id, parts in {**self.parts, **self.listed_parts}.items()
            if job_id not in self.hidden | self.unknown
            for part in parts
        ]

    def names_per_list(self, names: Sequence[str]) -> int:
        return min(len(names), self.names_at_once)

    async def find(self, script: str, directory: str, name: str, since: float) -> list[str] | None:
        await self._enter("find")
        if self.unsure:
            self.unsure -= 1
            return None
        places = {**self.places, **_known_directories(await self.jobs(since))}
        return [job_id for job_id, place in places.items() if place == directory]

    async def job(self, job_id: str) -> list[JobPart]:
        self.queried.append(job_id)
        await self._enter("job")
        if job_id in self.trouble:
            raise self.trouble[job_id]
        if job_id in self.unknown:
            return []
        return self.single.get(job_id, self.parts.get(job_id, []))

    async def script(self, job_id: str) -> str:
        await self._enter("script")
        return self.scripts.get(job_id, "")

    async def directory(self, job_id: str) -> str:
        await self._enter("directory")
        return self.places.get(job_id, "")

    async def cancel(self, job_id: str) -> None:
        await self._enter("cancel")
        self.cancelled.append(job_id)

    def unsettled(self) -> float:
        return max(self.settled_at - time.monotonic(), 0.0)

    async def close(self) -> None:
        self.closed = True

    def stats(self) -> dict[str, int]:
        return {"requests": self.calls.total(), **self.calls}

    def unavailable(self) -> float:
        return self.outage


def _write_report(report: Path, directory: Path, packed: Iterable[str], *, begun: bool) -> None:
    """Write what a job's script does at its end."""
    entries = [_entry(directory, item) for item in sorted(directory.rglob("*"))]
    fields = [
        (
            *(_TYPES[entry.kind], f"?{entry.permissions}", entry.size, entry.mtime),
            *("me", entry.target or "", entry.path),
        )
        for entry in entries
        if begun or not entry.path.startswith(".reframe-firecrest-")
    ]
    listing = "".join(f"{field}\0" for entry in fields for field in entry).encode()
    with tarfile.open(report, "w:gz") as tar:
        member = tarfile.TarInfo(report.with_suffix(".list").name)
        member.size = len(listing)
        tar.addfile(member, io.BytesIO(listing))
        for name in packed:
            tar.add(directory / name, f"./{name}")


_TYPES = {FileKind.FILE: "f", FileKind.DIRECTORY: "d", FileKind.LINK: "l", FileKind.OTHER: "p"}


def _known_directories(parts: Iterable[JobPart]) -> dict[str, str]:
    return {part.base_id: part.working_directory for part in parts if part.working_directory}


def _entry(root: Path, item: Path) -> RemoteFile:
    info = item.lstat()
    kind = FileKind.DIRECTORY if item.is_dir() else FileKind.OTHER
    if item.is_symlink():
        kind = FileKind.LINK
    elif item.is_file():
        kind = FileKind.FILE
    mtime = datetime.fromtimestamp(int(info.st_mtime), timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    target = str(item.readlink()) if item.is_symlink() else None
    permissions = stat.filemode(info.st_mode)[1:]
    return RemoteFile(str(item.relative_to(root)), kind, info.st_size, mtime, target, permissions)
