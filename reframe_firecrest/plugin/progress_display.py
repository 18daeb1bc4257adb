"""Show the progress of a run: one live line on a terminal, elsewhere a line in ReFrame's log now and then.

ReFrame prints through the handlers of its logger, which hold standard output. On a terminal, both that stream
and the handlers get a stream that removes the live line before it writes, and another thread draws the line
anew. So ReFrame's lines are unchanged, its thread never waits for the network, and the last line of the
terminal is the live one. Nothing of ReFrame is patched: ``logging.StreamHandler.setStream`` is public.
"""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
from typing import Any, TextIO, cast

from reframe.core.logging import getlogger
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from reframe_firecrest.session.run_progress import Progress, RunProgress

DRAW_INTERVAL = 1.0
"""Seconds between two drawings of the live line."""

LOG_INTERVAL = 60.0
"""Seconds between two lines in a log, and until the first one: short runs need none."""

_CLEAR = "\r\x1b[2K"
"""Control sequence that clears the line of the cursor (ECMA-48: CR, EL)."""

_UP = "\x1b[1A"
"""Control sequence that moves the cursor up by one line (ECMA-48: CUU)."""


class LiveLine:
    """A line at the end of a terminal's output.

    Args:
        terminal: the stream that shows it.
        progress: what it shows.
    """

    def __init__(self, terminal: TextIO, progress: RunProgress) -> None:
        self._terminal = terminal
        self._progress = progress
        self._console = Console(file=terminal, highlight=False)
        self._lock = threading.RLock()
        self._drawn = 0
        self._stopped = threading.Event()
        self._at_line_start = True

    def start(self) -> None:
        """Draw the line from now on, until the process ends."""
        replaced = _replace_streams(self._terminal, cast(TextIO, _StreamAbove(self)))
        atexit.register(self._stop, replaced)
        threading.Thread(target=self._run, name="reframe-firecrest-progress", daemon=True).start()

    def _run(self) -> None:
        while not self._stopped.wait(DRAW_INTERVAL):
            try:
                self.draw()
            except (OSError, ValueError):
                # The terminal is closed.
                return

    def _stop(self, replaced: list[logging.StreamHandler[Any]]) -> None:
        self._stopped.set()
        with self._lock:
            self._terminal.write(self._erase())
            self._terminal.flush()
        for handler in replaced:
            handler.setStream(self._terminal)
        if isinstance(sys.stdout, _StreamAbove):
            sys.stdout = self._terminal

    def draw(self) -> None:
        """Draw the line, or remove it if no test is left to wait for."""
        progress = self._progress.now()
        with self._lock:
            if self._stopped.is_set() or not self._at_line_start:
                return
            # In one piece: the terminal would show the moment between two.
            self._terminal.write(self._erase() + (self._line(progress) if progress.active else ""))
            self._terminal.flush()

    def write_above(self, text: str) -> int:
        """Write a text where the line is, which is drawn again later."""
        with self._lock:
            self._terminal.write(self._erase() + text)
            self._at_line_start = text.endswith("\n") if text else self._at_line_start
            return len(text)

    def _line(self, progress: Progress) -> str:
        """Return the line with its control sequences, and note its length."""
        line = Text(progress.live_line(), style="bold red" if progress.failed else "bold")
        # The last column stays free: some terminals wrap there.
        line.truncate(max(self._console.width - 1, 1), overflow="ellipsis")
        with self._console.capture() as captured:
            self._console.print(line, end="", no_wrap=True, crop=True)
        self._drawn = cell_len(line.plain)
        return captured.get()

    def _erase(self) -> str:
        """Return the control sequences that remove the line, and note that it is removed."""
        # On a terminal that has become narrower, the line takes several.
        wrapped = (self._drawn - 1) // max(self._console.width, 1)
        sequences = _CLEAR + wrapped * (_UP + _CLEAR) if self._drawn else ""
        self._drawn = 0
        return sequences


class _StreamAbove:
    """Standard output that writes above the live line."""

    def __init__(self, line: LiveLine) -> None:
        self._line = line
        self._terminal = line._terminal

    def write(self, text: str) -> int:
        return self._line.write_above(text)

    def writelines(self, lines: list[str]) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._terminal, name)


def _replace_streams(terminal: TextIO, stream: TextIO) -> list[logging.StreamHandler[Any]]:
    """Replace a stream in ReFrame's handlers and as standard output; return the handlers."""
    logger = getattr(getlogger(), "logger", None)
    handlers = [
        handler
        for handler in getattr(logger, "handlers", ())
        if isinstance(handler, logging.StreamHandler) and handler.stream is terminal
    ]
    for handler in handlers:
        handler.setStream(stream)
    if sys.stdout is terminal:
        sys.stdout = stream
    return handlers


class LogLines:
    """Lines in ReFrame's log: at most one in `LOG_INTERVAL`, and only if something has changed.

    Args:
        progress: what they show.
    """

    def __init__(self, progress: RunProgress) -> None:
        self._progress = progress
        self._last = time.monotonic()
        self._shown: tuple[object, ...] = ()

    def tick(self) -> None:
        """Log a line if it is time for one; to be called on ReFrame's thread."""
        if time.monotonic() - self._last < LOG_INTERVAL:
            return
        progress = self._progress.now()
        if progress.active and progress.key != self._shown:
            getlogger().info(f"[S] {progress.log_line()}")
            self._last, self._shown = time.monotonic(), progress.key


class ProgressDisplay:
    """Display of a run's progress: one per process, whatever the number of partitions."""

    def __init__(self) -> None:
        self.progress = RunProgress()
        self._log_lines: LogLines | None = None
        self._started = False

    def start(self) -> None:
        """Show the progress from now on."""
        if self._started:
            return
        self._started = True
        console = Console(file=sys.stdout)
        if console.is_terminal and not console.is_dumb_terminal and sys.stdout.isatty():
            LiveLine(sys.stdout, self.progress).start()
        else:
            self._log_lines = LogLines(self.progress)

    def tick(self) -> None:
        """Log a line if it is time for one; to be called on ReFrame's thread."""
        if self._log_lines is not None:
            self._log_lines.tick()


DISPLAY = ProgressDisplay()
"""The display of this process: terminals are process-wide as well."""
