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
"""Is told how far a transfer is: bytes so far, and bytes in all, 0 while that is unknown.

It is called for every MiB or so on the event loop's thread, so it must be quick. Bytes that have to travel
again are taken back: the first number can fall.
"""


class JobGateway(Protocol):
    """One system behind one gateway: the operations that jobs need.

    Paths are absolute remote paths. Every method raises a `GatewayError`; transient errors have been retried
    within the settings' limits before, so the caller need not retry.
    """

    def follow_jobs_with(self, follower: JobFollower) -> None:
        """Set the follower that waits for transfer jobs; without one, large files cannot be transferred."""
        ...

    async def connect(self) -> SystemInfo:
        """Return what the gateway says of the system; proves URL, credentials and system name."""
        ...

    async def cluster(self) -> Cluster:
        """Return the system's nodes, partitions and reservations."""
        ...

    async def make_directory(self, path: str) -> None:
        """Create a directory and its parents; fine if it exists."""
        ...

    async def exists(self, path: str) -> bool:
        """Tell whether there is anything under a path."""
        ...

    async def list_tree(self, path: str) -> list[RemoteFile]:
        """List everything below a directory, hidden entries included."""
        ...

    async def list_directory(self, path: str) -> list[RemoteFile]:
        """List what lies in a directory itself, hidden entries included."""
        ...

    async def upload(self, local: Path, remote: str, progress: Progress | None = None) -> str:
        """Bring a local file to a remote path, of any size; return where it is.

        That is another path in the same directory, derived from `remote`, where it took more than one
        attempt: an attempt that acts late writes where nobody reads.

        Args:
            local: what to send; it must not change meanwhile.
            remote: the path of the file to make.
            progress: told of a large file's way.
        """
        ...

    async def download(
        self, remote: str, local: Path, *, size_hint: int, progress: Progress | None = None
    ) -> None:
        """Bring a remote file to a local path, of any size.

        Args:
            remote: the path of the file.
            local: where it appears when all of it is here.
            size_hint: about how many bytes it has.
            progress: told of a large file's way.
        """
        ...

    async def extract(self, archive: str, directory: str) -> None:
        """Unpack a gzipped tar archive into an existing directory.

        Raises:
            UncertainError: it may have been unpacked, or may be later. It is not repeated here, since a late
                one would overwrite what was written meanwhile: see `withdraw`.
        """
        ...

    async def withdraw(self, archive: str) -> None:
        """Make sure that nothing unpacks an archive any more, whatever was asked for before.

        It removes the archive, so that what begins late finds nothing, and returns when what had begun must
        have ended.

        Raises:
            GatewayError: that is not sure.
        """
        ...

    async def archive(self, directory: str, files: Sequence[str], target: str) -> Sequence[Archive]:
        """Pack regular files, named relative to `directory`, into gzipped tar archives.

        Returns the archives, under `target` or names derived from it; together they hold all the files that
        could be packed, and possibly others. An error is raised only if none could be.
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
        """Remove a file or a tree; fine if there is none."""
        ...

    async def submit(self, script: str, directory: str, account: str | None) -> str:
        """Submit a script that lies on the system; returns the job id.

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

        Which jobs are in it: those with the given ids; without ids, at least those that go on. A gateway may
        narrow them down by what it is told, or list more.

        Args:
            seen_since: seconds since the epoch; what has ended before that need not be in the list.
            names: job names that are enough; none stands for all.
            ids: ids, as submissions return them, that are enough; none stands for all.
            instead: names of the jobs that are listed where no list of all can be had.

        Raises:
            UnlistableError: no list can be had, but the jobs with the given ids can be asked for singly.
        """
        ...

    async def find(self, script: str, directory: str, name: str, since: float) -> Sequence[str] | None:
        """Look for what a submission without an answer has left.

        Returns the ids of jobs that come from it, those of earlier submissions of the same script perhaps
        among them; None as long as it can't be told which, if any.

        Args:
            script: the submitted script.
            directory: its job's working directory.
            name: its job's name.
            since: when it was submitted, in seconds since the epoch.
        """
        ...

    async def job(self, job_id: str) -> list[JobPart]:
        """Ask for one job; returns its parts, none if Slurm does not know it."""
        ...

    async def cancel(self, job_id: str) -> None:
        """Cancel a job; fine if it has ended."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...

    def stats(self) -> dict[str, int]:
        """Count what went over the wire: requests, bytes, most in flight."""
        ...


class Diagnostics(Protocol):
    """The operations that only commands need: doctor, clean and detect."""

    async def status(self) -> GatewayStatus:
        """Ask the gateway for its version, its systems and their health."""
        ...

    async def reach(self, url: str) -> int:
        """Ask a storage for anything at all, once and without credentials; return its HTTP status."""
        ...

    async def accounts(self) -> Sequence[AccountInfo]:
        """Return the accounts that the user may charge, none where the system keeps no account of them."""
        ...

    async def script(self, job_id: str) -> str:
        """Return the script of a job that goes on; an empty one if Slurm does not know it any more."""
        ...

    async def directory(self, job_id: str) -> str:
        """Return where a job that goes on writes its output; empty if Slurm does not know it any more."""
        ...


class Gateway(JobGateway, Diagnostics, Protocol):
    """All operations of one system behind one gateway."""


class GatewayConnection(Protocol):
    """A connection to one system behind one gateway, whose API version may be unknown."""

    async def authenticate(self) -> float | None:
        """Get a token, if one is needed; return the seconds of its validity, None if it does not expire."""
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
