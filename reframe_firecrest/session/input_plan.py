"""Which inputs the system has already: what a session has sent is not sent again for another test."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reframe_firecrest.model.errors import FirecrestError, UncertainError
from reframe_firecrest.staging.manifest import Entry
from reframe_firecrest.staging.pack import ArchivePart
from reframe_firecrest.staging.shared_inputs import InputContent


@dataclass(frozen=True)
class InputPlan:
    """What one archive does about the inputs of the tests that it is for.

    Attributes:
        copied: contents that jobs copy from the store, those of this archive included.
        added: what this archive adds to the store, with a file that has that content.
        elsewhere: what other archives are just bringing there.
    """

    copied: frozenset[InputContent] = frozenset()
    added: Mapping[InputContent, Entry] = field(default_factory=dict)
    elsewhere: frozenset[asyncio.Future[None]] = frozenset()

    def archive_parts(self, store: str) -> list[ArchivePart]:
        """What to pack for the store.

        Args:
            store: its directory, relative to where the archive is extracted.
        """
        return [
            ArchivePart(
                f"{store}/{content.directory}",
                {content.name: entry},
                digests={content.name: content.digest},
            )
            for content, entry in self.added.items()
        ]


class SharedInputs:
    """Remembers what has been sent, and decides what goes into the store.

    A content that only one test has is sent with that test and costs nothing more. When it is met again, it
    goes into the store.
    """

    def __init__(self) -> None:
        self._met: set[InputContent] = set()
        self._store: dict[InputContent, asyncio.Future[None]] = {}

    def has(self, content: InputContent) -> bool:
        """Tell whether the store has a content, or is about to."""
        return content in self._store

    def plan(self, tests: Iterable[Mapping[InputContent, Entry]]) -> InputPlan:
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
        return InputPlan(frozenset(copied), added, frozenset(elsewhere))

    def settle(self, input_plan: InputPlan, error: BaseException | None = None) -> None:
        """Note that an archive has arrived, or why not."""
        for content in input_plan.added:
            arriving = self._store[content]
            if error is None and not arriving.done():
                arriving.set_result(None)
            if error is not None:
                del self._store[content]
                if not arriving.done():
                    reason = error if isinstance(error, FirecrestError) else UncertainError(str(error))
                    arriving.set_exception(reason)

    async def arrived(self, input_plan: InputPlan) -> None:
        """Wait for what other archives bring.

        Raises:
            FirecrestError: one of them did not arrive.
        """
        await asyncio.gather(*(asyncio.shield(future) for future in input_plan.elsewhere))
