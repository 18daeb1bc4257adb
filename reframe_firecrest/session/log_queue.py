"""Log records of this package, queued for the thread that may show them.

ReFrame's log context belongs to its main thread, while most records come from the event loop. Without a
handler, Python would print them to standard error, among ReFrame's own lines, and to no file.
"""

from __future__ import annotations

import atexit
import logging
import sys
from logging.handlers import QueueHandler
from queue import Empty, SimpleQueue

from reframe_firecrest.model.errors import one_line

Message = tuple[int, str]
"""Level and text of a log record."""

PACKAGE = "reframe_firecrest"
"""Root of this package's loggers."""


class _OneLine(logging.Formatter):
    """Escape control characters: names and messages of the remote side may contain any character."""

    def format(self, record: logging.LogRecord) -> str:
        return one_line(super().format(record))


class LogQueue:
    """Handler of the package's loggers, and the records that it has queued."""

    def __init__(self) -> None:
        self._records: SimpleQueue[logging.LogRecord] = SimpleQueue()
        self._handler = QueueHandler(self._records)
        self._handler.setFormatter(_OneLine())
        self._logger = logging.getLogger(PACKAGE)

    def start(self) -> bool:
        """Queue all records from now on; return false if that was so already."""
        if self._handler in self._logger.handlers:
            return False
        self._logger.addHandler(self._handler)
        self._logger.setLevel(logging.DEBUG)
        self._logger.propagate = False
        atexit.register(self.print_warnings)
        return True

    def stop(self) -> None:
        """Leave the loggers as Python makes them, and drop what is queued."""
        self._logger.removeHandler(self._handler)
        self._logger.setLevel(logging.NOTSET)
        self._logger.propagate = True
        atexit.unregister(self.print_warnings)
        self.take()

    def take(self) -> list[Message]:
        """Remove and return the queued messages."""
        messages: list[Message] = []
        while True:
            try:
                record = self._records.get_nowait()
            except Empty:
                return messages
            messages.append((record.levelno, record.getMessage()))

    def print_warnings(self) -> None:
        """Print the queued warnings to standard error, for the end of the process; drop the rest."""
        for level, text in self.take():
            if level >= logging.WARNING:
                self.print_warning(text)

    @staticmethod
    def print_warning(text: str) -> None:
        """Print a warning to standard error."""
        print(f"reframe-firecrest: {text}", file=sys.stderr)


LOGS = LogQueue()
"""The queue of this process: loggers are process-wide as well."""
