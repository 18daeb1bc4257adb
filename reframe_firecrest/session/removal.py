"""Removes on the system, when a session ends, all but the stage directories that ReFrame keeps here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from posixpath import dirname, normpath

from reframe_firecrest import errors
from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.session.record import Record

WHOLE = "."
"""The run's directory itself."""


async def tidy_up(
    gateway: Gateway, root: str, directories: Mapping[str, str], also: str, record: Record
) -> None:
    """Remove what ReFrame has removed here; failures are told, not raised.

    ReFrame removes a test's stage directory when the test has passed, unless it was told to keep it.

    Args:
        gateway: the way there.
        root: the run's directory on the system.
        directories: the stage directories that were sent: where they are relative to `root`, by local path.
        also: what else goes, relative to `root`.
        record: keeps what was removed, and what was not.
    """

    async def remove(path: str) -> str | None:
        try:
            await gateway.remove(normpath(f"{root}/{path}"))
        except errors.GatewayError as error:
            return str(error)
        record.removed(path)
        return None

    here = await asyncio.to_thread(_existing, directories)
    kept = [directories[local] for local in here]
    results = await asyncio.gather(*(remove(path) for path in removable([also, *directories.values()], kept)))
    failures = [result for result in results if result]
    if failures:
        record.warn(f"{len(failures)} directories below {root} could not be removed: {failures[0]}")
    if kept:
        record.tell(f"the stage directories of {len(kept)} tests are kept on the system, below {root}")


def _existing(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if Path(path).is_dir()]


def removable(gone: Iterable[str], kept: Iterable[str]) -> list[str]:
    """Return the fewest directories that hold what is to go and nothing that is to stay.

    Args:
        gone: directories to remove, relative to the run's.
        kept: directories that stay with all that is in them.
    """
    staying = set(kept)
    if not staying:
        return [WHOLE]
    on_the_way = {above for path in staying for above in _above(path)}
    found = set()
    for path in gone:
        tops = [path, *_above(path)]
        if not staying.intersection(tops):
            found.update([top for top in tops if top not in on_the_way][-1:])
    return sorted(found)


def _above(path: str) -> Iterator[str]:
    """Yield what a path lies in, from the inside out."""
    while path := dirname(path):
        yield path
