"""Brings back what jobs made or changed: one listing, one archive, one download for all that have ended."""

from __future__ import annotations

import asyncio
import itertools
import logging
import posixpath
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model import errors
from reframe_firecrest.model.remote_file import Archive, RemoteFile
from reframe_firecrest.model.selection import EVERYTHING, Selection
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.units import format_size
from reframe_firecrest.session.batcher import Batcher
from reframe_firecrest.session.listing import REFUSALS, list_whole, split
from reframe_firecrest.session.output_rescue import Rescue
from reframe_firecrest.session.packing import Packer
from reframe_firecrest.session.progress import reported
from reframe_firecrest.session.session_record import SessionRecord
from reframe_firecrest.session.stage_in import StageDirectory
from reframe_firecrest.staging.local_sync import place_link, relative_target, remove_deleted
from reframe_firecrest.staging.manifest import scan
from reframe_firecrest.staging.markers import (
    CLAIMS,
    Changes,
    Markers,
    read_claims,
    read_stage,
    without_markers,
)
from reframe_firecrest.staging.outputs import is_output
from reframe_firecrest.staging.paths import shard_of
from reframe_firecrest.staging.placeholder import create_placeholder, forget, place_closed_directory
from reframe_firecrest.staging.placeholder_index import Index
from reframe_firecrest.staging.readability import described, is_doubtful
from reframe_firecrest.staging.retrieval_plan import NO_CHANGES, Plan, make_plan, remember
from reframe_firecrest.staging.unpack import Destination, Unpacked, safe_directory, unpack

_LOGGER = logging.getLogger(__name__)

OUTPUT_ATTEMPTS = 3
"""Listings until the output of a job that ran must have shown: a compute node's files may take a while."""


TOO_FULL = (errors.OperationTimeoutError, errors.TooLargeError)
"""Answers after which directories that lie together are not listed together any more."""


DOWNLOADS = 3
"""Times that an archive is downloaded until one that comes damaged is known to be damaged there."""


NOT_PACKED = "it is listed, but could not be packed there"


REASON = 400
"""Characters of a reason that a job has left."""

NOT_RUN = frozenset({"BOOT_FAIL", "CANCELLED", "NODE_FAIL"})
"""States of jobs of whose scripts nothing can be expected."""


