"""Brings back what jobs made or changed: one listing, one archive, one download for all that have ended."""

from __future__ import annotations

import asyncio
import itertools
import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest import errors
from reframe_firecrest.gateway.protocol import Gateway, RemoteFile
from reframe_firecrest.session.stage_in import StageDirectory
from reframe_firecrest.staging.manifest import scan
from reframe_firecrest.staging.plan import Plan, make_plan, remember
from reframe_firecrest.staging.unpack import Destination, Unpacked, place_link, safe_directory, unpack

LOOKS_FOR_OUTPUT = 3
"""Listings until the output of a job that ran must have shown: a compute node's files may take a while."""


@dataclass(frozen=True)
class Harvest:
    """What is to be brought back for one job.

    Attributes:
        directory: its stage directory.
        outputs: names of its standard output and error.
        ran: it was on a node, so there must be outputs.
    """

    directory: StageDirectory
    outputs: tuple[str, ...]
    ran: bool


class StageOut:
    """Fetches stage directories.

    Args:
        gateway: the way there.
        root: the run's remote directory.
        transfer: remote directory for archives under way.
        scratch: local directory for the same.
        warn: told of what was not taken, in one line.
    """

    def __init__(
        self, gateway: Gateway, root: str, transfer: str, scratch: Path, warn: Callable[[str], None]
    ) -> None:
        self._gateway = gateway
        self._root = root
        self._transfer = transfer
        self._scratch = scratch
        self._warn = warn
        self._numbers = itertools.count(1)

    async def fetch(self, harvest: Sequence[Harvest]) -> None:
        """Fetch for all jobs together.

        Raises:
            FirecrestError: something that should be there can't be brought back.
        """
        listings = await self._list(harvest)
        plans = [
            make_plan(listing, job.directory.remote, job.outputs)
            for job, listing in zip(harvest, listings, strict=True)
        ]
        wanted = {
            f"{job.directory.relative}/{path}": Destination(job.directory.local, path, file.size)
            for job, plan in zip(harvest, plans, strict=True)
            for path, file in plan.files.items()
        }
        got = await self._bring(wanted, sum(plan.size for plan in plans)) if wanted else Unpacked()
        for name, reason in got.refused.items():
            self._warn(f"not taken from the remote side: {name}: {reason}")
        missing = sorted(wanted.keys() - got.placed - got.refused.keys())
        if missing:
            raise errors.StagingError(
                f"{self._root}/{missing[0]} is listed on the remote side but could not be packed there"
                + (f", and so are {len(missing) - 1} more" if len(missing) > 1 else "")
            )
        await asyncio.to_thread(self._settle, harvest, plans, listings)

    async def _list(self, harvest: Sequence[Harvest]) -> list[list[RemoteFile]]:
        relatives = [job.directory.relative for job in harvest]
        if len(relatives) > 1:
            top = posixpath.commonpath(relatives)
            try:
                together = await self._gateway.list_tree(posixpath.join(self._root, top))
            except (errors.RejectedError, errors.ForbiddenError, errors.OperationTimeoutError):
                # Something in one of them can't be listed, or all of it takes too long: one by one then.
                pass
            else:
                listings = _split(together, [posixpath.relpath(path, top) for path in relatives])
                return [
                    listing if _complete(job, listing) else await self._list_one(job)
                    for job, listing in zip(harvest, listings, strict=True)
                ]
        return list(await asyncio.gather(*(self._list_one(job) for job in harvest)))

    async def _list_one(self, job: Harvest) -> list[RemoteFile]:
        for look in range(LOOKS_FOR_OUTPUT):
            listing = await self._gateway.list_tree(f"{self._root}/{job.directory.relative}")
            if _complete(job, listing):
                break
            if look + 1 < LOOKS_FOR_OUTPUT:
                await asyncio.sleep(1.0)
        return listing

    async def _bring(self, wanted: dict[str, Destination], size: int) -> Unpacked:
        number = next(self._numbers)
        archives = await self._gateway.archive(self._root, list(wanted), f"{self._transfer}/out-{number}")
        result = Unpacked()
        for archive in archives:
            local = self._scratch / posixpath.basename(archive)
            try:
                await self._gateway.download(archive, local, size_hint=size)
                part = await asyncio.to_thread(unpack, local, wanted)
            finally:
                await asyncio.to_thread(local.unlink, missing_ok=True)
            result.placed |= part.placed
            result.refused.update(part.refused)
        return result

    def _settle(
        self, harvest: Sequence[Harvest], plans: Sequence[Plan], listings: Sequence[list[RemoteFile]]
    ) -> None:
        """Make directories and links, and remember how both sides stand now."""
        for job, plan, listing in zip(harvest, plans, listings, strict=True):
            directory = job.directory
            for path in plan.directories:
                try:
                    safe_directory(directory.local, path)
                except (errors.HostileArchiveError, FileExistsError) as error:
                    self._warn(f"not made here: directory {path}: {error}")
            for path, target in plan.links.items():
                if not place_link(directory.local, path, target):
                    self._warn(
                        f"not made here: link {path}, which points to {target} outside {directory.local}"
                    )
            directory.remote.update(remember(listing))
            alike = {*plan.files, *plan.directories}
            directory.marks.update(
                {path: entry.mark for path, entry in scan(directory.local).items() if path in alike}
            )


def _split(listing: Sequence[RemoteFile], directories: Sequence[str]) -> list[list[RemoteFile]]:
    """Sort the entries of one listing into the directories that they are in."""
    found: dict[str, list[RemoteFile]] = {directory: [] for directory in directories}
    depths = sorted({directory.count("/") + 1 for directory in directories})
    for entry in listing:
        parts = entry.path.split("/")
        for depth in depths:
            directory = "/".join(parts[:depth])
            if directory in found and len(parts) > depth:
                found[directory].append(
                    RemoteFile("/".join(parts[depth:]), entry.kind, entry.size, entry.mtime, entry.target)
                )
                break
    return [found[directory] for directory in directories]


def _complete(job: Harvest, listing: Sequence[RemoteFile]) -> bool:
    """Tell whether a listing shows the output that the job must have."""
    output = posixpath.basename(job.outputs[0])
    return not job.ran or any(entry.path.startswith(output) for entry in listing)
