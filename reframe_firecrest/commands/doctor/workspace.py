"""A directory on the system that is there for one check only."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model.errors import FinalError, GatewayError

PREFIX = ".reframe-firecrest-doctor-"


@dataclass(frozen=True)
class Workspace:
    """A directory of our own.

    Attributes:
        parent: the directory in which it is: the base directory, or the nearest one above it that exists.
    """

    path: str
    parent: str


@asynccontextmanager
async def workspace(gateway: Gateway, basedir: str) -> AsyncIterator[Workspace]:
    """Make a directory, and remove it with all that is in it.

    The base directory itself is not made: a run may begin to use it at any time, so it could not be removed.

    Args:
        gateway: makes it.
        basedir: where, or as near as possible.

    Raises:
        GatewayError: it can't be made, or not be removed.
    """
    parent = PurePosixPath(basedir)
    while parent != parent.parent and not await gateway.exists(str(parent)):
        parent = parent.parent
    path = str(parent / f"{PREFIX}{secrets.token_hex(6)}")
    try:
        await gateway.make_directory(path)
        yield Workspace(path, str(parent))
    except BaseException:
        # What went wrong first is what has to be told.
        with suppress(GatewayError):
            await gateway.remove(path)
        raise
    try:
        await gateway.remove(path)
    except GatewayError as error:
        raise FinalError(f"{path} is left on the system and could not be removed: {error}") from None
