"""Which inputs the system has already: what a session has sent is not sent again for another test."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reframe_firecrest.errors import FirecrestError, UncertainError
from reframe_firecrest.staging.inputs import Content
from reframe_firecrest.staging.manifest import Entry
from reframe_firecrest.staging.pack import Load


@dataclass(frozen=True)
class Parcel:
    """What one archive does about the inputs of the tests that it is for.

    Attributes:
        copied: contents that jobs copy from the store, those of this archive included.
        added: what this archive adds to the store, with a file that has that content.
        elsewhere: what other archives are just bringing there.
    """

    copied: frozenset[Content] = frozenset()
    added: Mapping[Content, Entry] = field(default_factory=dict)
    elsewhere: frozenset[asyncio.Future[None]] = frozenset()

    def loads(self, store: str) -> list[Load]:
        """What to pack for the store.

        Args:
            store: its directory, relative to where the archive is extracted.
        """
        return [
            Load(
                f"{store}/{content.directory}",
                {content.name: entry},
                digests={content.name: content.digest},
            )
            for content, entry in self.added.items()
        ]


class Inputs:
    """Remembers what has been sent, and decides what goes into the store.

    A content that only one test has is sent with that test and costs nothing more. When it is met again, it
    goes into the store.
    """

    def __init__(self) -> None:
        self._met: set[Content] = set()
        self._store: dict[Content, asyncio.Future[None]] = {}

    def has(self, content: Content) -> bool:
        """Tell whether the store has a content, or is about to."""
        return content in self._store

    def plan(self, tests: Iterable[Mapping[Content, Entry]]) -> Parcel:
        """Decide what an archive is to bring; `settle` has to follow.

        Args:
            tests: for each test, what it has that may be shared.
        """
        files = list(tests)
        counts = Counter(content for found in files for content in found)
        sources = {content: entry for found in files for content, entry in found.items()}
        copied, added, elsewhere = set(), {}, set()
        for content, count in counts.items():
            if content in self._store:
                copied.add(content)
                elsewhere.add(self._store[content])
            elif count > 1 or content in self._met:
                copied.add(content)
                added[content] = sources[content]
        self._met.update(counts)
        arriving: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Nobody may be waiting for what fails.
        arriving.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._store.update(dict.fromkeys(added, arriving))
        return Parcel(frozenset(copied), added, frozenset(elsewhere))

    def settle(self, parcel: Parcel, error: BaseException | None = None) -> None:
        """Note that an archive has arrived, or why not."""
        for content in parcel.added:
            arriving = self._store[content]
            if error is None and not arriving.done():
                arriving.set_result(None)
            if error is not None:
                del self._store[content]
                if not arriving.done():
                    reason = error if isinstance(error, FirecrestError) else UncertainError(str(error))
                    arriving.set_exception(reason)

    async def arrived(self, parcel: Parcel) -> None:
        """Wait for what other archives bring.

        Raises:
            FirecrestError: one of them did not arrive.
        """
        await asyncio.gather(*(asyncio.shield(future) for future in parcel.elsewhere))
