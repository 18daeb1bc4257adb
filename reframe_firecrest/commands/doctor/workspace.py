"""A temporary directory on the system for one check."""

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
    """A temporary directory.

    Attributes:
        path: its absolute path.
        parent: the directory that contains it: the base directory, or its nearest existing ancestor.
    """

    path: str
    parent: str


@asynccontextmanager
async def workspace(gateway: Gateway, basedir: str) -> AsyncIterator[Workspace]:
    """Create a directory, and remove it with its content at the end.

    The base directory itself is not created, because it could not be removed: a run may start to use it.

    Args:
        gateway: gateway of the system.
        basedir: the base directory.

    Raises:
        GatewayError: it can't be created or removed.
    """
    parent = PurePosixPath(basedir)
    while parent != parent.parent and not await gateway.exists(str(parent)):
        parent = parent.parent
    path = str(parent / f"{PREFIX}{secrets.token_hex(6)}")
    try:
        await gateway.make_directory(path)
        yield Workspace(path, str(parent))
    except BaseException:
        # Only the first error is reported.
        with suppress(GatewayError):
            await gateway.remove(path)
        raise
    try:
        await gateway.remove(path)
    except GatewayError as error:
        raise FinalError(f"{path} is left on the system and could not be removed: {error}") from None