@dataclass(eq=False)
class RetrievalRequest:
    """What is to be brought back for one job.

    Attributes:
        directory: its stage directory.
        outputs: names of its standard output and error.
        ran: it was on a node, so there must be outputs.
        selection: what is brought back of what the job made.
        numbered: tasks each of which must have an output of its own, named by its index.
        token: name of its submission.
        job_id: the job's id.
        parts: the job's parts as Slurm shows them.
        uncertain: several jobs may have come from its submission.
        prepares: it copies inputs before its first command.
        closed: directories that could not be listed, with the reason.
        listing: how the remote side stands, once it has been listed.
        markers: what its job says of its own run.
        plan: what of it has to be fetched.
        fetched: what has come of them.
    """

    directory: StageDirectory
    outputs: tuple[str, ...]
    ran: bool
    selection: Selection = EVERYTHING
    numbered: Sequence[int] = ()
    token: str = ""
    job_id: str = ""
    parts: Sequence[JobPart] = ()
    uncertain: bool = False
    prepares: bool = False
    closed: Mapping[str, str] = field(default_factory=dict)
    listing: Sequence[RemoteFile] = ()
    markers: Markers = field(default_factory=Markers)
    plan: Plan | None = None
    fetched: set[str] = field(default_factory=set)

    @property
    def must_have_started(self) -> bool:
        """Its job must have reached the test's commands, or say why not."""
        return self.ran and not all(part.state in NOT_RUN for part in self.parts)

    @property
    def failure(self) -> str | None:
        """The reason for which the test's commands did not run although its job did."""
        if self.markers.error is not None:
            return f"job {self.job_id} could not copy its inputs on the system: {self.markers.error[:REASON]}"
        if self.must_have_started and not self.markers.started:
            return (
                f"job {self.job_id} ended without a sign that the test's commands have begun; "
                f"see {self.outputs[-1]} in its stage directory, and scontrol show job {self.job_id}"
            )
        return None

    @property
    def tasks(self) -> list[str]:
        """The tasks of an array that report changes; one of an empty name for any other job."""
        return [part.job_id.partition("_")[2] for part in self.parts]

    @property
    def wanted(self) -> dict[str, Destination]:
        """The files to fetch, by their names below the run's remote directory."""
        directory = self.directory
        plan = self.plan or Plan()
        return {
            f"{directory.relative}/{path}": Destination(
                directory.local, path, file.size, path in plan.suspects, directory.translated.get(path)
            )
            for path, file in plan.files.items()
        }

    def take_listing(self, listing: Sequence[RemoteFile], closed: Mapping[str, str] | None = None) -> None:
        """Take a listing; what the job has left for us in it is none of the test's files.

        Args:
            listing: the stage directory.
            closed: directories that could not be listed, with the reason.
        """
        self.markers = read_stage(listing, self.token)
        self.listing = without_markers(listing)
        self.closed = closed or {}

    @property
    def doubtful(self) -> dict[str, str]:
        """The files to fetch that probably can't be read, by their names below the run's directory."""
        files = self.plan.files if self.plan else {}
        # Slurm makes the output, as the job's user.
        owner = next((file.owner for path, file in files.items() if self.is_output(path)), "")
        return {
            f"{self.directory.relative}/{path}": described(file)
            for path, file in files.items()
            if is_doubtful(file, owner)
        }

    @property
    def place(self) -> tuple[str, str]:
        """The stage directory here, and the same relative to the run's directory."""
        return self.directory.local, self.directory.relative

    @property
    def wanted_outputs(self) -> list[str]:
        """Standard output and error as they were listed; if nothing was, as the job names them."""
        return [path for path in self.plan.files if self.is_output(path)] if self.plan else list(self.outputs)

    def take_claims(self, claims: Sequence[RemoteFile]) -> None:
        """Take what the directory of claims shows."""
        self.markers = read_claims(claims, self.token, self.markers, prepares=self.prepares)

    @property
    def hidden(self) -> Changes:
        """Changes that the listing does not show."""
        return self.markers.hidden_changes(self.tasks) if self.markers.started else NO_CHANGES

    def may_hide(self) -> bool:
        """Return true if a file that is known may have changed unseen."""
        known = {entry.path: entry.size for entry in self.listing if entry.path in self.directory.remote}
        return bool(self.hidden.suspects(known))

    def make_plan(self, alike: Collection[str] = ()) -> None:
        """Decide what is fetched.

        Args:
            alike: files that both sides had alike before the job.
        """
        always = [entry.path for entry in self.listing if self.is_output(entry.path)]
        self.plan = make_plan(
            self.listing,
            self.directory.remote,
            always,
            self.selection,
            self.closed,
            hidden=self.hidden,
            alike=alike,
        )

    def is_output(self, path: str) -> bool:
        """Return true for standard output or error, of the job or of one of an array's tasks."""
        return is_output(path, self.outputs)

    def shows_output(self) -> bool:
        """Return true if the listing shows the output that the job must have."""
        output = posixpath.basename(self.outputs[0])
        if self.numbered:
            return not self.outputs_missing()
        return not self.ran or any(entry.path.startswith(output) for entry in self.listing)

    def shows_start(self) -> bool:
        """Return true if nothing is open about whose commands ran, and whether they did."""
        if self.markers.started or self.markers.error is not None:
            return True
        return not self.must_have_started and not self.uncertain

    def outputs_missing(self) -> list[str]:
        """Return the names of those outputs of tasks that the listing does not show."""
        listed = {entry.path for entry in self.listing}
        expected = [f"{posixpath.basename(self.outputs[0])}_{task}" for task in self.numbered]
        return [name for name in expected if name not in listed]


