"""Staging: bring stage directories to the system, in one archive for all that are waiting."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reframe_firecrest.model.clock import clock
from reframe_firecrest.model.job import JobHandle, Phase
from reframe_firecrest.session import poll_interval
from reframe_firecrest.session.archive_upload import ArchiveUpload, store_directory
from reframe_firecrest.session.batcher import MAX_DELAY_LIMIT, Batcher, BatchPolicy
from reframe_firecrest.session.context import SessionContext
from reframe_firecrest.session.input_plan import InputPlan, SharedInputs
from reframe_firecrest.session.large_inputs import LargeInputs
from reframe_firecrest.session.preparation import Preparation, PreparedDirectory, Script
from reframe_firecrest.session.stage_directory import StageDirectories, StageDirectory
from reframe_firecrest.staging.inspection import digest_of
from reframe_firecrest.staging.local_sources import SourceFiles
from reframe_firecrest.staging.pack import ArchivePart, SentStat, sent_stat_of
from reframe_firecrest.staging.prologue import Prologue, with_prologue
from reframe_firecrest.staging.shared_inputs import InputContent
from reframe_firecrest.staging.split_archive import Unpacking

STORE = "inputs"
"""Directory for files that several tests have, below the transfer directory."""

PAUSE = 0.1
"""Seconds without a new job after which ReFrame submits no other for now: it needs about 10 ms for one."""


@dataclass(frozen=True)
class _Sending:
    """A directory without a job of its own that is being sent, or has been.

    Attributes:
        unpacked: result: the files that the jobs which name it unpack in it.
        sent: ends when the rest has been sent.
    """

    unpacked: asyncio.Task[Sequence[Unpacking]]
    sent: asyncio.Task[None]


class StageIn:
    """Send stage directories.

    Args:
        context: the session.
        directories: the session's stage directories.
        running: the jobs that have not ended.
        direct_upload_max: bytes of the files of a stage directory that are sent in parts.
    """

    def __init__(
        self,
        context: SessionContext,
        directories: StageDirectories,
        running: Collection[JobHandle],
        direct_upload_max: int,
    ) -> None:
        self._context = context
        self._directories = directories
        self._running = running
        self._preparation = Preparation(context.paths, context.scratch)
        self._upload = ArchiveUpload(context)
        self._inputs = SharedInputs()
        self._large = LargeInputs(context, self._inputs, direct_upload_max)
        self._sources: dict[SourceFiles, asyncio.Task[PreparedDirectory]] = {}
        self._background: dict[str, _Sending] = {}
        policy = BatchPolicy(
            context.batch_limit,
            max_delay_limit=lambda: poll_interval.scaled(len(running), MAX_DELAY_LIMIT),
            is_complete=lambda waiting: no_other_is_coming(running, waiting),
        )
        self._batcher: Batcher[PreparedDirectory] = Batcher(self._send_batch, self._size, policy)

    async def stage(self, directory: StageDirectory, script: Script) -> PreparedDirectory:
        """Send a job's stage directory, and other local directories that its texts name.

        Raises:
            FirecrestError: they did not all arrive, or a file that the job needs is a placeholder.
        """
        prepared = await self._preparation.prepare(directory, script)
        sources = await self._named_sources(prepared)
        named = prepared.named.union(*(source.named for source in sources))
        sending = [found for local in named if (found := self._send_named(local))]
        sending += map(self._send_source, sources)
        others = asyncio.gather(*(asyncio.shield(found.unpacked) for found in sending))
        own, unpacked = await asyncio.gather(self._large.send(prepared), others)
        ready = replace(own, unpacked=(*own.unpacked, *itertools.chain(*unpacked)))
        await asyncio.gather(self._send(ready), *(asyncio.shield(found.sent) for found in sending))
        for local in prepared.named:
            self._directories.get(local).check_for(prepared.paths)
        return ready

    async def _send(self, prepared: PreparedDirectory) -> None:
        if prepared.is_needed:
            await self._batcher.join(prepared)

    def _send_named(self, local: str) -> _Sending | None:
        """Send a directory that a script names, such as that of a local fixture.

        Directories that have been sent, or belong to a job of their own, are left to that job.
        """
        if local not in self._background:
            if self._directories.is_sent(local) or any(job.spec.directory == local for job in self._running):
                return None
            self._background[local] = self._start(self._prepare_named(local))
        return self._background[local]

    async def _prepare_named(self, local: str) -> PreparedDirectory | None:
        if not await asyncio.to_thread(Path(local).is_dir):
            return None
        return await self._preparation.prepare(self._directories.get(local))

    def _start(self, preparing: Coroutine[None, None, PreparedDirectory | None]) -> _Sending:
        """Send a directory without a job of its own.

        Several jobs may wait for it: cancelling one of them must not stop it.
        """
        loop = asyncio.get_running_loop()
        large = loop.create_task(self._send_large(preparing))
        sending = _Sending(loop.create_task(_unpacked(large)), loop.create_task(self._send_rest(large)))
        for task in (large, sending.unpacked, sending.sent):
            # The jobs get its error. If they were all cancelled, it is of no interest.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return sending

    async def _send_large(
        self, preparing: Coroutine[None, None, PreparedDirectory | None]
    ) -> PreparedDirectory | None:
        """Send the large files of a directory; return what remains to be sent."""
        prepared = await preparing
        return None if prepared is None else await self._large.send(prepared)

    async def _send_rest(self, large: asyncio.Task[PreparedDirectory | None]) -> None:
        prepared = await large
        if prepared is not None:
            await self._send(prepared)

    async def _named_sources(self, prepared: PreparedDirectory) -> list[PreparedDirectory]:
        """Prepare the files of the tests' code that a job needs, also those that other such files name."""
        found: dict[SourceFiles, PreparedDirectory] = {}
        waiting = [*prepared.sources]
        while waiting:
            files = waiting.pop()
            if files not in found:
                found[files] = await self._prepared_source(files)
                waiting += found[files].sources
        return [*found.values()]

    async def _prepared_source(self, files: SourceFiles) -> PreparedDirectory:
        if files not in self._sources:
            loop = asyncio.get_running_loop()
            directory = self._directories.source(files)
            self._sources[files] = loop.create_task(self._preparation.prepare_source(directory, files))
        return await asyncio.shield(self._sources[files])

    def _send_source(self, prepared: PreparedDirectory) -> _Sending:
        """Send files of the tests' code, once per session."""
        local = prepared.directory.local
        if local not in self._background:
            self._background[local] = self._start(_given(prepared))
        return self._background[local]

    def _size(self, prepared: PreparedDirectory) -> int:
        """Return the bytes that a stage directory adds to an archive."""
        stored = (path for path, content in prepared.shareable.items() if self._inputs.has(content))
        return prepared.part.size - sum(prepared.part.entries[path].size for path in stored)

    async def _send_batch(self, batch: Sequence[PreparedDirectory]) -> None:
        begun = time.monotonic()
        plan = self._inputs.plan(
            {content: item.part.entries[path] for path, content in item.shareable.items()} for item in batch
        )
        parts = [self._with_prologue(item, plan) for item in batch]
        store = plan.archive_parts(store_directory(self._context.transfer, STORE))
        try:
            sent, size = await self._upload.send(parts, store)
        except BaseException as error:
            self._inputs.settle(plan, error)
            raise
        self._inputs.settle(plan)
        await self._inputs.arrived(plan)
        digests = await asyncio.to_thread(lambda: [_digests(part) for part in parts])
        await asyncio.to_thread(_remove_translated, batch)
        self._context.record.sent(sum(map(len, sent)), len(batch), size, time.monotonic() - begun)
        for item, rewritten, files in zip(batch, digests, sent, strict=True):
            _note_sent(item, rewritten, files, plan)

    def _with_prologue(self, item: PreparedDirectory, plan: InputPlan) -> ArchivePart:
        """Add a prologue to the script, and leave out the files that it makes the job copy."""
        part, script = item.part, item.script
        if script is None or script.name not in part.replaced:
            return part
        shared = _shared(item, plan)
        prologue = Prologue(
            script.token,
            self._context.claims,
            self._context.paths.remote_directory(item.directory.local),
            f"{self._context.transfer}/{STORE}",
            {path: (content, sent_stat_of(part.entries[path])) for path, content in shared.items()},
            item.truncates,
            item.unpacked,
        )
        return replace(
            part,
            entries={path: entry for path, entry in part.entries.items() if path not in shared},
            replaced={**part.replaced, script.name: with_prologue(part.replaced[script.name], prologue)},
        )


