"""Inputs that several tests share: each is sent once in a session, and jobs copy it on the system."""

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
    """Shared inputs of the tests in one archive.

    Attributes:
        copied: contents that jobs copy from the store, including those that this archive adds.
        added: contents that this archive adds to the store, with a file that has the content.
        arriving: contents that other archives are adding at the moment.
    """

    copied: frozenset[InputContent] = frozenset()
    added: Mapping[InputContent, Entry] = field(default_factory=dict)
    arriving: frozenset[asyncio.Future[None]] = frozenset()

    def archive_parts(self, store: str) -> list[ArchivePart]:
        """Return the parts of the archive that fill the store.

        Args:
            store: the store's directory, relative to where the archive is extracted.
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
    """The store of shared inputs on the system.

    Content that only one test has is sent in its stage directory. When a second test has the same, it is
    added to the store.
    """

    def __init__(self) -> None:
        self._seen: set[InputContent] = set()
        self._store: dict[InputContent, asyncio.Future[None]] = {}

    def has(self, content: InputContent) -> bool:
        """Return true if the store has a content, or will have it soon."""
        return content in self._store

    def plan(self, tests: Iterable[Mapping[InputContent, Entry]]) -> InputPlan:
        """Plan the shared inputs of an archive. `settle` must be called afterwards.

        Args:
            tests: for each test, the contents that may be shared, with a file that has them.
        """
        files = list(tests)
        counts = Counter(content for found in files for content in found)
        sources = {content: entry for found in files for content, entry in found.items()}
        copied, added, arriving = set(), {}, set()
        for content, count in counts.items():
            if content in self._store:
                copied.add(content)
                arriving.add(self._store[content])
            elif count > 1 or content in self._seen:
                copied.add(content)
                added[content] = sources[content]
        self._seen.update(counts)
        arrival: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # If it fails, no other archive may be waiting for it.
        arrival.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._store.update(dict.fromkeys(added, arrival))
        return InputPlan(frozenset(copied), added, frozenset(arriving))

    def settle(self, input_plan: InputPlan, error: BaseException | None = None) -> None:
        """Note the outcome of an archive.

        Args:
            input_plan: its plan.
            error: the error if it did not arrive.
        """
        for content in input_plan.added:
            arrival = self._store[content]
            if error is None and not arrival.done():
                arrival.set_result(None)
            if error is not None:
                del self._store[content]
                if not arrival.done():
                    reason = error if isinstance(error, FirecrestError) else UncertainError(str(error))
                    arrival.set_exception(reason)

    async def arrived(self, input_plan: InputPlan) -> None:
        """Wait for contents that other archives add.

        Raises:
            FirecrestError: one of these archives did not arrive.
        """
        await asyncio.gather(*(asyncio.shield(future) for future in input_plan.arriving))
