"""Keep what the gateway and the session log until it can be shown: ReFrame's log belongs to ReFrame's thread.

Without this, Python would write it to standard error, amid ReFrame's own lines, and to no file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from queue import Empty, SimpleQueue

Message = tuple[int, str]


def drain(messages: SimpleQueue[Message]) -> Iterator[Message]:
    """Take what there is: level and text."""
    while True:
        try:
            yield messages.get_nowait()
        except Empty:
            return


class _Relay(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kept: SimpleQueue[Message] = SimpleQueue()

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.put((record.levelno, record.getMessage()))


_RELAY = _Relay()


def start() -> None:
    """Keep what is logged from now on; it doesn't matter how often this is called."""
    for room in ("gateway", "session"):
        logging.getLogger(f"reframe_firecrest.{room}").addHandler(_RELAY)


def kept() -> Iterator[Message]:
    """Take what was kept so far."""
    return drain(_RELAY.kept)