def no_other_is_coming(jobs: Iterable[JobHandle], waiting: int) -> bool:
    """Report whether ReFrame has paused, and all jobs that it has submitted are waiting to be sent.

    Args:
        jobs: the jobs that have not ended.
        waiting: number of stage directories that wait.
    """
    staging = [job for job in jobs if job.state.phase in (Phase.QUEUED, Phase.STAGING)]
    return len(staging) <= waiting and all(clock() - job.submitted > PAUSE for job in staging)


async def _given(prepared: PreparedDirectory) -> PreparedDirectory:
    return prepared


async def _unpacked(large: asyncio.Task[PreparedDirectory | None]) -> Sequence[Unpacking]:
    """Return the files that jobs unpack in a named directory."""
    prepared = await large
    return prepared.unpacked if prepared is not None else ()


def _note_sent(
    item: PreparedDirectory, digests: Mapping[str, str], files: Mapping[str, SentStat], plan: InputPlan
) -> None:
    """Record in a stage directory what was sent of it, and what its job copies."""
    directory, entries = item.directory, item.part.entries
    shared = _shared(item, plan)
    directory.sent = True
    directory.prepares = bool(shared or item.unpacked)
    directory.translated.update({path: digests[path] for path in (*files, *item.large) if path in digests})
    directory.fingerprints.update({path: entries[path].fingerprint for path in files})
    directory.remote.update(files)
    directory.promised.update(
        {path: (sent_stat_of(entries[path]), entries[path].fingerprint) for path in shared}
    )
    directory.promised.update(item.large)


def _digests(part: ArchivePart) -> dict[str, str]:
    """Return the digests of contents that are sent in place of a file's own."""
    in_memory = {path: hashlib.sha256(content).hexdigest() for path, content in part.replaced.items()}
    return in_memory | {path: digest_of(str(file)) for path, file in part.translated.items()}


def _shared(item: PreparedDirectory, plan: InputPlan) -> dict[str, InputContent]:
    return {path: content for path, content in item.shareable.items() if content in plan.copied}


def _remove_translated(batch: Sequence[PreparedDirectory]) -> None:
    """Remove translated files that have been sent."""
    for item in batch:
        for file in item.part.translated.values():
            file.unlink(missing_ok=True)
