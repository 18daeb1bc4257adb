"""The operations of a gateway in plain data, the same for all versions of the API.

`JobGateway` has the operations that jobs need, `Diagnostics` those of the commands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from reframe_firecrest.model.gateway_status import GatewayStatus
from reframe_firecrest.model.job_follower import JobFollower
from reframe_firecrest.model.remote_file import Archive, RemoteFile
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.system import AccountInfo, Cluster, SystemInfo

Progress = Callable[[int, int], None]
"""Callback for the progress of a transfer: bytes so far, and bytes in total, 0 while the total is unknown.

It is called for about every MiB on the event loop's thread, so it must be quick. The first number falls when
bytes have to be transferred again.
"""

LATEST_EFFECT = 11.0
"""Seconds for which a gateway may still carry out a request that was cut off.

It gives a Slurm command 10 s. Source: FirecREST v2's setting ``timeout`` of a scheduler.
"""


class JobGateway(Protocol):
    """One system behind one gateway: the operations that jobs need.

    Paths are absolute remote paths. Every method raises a `GatewayError`; transient errors have been retried
    within the settings' limits before, so the caller need not retry.
    """

    def follow_jobs_with(self, follower: JobFollower) -> None:
        """Set the follower that waits for transfer jobs; without one, large files cannot be transferred."""
        ...

    def charge_transfers_to(self, account: str) -> None:
        """Charge transfer jobs to an account, unless the settings name one or this was called before.

        Transfers concern several tests at a time, so the first account counts.
        """
        ...

    async def connect(self) -> SystemInfo:
        """Return the system as the gateway describes it; this checks URL, credentials and system name."""
        ...

    async def cluster(self) -> Cluster:
        """Return the system's nodes, partitions and reservations."""
        ...

    async def make_directory(self, path: str) -> None:
        """Create a directory and its parents; it may exist."""
        ...

    async def exists(self, path: str) -> bool:
        """Report whether a path exists."""
        ...

    async def list_tree(self, path: str) -> list[RemoteFile]:
        """List everything below a directory, hidden entries included."""
        ...

    async def list_directory(self, path: str) -> list[RemoteFile]:
        """List the entries of a directory itself, hidden ones included."""
        ...

    async def upload(self, local: Path, remote: str, progress: Progress | None = None) -> str:
        """Upload a file of any size; return its remote path.

        After more than one attempt, that is another path in the same directory, derived from `remote`: a
        late attempt then writes to a path that is not used.

        Args:
            local: the file; it must not change meanwhile.
            remote: the remote path to create.
            progress: called for large files.
        """
        ...

    async def upload_part(self, content: bytes, remote: str) -> str:
        """Create a file in one request; return its remote path, which `upload` describes.

        Raises:
            TooLargeError: the content is above the gateway's limit.
            OperationTimeoutError: writing took too long.
        """
        ...

    async def download_part(self, remote: str, size: int) -> bytes:
        """Return the content of a file in one request.

        Args:
            remote: the remote path.
            size: bytes of the file, as listed.

        Raises:
            TooLargeError: the file is above the gateway's limit.
        """
        ...

    async def download(
        self, remote: str, local: Path, *, size_hint: int, progress: Progress | None = None
    ) -> None:
        """Download a file of any size.

        Args:
            remote: the remote path.
            local: the local path; the file appears when it is complete.
            size_hint: approximate bytes of the file.
            progress: called for large files.
        """
        ...

    async def extract(self, archive: str, directory: str) -> None:
        """Unpack a gzipped tar archive into an existing directory.

        Raises:
            UncertainError: it may have been unpacked, or may be later. This is not retried here, since a late
                attempt would overwrite what was written meanwhile; see `withdraw`.
        """
        ...

    async def withdraw(self, archive: str) -> None:
        """Ensure that no earlier request unpacks an archive any more.

        This removes the archive, so that a late request finds nothing, and returns when requests that had
        begun must have ended.

        Raises:
            GatewayError: that could not be ensured.
        """
        ...

    async def archive(self, directory: str, files: Sequence[str], target: str) -> Sequence[Archive]:
        """Pack regular files, named relative to `directory`, into gzipped tar archives.

        Return the archives, under `target` or names derived from it. Together they contain all files that
        could be packed, and possibly others. An error is raised only if no file could be packed.
        """
        ...

    async def change_mode(self, path: str, mode: str) -> None:
        """Change the permissions of a file or directory; follows a link.

        Args:
            path: the file or directory.
            mode: octal digits, such as ``700``.
        """
        ...

    async def remove(self, path: str) -> None:
        """Remove a file or a tree; it may be missing."""
        ...

    async def submit(self, script: str, directory: str, account: str | None) -> str:
        """Submit a script on the system; return the job id.

        Raises:
            UncertainError: the job may or may not have been queued.
        """
        ...

    async def jobs(
        self,
        seen_since: float,
        names: Sequence[str] = (),
        ids: Sequence[str] = (),
        instead: Sequence[str] = (),
    ) -> list[JobPart]:
        """List the user's jobs.

        The list contains the jobs with the given ids; without ids, at least those that have not ended. A
        gateway may use the arguments to shorten the list, or ignore them.

        Args:
            seen_since: seconds since the epoch; jobs that ended before may be missing.
            names: names of the jobs that are needed; empty for all.
            ids: ids of the jobs that are needed, as submissions return them; empty for all.
            instead: names of the jobs to list if the gateway fails to list all.

        Raises:
            UnlistableError: the gateway fails to list jobs; those with the given ids can be requested singly.
        """
        ...

    def names_per_list(self, names: Sequence[str]) -> int:
        """Return how many of these names, counted from the first, one request can list.

        Args:
            names: names of the jobs that are needed.
        """
        ...

    async def find(self, script: str, directory: str, name: str, since: float) -> Sequence[str] | None:
        """Find the jobs of a submission that was not answered.

        Return their ids, possibly with those of earlier submissions of the same script; None while it is
        unknown whether there are any.

        Args:
            script: the submitted script.
            directory: the job's working directory.
            name: the job's name.
            since: time of the submission, in seconds since the epoch.
        """
        ...

    async def job(self, job_id: str) -> list[JobPart]:
        """Return the parts of one job, none if Slurm does not know it."""
        ...

    async def cancel(self, job_id: str) -> None:
        """Cancel a job; it may have ended."""
        ...

    def unsettled(self) -> float:
        """Return the seconds for which requests that failed may still be carried out.

        They may create a directory or queue a transfer job. `close` waits for the latter.
        """
        ...

    async def close(self) -> None:
        """Cancel transfer jobs that nothing waits for, and close all connections."""
        ...

    def stats(self) -> dict[str, int]:
        """Count the requests, the bytes sent and received, and the most requests in flight."""
        ...


