"""Packing of files of which some make the gateway refuse all: those are found by bisection.

An archive counts only if the remote ``tar`` succeeded. A failed one may have left an archive, in which
unreadable data is replaced by zeros (GNU tar's manual, "Solving Problems with Reading").
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeGuard

from reframe_firecrest.model import errors
from reframe_firecrest.model.remote_file import Archive

ATTEMPTS = 64
"""Archives to attempt for one set of files; files that are undecided after that are not packed."""

CULPRITS = (errors.ForbiddenError, errors.NotFoundError, errors.RejectedError)
"""Errors that one of many files may cause."""

Pack = Callable[[Sequence[str]], Awaitable[Archive]]


async def pack_what_can_be(chunks: Sequence[Sequence[str]], pack: Pack) -> list[Archive]:
    """Pack files; the first archive lists those that could not be packed.

    Args:
        chunks: the files, in groups to try first.
        pack: packs files together.

    Raises:
        GatewayError: no file could be packed, or the reason was not one of the files.
    """
    made: list[Archive] = []
    refused: dict[str, str] = {}
    waiting, left, last = list(chunks), max(ATTEMPTS, len(chunks)), None
    while waiting and left:
        tried, beyond = waiting[:left], waiting[left:]
        left -= len(tried)
        waiting = beyond
        for chunk, result in zip(tried, await _all(tried, pack), strict=True):
            if isinstance(result, Archive):
                made.append(result)
                continue
            last = result
            if len(chunk) == 1:
                refused[chunk[0]] = str(result)
            else:
                waiting += [chunk[: len(chunk) // 2], chunk[len(chunk) // 2 :]]
    refused |= {file: str(last) for chunk in waiting for file in chunk}
    if last is not None and not made:
        raise last
    return with_refused(made, refused)


def with_refused(made: Sequence[Archive], refused: dict[str, str]) -> list[Archive]:
    """Return archives, the first of which lists the refused files; there is one if any file was packed."""
    if not refused:
        return list(made)
    return [replace(made[0], refused={**made[0].refused, **refused}), *made[1:]]


async def _all(chunks: Sequence[Sequence[str]], pack: Pack) -> list[Archive | errors.GatewayError]:
    results = await asyncio.gather(*(pack(chunk) for chunk in chunks), return_exceptions=True)
    found: list[Archive | errors.GatewayError] = []
    for result in results:
        if isinstance(result, Archive) or is_culprits(result):
            found.append(result)
        else:
            raise result
    return found


def is_culprits(error: BaseException) -> TypeGuard[errors.GatewayError]:
    """Report whether one of many files may have caused an error; a full disk does not count."""
    return isinstance(error, CULPRITS) and not isinstance(error, errors.NoSpaceError)
