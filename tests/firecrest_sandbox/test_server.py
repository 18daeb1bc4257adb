"""Sockets of the sandbox."""

from __future__ import annotations

import socket

from firecrest_sandbox import SandboxConfig
from firecrest_sandbox.server import _listen


def test_answers_are_sent_at_once() -> None:
    # asyncio switches Nagle's algorithm off for sockets that name their protocol, and only for those.
    with _listen(SandboxConfig()) as listener:
        assert listener.proto == socket.IPPROTO_TCP
