"""Packing of results on the system; files that can probably not be read are packed separately."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model.remote_file import Archive
from reframe_firecrest.session.listing import REFUSALS


class Packer:
    """Pack files on the system.

    Args:
        gateway: the gateway.
        root: the run's remote directory.
        target: returns the remote path of a new archive, without its suffix.
    """

    def __init__(self, gateway: Gateway, root: str, target: Callable[[], str]) -> None:
        self._gateway = gateway
        self._root = root
        self._target = target

    async def pack(
        self, names: Sequence[str], unreadable: Mapping[str, str]
    ) -> tuple[list[Archive], dict[str, str]]:
        """Pack files; return the archives, and the files that could not be packed, with the reason.

        Args:
            names: the files, relative to the run's directory.
            unreadable: files that can probably not be read, with the reason. They are packed separately, so
                that a failure does not affect the others.

        Raises:
            GatewayError: the readable files could not be packed.
        """
        readable = [name for name in names if name not in unreadable]
        archives = [*await self._gateway.archive(self._root, readable, self._target())] if readable else []
        refused: dict[str, str] = {}
        if unreadable:
            try:
                archives += await self._gateway.archive(self._root, list(unreadable), self._target())
            except REFUSALS:
                refused.update(unreadable)
        for archive in archives:
            refused.update(archive.refused)
        return archives, {name: unreadable.get(name, reason) for name, reason in refused.items()}
