"""Packing of what jobs made, with what probably can't be read by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model.remote_file import Archive
from reframe_firecrest.session.listing import REFUSALS


class Packer:
    """Packs files on the system.

    Args:
        gateway: the way there.
        root: the run's remote directory.
        target: returns the remote path of another archive, without its ending.
    """

    def __init__(self, gateway: Gateway, root: str, target: Callable[[], str]) -> None:
        self._gateway = gateway
        self._root = root
        self._target = target

    async def pack(
        self, names: Sequence[str], doubtful: Mapping[str, str]
    ) -> tuple[list[Archive], dict[str, str]]:
        """Pack files; return the archives, and what could not be packed, with the reason.

        Args:
            names: the files, relative to the run's directory.
            doubtful: those that probably can't be read, with the reason. They are tried by themselves, so
                that the others need not be tried again without them.

        Raises:
            GatewayError: nothing could be packed of what can be read.
        """
        sure = [name for name in names if name not in doubtful]
        made = [*await self._gateway.archive(self._root, sure, self._target())] if sure else []
        refused: dict[str, str] = {}
        if doubtful:
            try:
                made += await self._gateway.archive(self._root, list(doubtful), self._target())
            except REFUSALS:
                refused.update(doubtful)
        for archive in made:
            refused.update(archive.refused)
        return made, {name: doubtful.get(name, reason) for name, reason in refused.items()}
