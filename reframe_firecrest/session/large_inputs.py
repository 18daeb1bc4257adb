"""Large inputs: sent in archives of their own, in parts, which jobs join and unpack.

An archive belongs to one stage directory, but jobs of others take files with the same content from it.
"""

from __future__ import annotations

import asyncio
import itertools
import posixpath
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reframe_firecrest.model.capabilities import Capabilities, TransferMethod
from reframe_firecrest.model.errors import (
    FirecrestError,
    OperationTimeoutError,
    StagingError,
    TooLargeError,
    UncertainError,
)
from reframe_firecrest.model.units import format_count, format_size
from reframe_firecrest.session.context import SessionContext
from reframe_firecrest.session.input_plan import SharedInputs
from reframe_firecrest.session.preparation import PreparedDirectory
from reframe_firecrest.session.progress import reported
from reframe_firecrest.session.split_upload import SplitUpload, part_size_of
from reframe_firecrest.staging.manifest import Kind
from reframe_firecrest.staging.pack import HEADER, ArchivePart, SentStat, sent_stat_of
from reframe_firecrest.staging.shared_inputs import InputContent
from reframe_firecrest.staging.split_archive import OversizeError, SplitArchive, Unpacking, pack_limited

LARGE = 65_536
"""Bytes of a large file. Smaller ones travel with the job script if there is room for them."""

ARCHIVES_AT_A_TIME = 4
"""Archives in progress at a time: each needs local disk space."""

MOST_PARTS = 64
"""Parts of an archive that could also go through the storage: 256 MiB in parts of 5 MiB are 52 requests, but
a gateway with a small limit would need thousands."""

_REFUSALS = (TooLargeError, OperationTimeoutError)
"""Errors of a part after which the storage is used: a proxy's limit, or a slow file system."""


class _Unfit(Exception):  # noqa: N818 - not an error
    """The files of a stage directory can't be sent in parts."""


def largest_in_parts(capabilities: Capabilities, maximum: int) -> int:
    """Return the bytes of the largest archive that is sent in parts.

    Args:
        capabilities: of the gateway.
        maximum: the setting `direct_upload_max`.
    """
    if capabilities.transfer is not TransferMethod.S3:
        return maximum
    return min(maximum, MOST_PARTS * part_size_of(capabilities))


@dataclass(frozen=True)
class _Stored:
    """Place of a content.

    Attributes:
        arrival: result: the archive, once it has arrived.
        member: name in the archive.
    """

    arrival: asyncio.Future[SplitArchive]
    member: str