class Diagnostics(Protocol):
    """The operations that only commands need: doctor, clean and detect."""

    async def status(self) -> GatewayStatus:
        """Ask the gateway for its version, its systems and their health."""
        ...

    async def reach(self, url: str) -> int:
        """Send one request without credentials to a storage; return its HTTP status."""
        ...

    async def accounts(self) -> Sequence[AccountInfo]:
        """Return the accounts that the user may charge; none if the gateway does not report them."""
        ...

    async def script(self, job_id: str) -> str:
        """Return the script of a job that has not ended; empty if Slurm no longer knows it."""
        ...

    async def directory(self, job_id: str) -> str:
        """Return the directory of the output of a job that has not ended; empty if it is unknown."""
        ...


class Gateway(JobGateway, Diagnostics, Protocol):
    """All operations of one system behind one gateway."""


class GatewayConnection(Protocol):
    """A connection to one system behind one gateway, whose API version may be unknown."""

    async def authenticate(self) -> float | None:
        """Get a token, if one is needed; return the seconds of its validity, None if it does not expire."""
        ...

    def expected_gateway(self) -> Gateway:
        """Return the gateway in the expected version of the API; `open_gateway` returns it if that is right.

        Requests through it have no effect on a gateway of another version.
        """
        ...

    async def open_gateway(self) -> Gateway:
        """Return the gateway at the other end; ask it for its API version if the settings do not give it.

        Raises:
            GatewayError: the gateway did not answer in time.
        """
        ...

    async def close(self) -> None:
        """Close all connections; not needed once the gateway is closed."""
        ...

    def stats(self) -> dict[str, int]:
        """Count the requests, the bytes sent and received, and the most requests in flight."""
        ...

    def unavailable(self) -> float:
        """Return the seconds for which the gateway has served no request; 0 if it is not a long outage.

        Any thread may call it.
        """
        ...