class StageOut:
    """Fetches stage directories.

    Args:
        gateway: the way there.
        root: the run's remote directory.
        transfer: remote directory for archives under way.
        scratch: local directory for the same.
        limit: bytes of files that travel together.
        record: keeps what was fetched.
    """

    def __init__(
        self,
        gateway: Gateway,
        root: str,
        transfer: str,
        scratch: Path,
        *,
        limit: Callable[[], int],
        record: SessionRecord,
    ) -> None:
        self._gateway = gateway
        self._root = root
        self._transfer = transfer
        self._scratch = scratch
        self._record = record
        self._too_full: set[str] = set()
        numbers = itertools.count(1)
        self._packer = Packer(gateway, root, lambda: f"{transfer}/out-{next(numbers)}")
        self._rescue = Rescue(gateway, root, scratch)
        self._listing: Batcher[RetrievalRequest] = Batcher(self._list, lambda _job: 0, limit)
        # Those that were listed together arrive together, so there is nothing to linger for.
        self._bringing: Batcher[RetrievalRequest] = Batcher(
            self._bring, lambda job: job.plan.size if job.plan else 0, limit, max_delay=0.0
        )

    async def look(self, job: RetrievalRequest) -> None:
        """List what a job has left, together with whatever else has ended.

        Raises:
            FirecrestError: it can't be listed; its standard output and error have been fetched if possible.
        """
        try:
            await self._listing.join(job)
        except (errors.FinalError, errors.StagingError) as error:
            await self._rescue.rescue(job, error)

    async def fetch(self, job: RetrievalRequest) -> None:
        """Fetch for a job that has been looked at, together with whatever else has.

        Raises:
            FirecrestError: something that should be there can't be brought back.
        """
        try:
            # Without a need no thread is used: those that were listed together would not arrive together.
            alike = await asyncio.to_thread(job.directory.alike) if job.may_hide() else ()
            job.make_plan(alike)
            if job.wanted:
                await self._bringing.join(job)
        except (errors.FinalError, errors.StagingError) as error:
            await self._rescue.rescue(job, error)
        await asyncio.to_thread(self._settle, job)

    async def _list(self, jobs: Sequence[RetrievalRequest]) -> None:
        shards: dict[str, list[RetrievalRequest]] = defaultdict(list)
        for job in jobs:
            shards[shard_of(job.directory.relative)].append(job)
        await asyncio.gather(*(self._list_shelf(shard, some) for shard, some in shards.items()))

    async def _list_shelf(self, shard: str, jobs: Sequence[RetrievalRequest]) -> None:
        if len(jobs) > 1 and shard not in self._too_full:
            relatives = [job.directory.relative for job in jobs]
            top = posixpath.commonpath(relatives)
            try:
                together = await self._gateway.list_tree(posixpath.normpath(f"{self._root}/{top}"))
            except REFUSALS as error:
                if isinstance(error, TOO_FULL):
                    # It does not become any shorter.
                    self._too_full.add(shard)
            else:
                listings = split(together, [posixpath.relpath(path, top or ".") for path in relatives])
                lacking = []
                for job, listing in zip(jobs, listings, strict=True):
                    job.take_listing(listing)
                    if not (job.shows_output() and job.shows_start()):
                        lacking.append(job)
                jobs = lacking
        await asyncio.gather(*(self._list_one(job) for job in jobs))

    async def _list_one(self, job: RetrievalRequest) -> None:
        for look in range(OUTPUT_ATTEMPTS):
            if look:
                await asyncio.sleep(1.0)
            tree = await list_whole(self._gateway, f"{self._root}/{job.directory.relative}")
            job.take_listing(tree.entries, tree.closed)
            if not job.shows_start():
                # A job may remove anything in its stage directory.
                job.take_claims(await self._claims())
            if job.shows_output() and job.shows_start():
                return
        missing = job.outputs_missing()
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            _LOGGER.warning("no output of a task that ran: %s/%s%s", job.directory.relative, missing[0], more)

    async def _claims(self) -> Sequence[RemoteFile]:
        try:
            return await self._gateway.list_directory(f"{self._transfer}/{CLAIMS}")
        except errors.NotFoundError:
            return ()

    async def _bring(self, jobs: Sequence[RetrievalRequest]) -> None:
        wanted: dict[str, Destination] = {}
        owners: dict[str, RetrievalRequest] = {}
        for job in jobs:
            found = job.wanted
            wanted.update(found)
            owners.update(dict.fromkeys(found, job))
        size = sum(job.plan.size for job in jobs if job.plan)
        begun = time.monotonic()
        doubtful = {name: reason for job in jobs for name, reason in job.doubtful.items()}
        archives, refused = await self._packer.pack(list(wanted), doubtful)
        what = f"fetching {format_size(size)} of {len(jobs)} jobs"
        # All of them to their end: nothing may be written any more when something else is tried.
        taken = await asyncio.gather(
            *(self._take_from(archive, wanted, what) for archive in archives), return_exceptions=True
        )
        got = Unpacked()
        for part in taken:
            if isinstance(part, BaseException):
                raise part
            got.placed |= part.placed
            got.refused.update(part.refused)
        self._record.fetched(len(got.placed), len(jobs), size, time.monotonic() - begun)
        absent = {name: refused.get(name, NOT_PACKED) for name in wanted.keys() - got.placed} | got.refused
        for name in got.placed:
            owners[name].fetched.add(wanted[name].path)
        # What can be done without first: what must come may make all of it fail.
        for name in sorted(absent, key=lambda name: owners[name].is_output(wanted[name].path)):
            job, path, reason = owners[name], wanted[name].path, absent[name]
            # In company, a file may only have gone astray; alone, a job may lack anything but its output.
            astray = len(jobs) > 1 and name not in refused
            if astray or job.plan is None or job.is_output(path):
                raise errors.StagingError(f"{self._root}/{name} did not come: {reason}")
            del job.plan.files[path]
            if path not in job.plan.suspects:
                job.plan.left[path] = reason

    async def _take_from(self, archive: Archive, wanted: Mapping[str, Destination], what: str) -> Unpacked:
        """Take what an archive holds of what is wanted; returns it by the names that it is wanted by."""
        inside = _inside(wanted, archive.below)
        size = sum(goal.size for goal in inside.values())
        got = await self._take(archive.path, inside, size, what)
        return Unpacked(
            {posixpath.join(archive.below, name) for name in got.placed},
            {posixpath.join(archive.below, name): reason for name, reason in got.refused.items()},
        )

    async def _take(self, archive: str, wanted: Mapping[str, Destination], size: int, what: str) -> Unpacked:
        """Download an archive and unpack it; once more if it comes damaged."""
        local = self._scratch / posixpath.basename(archive)
        for left in reversed(range(DOWNLOADS)):
            try:
                async with reported(what) as progress:
                    await self._gateway.download(archive, local, size_hint=size, progress=progress)
                return await asyncio.to_thread(unpack, local, wanted)
            except errors.DamagedArchiveError:
                if not left:
                    raise
            finally:
                await asyncio.to_thread(local.unlink, missing_ok=True)
        raise AssertionError("unreachable: the last download returns or raises")

    def _settle(self, job: RetrievalRequest) -> None:
        """Make directories and links, and remember how both sides stand now."""
        directory, plan = job.directory, job.plan or Plan()
        for path in plan.directories:
            try:
                safe_directory(directory.local, path)
            except (errors.HostileArchiveError, FileExistsError) as error:
                _LOGGER.warning("not made here: directory %s: %s", path, error)
        remote = f"{self._root}/{directory.relative}"
        for path, target in plan.links.items():
            if not place_link(directory.local, path, relative_target(path, target, remote)):
                plan.left[path] = f"it is a link to {target}"
        self._leave(job, plan)
        # What was changed here meanwhile stays, whatever the job did.
        here = scan(directory.local)
        untouched = [
            path
            for path in plan.gone
            if path in here and here[path].fingerprint == directory.fingerprints.get(path)
        ]
        remove_deleted(directory.local, untouched)
        for path in plan.gone:
            directory.remote.pop(path, None)
            directory.fingerprints.pop(path, None)
        directory.left = (directory.left - plan.files.keys()) | plan.left.keys()
        for path in plan.files.keys() - plan.suspects:
            directory.translated.pop(path, None)
        directory.remote.update(remember(job.listing))
        alike = {*plan.files, *plan.directories, *plan.left, *plan.links}
        below_links = tuple(f"{path}/" for path in plan.links)
        directory.fingerprints.update(
            {
                path: entry.fingerprint
                for path, entry in scan(directory.local).items()
                if path in alike or path.startswith(below_links)
            }
        )

    def _leave(self, job: RetrievalRequest, plan: Plan) -> None:
        """Put stand-ins where files stay on the system; let those be read that have come."""
        local = job.directory.local
        index = Index(local)
        for path in (*plan.files, *plan.directories):
            forget(Path(local, path))
        index.forget([*plan.files, *plan.directories, *plan.links, *plan.gone])
        sizes = {path: known.size for path, known in job.directory.remote.items()}
        sizes |= {entry.path: entry.size for entry in job.listing}
        there = f"{self._root}/{job.directory.relative}"
        reasons: dict[str, list[str]] = defaultdict(list)
        for path, reason in (*plan.closed.items(), *plan.left.items()):
            told = f"{there}/{path}: {reason}"
            try:
                if path in plan.closed:
                    place_closed_directory(local, path, told, index)
                    reasons[reason].insert(0, path)
                else:
                    reasons[reason].append(path)
                    create_placeholder(local, path, sizes.get(path, 0), told, index)
            except errors.HostileArchiveError as error:
                reasons[f"no stand-in could be made: {error}"].append(path)
        self._save(index)
        for reason, paths in reasons.items():
            more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
            _LOGGER.warning("left on the system: %s/%s%s: %s", there, paths[0], more, reason)

    def _save(self, index: Index) -> None:
        try:
            index.save()
        except OSError as error:
            raise errors.StagingError(f"{error.filename}: {error.strerror or error}") from None


def _inside(wanted: Mapping[str, Destination], below: str) -> Mapping[str, Destination]:
    """Pick what lies below a directory, and name it relative to that."""
    if not below:
        return wanted
    return {
        name.removeprefix(f"{below}/"): goal for name, goal in wanted.items() if name.startswith(f"{below}/")
    }