class LargeInputs:
    """Send the large files of stage directories.

    Args:
        context: the session.
        inputs: the store of smaller inputs that several tests share.
        maximum: bytes that an archive may have; larger ones go through the storage.
    """

    def __init__(self, context: SessionContext, inputs: SharedInputs, maximum: int) -> None:
        self._context = context
        self._inputs = inputs
        self._upload = SplitUpload(context)
        self._maximum = largest_in_parts(context.system.capabilities, maximum)
        self._stored: dict[InputContent, _Stored] = {}
        self._slots = asyncio.Semaphore(ARCHIVES_AT_A_TIME)
        self._numbers = itertools.count(1)

    async def send(self, prepared: PreparedDirectory) -> PreparedDirectory:
        """Send the large files of a stage directory, if it is too large for one request.

        Returns:
            What remains to be sent. If the files are too large to be sent in parts, that is everything.

        Raises:
            FirecrestError: they did not arrive, or are too large and the gateway has no storage.
        """
        paths = self._choose(prepared)
        try:
            taken = await self._send_files(prepared, paths) if paths else {}
        except _Unfit:
            return prepared
        return self._without(prepared, taken) if taken else prepared

    def _choose(self, prepared: PreparedDirectory) -> Sequence[str]:
        """Return the files that the job takes from archives; none if all fit into one request."""
        part, limit = prepared.part, self._context.batch_limit
        script = prepared.script.name if prepared.script else None
        files = {
            path: HEADER + entry.size
            for path, entry in part.entries.items()
            if entry.kind is Kind.FILE and path != script and path not in part.replaced
            if path not in prepared.shareable or not self._inputs.has(prepared.shareable[path])
        }
        rest = part.size - sum(
            HEADER + part.entries[path].size
            for path, content in prepared.shareable.items()
            if self._inputs.has(content)
        )
        chosen = [
            path
            for path, size in files.items()
            if size >= LARGE and prepared.shareable.get(path) in self._stored
        ]
        if rest - sum(files[path] for path in chosen) > limit and self._maximum:
            chosen = [path for path, size in files.items() if size >= LARGE]
            if rest - sum(files[path] for path in chosen) > limit:
                chosen = list(files)
        return chosen

    async def _send_files(
        self, prepared: PreparedDirectory, paths: Sequence[str]
    ) -> Mapping[SplitArchive, Mapping[str, str]]:
        """Send the files that the system does not have.

        Returns:
            For each archive, the names of the files in it that the job takes, by path.
        """
        taken: dict[SplitArchive, dict[str, str]] = defaultdict(dict)
        left = paths
        while left:
            known = {
                path: self._stored[content]
                for path in left
                if (content := prepared.shareable.get(path)) in self._stored and content is not None
            }
            new = [path for path in left if path not in known]
            if new:
                archive, members = await self._send_new(prepared, new)
                taken[archive].update(members)
            left = []
            for path, stored in known.items():
                try:
                    taken[await asyncio.shield(stored.arrival)][path] = stored.member
                except FirecrestError:
                    # The other test's archive did not arrive, so this one sends the file itself.
                    left = [*left, path]
        return taken

    async def _send_new(
        self, prepared: PreparedDirectory, paths: Sequence[str]
    ) -> tuple[SplitArchive, Mapping[str, str]]:
        """Send files in an archive; return it, and the names in it by path."""
        members: dict[str, str] = {}
        places: dict[InputContent, str] = {}
        arrival: asyncio.Future[SplitArchive] = asyncio.get_running_loop().create_future()
        # If it fails, no other test may be waiting for it.
        arrival.add_done_callback(lambda future: future.cancelled() or future.exception())
        for number, path in enumerate(paths):
            content = prepared.shareable.get(path)
            member = f"{number}/{posixpath.basename(path)}"
            members[path] = member if content is None else places.setdefault(content, member)
        self._stored.update({content: _Stored(arrival, member) for content, member in places.items()})
        try:
            archive = await self._pack_and_upload(prepared, members)
        except BaseException as error:
            for content in places:
                del self._stored[content]
            # Other tests send their files themselves then.
            arrival.set_exception(UncertainError(str(error)))
            raise
        arrival.set_result(archive)
        return archive, members

    async def _pack_and_upload(self, prepared: PreparedDirectory, members: Mapping[str, str]) -> SplitArchive:
        directory, begun = prepared.directory.local, time.monotonic()
        local = self._context.scratch / f"large-{next(self._numbers)}.tgz"
        async with self._slots:
            try:
                part = _archive_part(prepared, members)
                _, digest = await asyncio.to_thread(pack_limited, part, local, self._maximum)
                size = (await asyncio.to_thread(local.stat)).st_size
                what = f"sending {format_size(size)} of {format_count(1, 'stage directory')} in parts"
                async with reported(what) as progress:
                    archive = await self._upload.send(local, digest, len(part.entries), progress)
            except OversizeError:
                if self._has_storage:
                    raise _Unfit from None
                raise StagingError(_oversize(directory, self._maximum)) from None
            except _REFUSALS:
                if self._has_storage:
                    raise _Unfit from None
                raise
            finally:
                await asyncio.to_thread(local.unlink, missing_ok=True)
        self._context.record.sent(len(part.entries), 1, size, time.monotonic() - begun)
        return archive

    @property
    def _has_storage(self) -> bool:
        return self._context.system.capabilities.transfer is TransferMethod.S3

    def _without(
        self, prepared: PreparedDirectory, taken: Mapping[SplitArchive, Mapping[str, str]]
    ) -> PreparedDirectory:
        """Return a stage directory without the files that jobs take from archives."""
        part, script = prepared.part, prepared.script
        several = script is None or script.is_array
        target = f"{self._context.root}/{prepared.directory.relative}"
        large = {
            path: (_stat_of(part, path), part.entries[path].fingerprint)
            for members in taken.values()
            for path in members
        }
        return replace(
            prepared,
            part=replace(
                part, entries={path: entry for path, entry in part.entries.items() if path not in large}
            ),
            shareable={path: found for path, found in prepared.shareable.items() if path not in large},
            large=large,
            unpacked=tuple(
                Unpacking(
                    archive,
                    target,
                    {path: (member, large[path][0]) for path, member in members.items()},
                    f"{self._context.transfer}/once-{next(self._numbers)}" if several else "",
                    is_complete=archive.files == len(set(members.values())),
                )
                for archive, members in taken.items()
            ),
        )


def _archive_part(prepared: PreparedDirectory, members: Mapping[str, str]) -> ArchivePart:
    """Return the part of an archive that has each content once."""
    part = prepared.part
    sources = {member: path for path, member in reversed(list(members.items()))}
    return ArchivePart(
        ".",
        {member: part.entries[path] for member, path in sources.items()},
        digests={
            member: prepared.shareable[path].digest
            for member, path in sources.items()
            if path in prepared.shareable
        },
        translated={
            member: part.translated[path] for member, path in sources.items() if path in part.translated
        },
    )


def _stat_of(part: ArchivePart, path: str) -> SentStat:
    translated: Path | None = part.translated.get(path)
    return sent_stat_of(part.entries[path], translated.stat().st_size if translated else None)


def _oversize(directory: str, maximum: int) -> str:
    return (
        f"the files of {directory} are larger than {format_size(maximum)} when packed, the limit of "
        "'direct_upload_max', and the gateway has no S3 storage for larger ones; raise the setting, or put "
        "the files on the system and map them with 'path_map'"
    )
