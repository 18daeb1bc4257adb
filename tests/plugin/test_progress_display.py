"""The live line on a terminal, and lines in a log."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import pytest

from reframe_firecrest.model.case_state import CaseState
from reframe_firecrest.plugin import progress_display
from reframe_firecrest.plugin.progress_display import LiveLine, LogLines, ProgressDisplay
from reframe_firecrest.session.run_progress import RunProgress

CASE = CaseState("T", "daint:gpu+gnu")


class Terminal(io.StringIO):
    """A stream to a terminal, which shows lines as a terminal does."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        """Return the lines that can be seen."""
        lines, row = [""], 0
        for word in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", self.getvalue()):
            if word == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif word == "\x1b[2K":
                lines[row] = ""
            elif word == "\x1b[1A":
                row -= 1
            elif word != "\r" and not word.startswith("\x1b"):
                lines[row] += word
        return lines


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


@pytest.fixture
def handler(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> logging.StreamHandler[Terminal]:
    """Give ReFrame's logger a handler that writes to the terminal."""
    made = logging.StreamHandler(terminal)
    logger = logging.Logger("reframe")
    logger.addHandler(made)
    monkeypatch.setattr(
        progress_display, "getlogger", lambda: SimpleNamespace(logger=logger, info=logger.info)
    )
    return made


@pytest.fixture
def progress() -> RunProgress:
    found = RunProgress()
    found.note_cases([CASE])
    return found


@dataclass
class Shown:
    """A line that is drawn only when the test wants it."""

    line: LiveLine
    stop: Callable[[], None]


@pytest.fixture
def start(
    terminal: Terminal, handler: object, progress: RunProgress, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Shown]:
    """Start the line; to be called in the test, as pytest replaces standard output before it."""
    stops: list[Callable[[], None]] = []

    def begin() -> Shown:
        monkeypatch.setattr("threading.Thread.start", lambda _thread: None)
        monkeypatch.setattr("atexit.register", lambda stop, *rest: stops.append(partial(stop, *rest)))
        monkeypatch.setattr(sys, "stdout", terminal)
        line = LiveLine(terminal, progress)
        line.start()
        return Shown(line, stops[0])

    return begin


def log(handler: logging.StreamHandler[Terminal], text: str) -> None:
    handler.emit(logging.LogRecord("reframe", logging.INFO, "", 0, text, (), None))


def test_reframes_lines_stay_as_they_are_and_the_line_below(
    start: Callable[[], Shown], terminal: Terminal, handler: logging.StreamHandler[Terminal]
) -> None:
    shown = start()
    log(handler, "[ RUN      ] T")
    shown.line.draw()
    assert terminal.screen() == ["[ RUN      ] T", "after 0.0 s: 0 of 1 done; 1 not started"]
    log(handler, "[       OK ] " + "x" * 100)
    print("from a test")
    assert terminal.screen() == ["[ RUN      ] T", "[       OK ] " + "x" * 100, "from a test", ""]
    shown.line.draw()
    shown.line.draw()
    assert terminal.screen()[3:] == ["after 0.0 s: 0 of 1 done; 1 not started"]


def test_the_line_is_replaced_in_one_piece(
    start: Callable[[], Shown], terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, pieces = start(), list[str]()
    shown.line.draw()
    monkeypatch.setattr(terminal, "write", pieces.append)
    shown.line.draw()
    print("from a test", end="")
    assert [re.sub(r"\x1b\[[0-9;]*m", "", piece) for piece in pieces if piece] == [
        "\r\x1b[2Kafter 0.0 s: 0 of 1 done; 1 not started",
        "\r\x1b[2Kfrom a test",
    ]


def test_nothing_is_drawn_into_an_unfinished_line(start: Callable[[], Shown], terminal: Terminal) -> None:
    shown = start()
    sys.stdout.write("half a ")
    shown.line.draw()
    sys.stdout.write("line\n")
    shown.line.draw()
    assert terminal.screen() == ["half a line", "after 0.0 s: 0 of 1 done; 1 not started"]


def test_the_line_goes_when_all_tests_have_results(
    start: Callable[[], Shown], terminal: Terminal, progress: RunProgress
) -> None:
    shown = start()
    shown.line.draw()
    progress.note_cases([CaseState(*CASE.key, "/stage", "pass")])
    shown.line.draw()
    assert terminal.screen() == [""]


def test_at_the_end_the_terminal_is_as_it_was(
    start: Callable[[], Shown], terminal: Terminal, handler: logging.StreamHandler[Terminal]
) -> None:
    shown = start()
    assert sys.stdout is not terminal
    assert sys.stdout.isatty()
    shown.line.draw()
    shown.stop()
    shown.line.draw()
    assert terminal.screen() == [""]
    assert sys.stdout is terminal
    assert handler.stream is terminal


def test_a_line_fits_a_terminal_that_becomes_narrower(start: Callable[[], Shown], terminal: Terminal) -> None:
    shown = start()
    terminal.write("above\n")
    shown.line.draw()
    # The 33 columns of the line now take two lines of the terminal.
    shown.line._console.width = 20
    shown.line.draw()
    before, _, after = terminal.getvalue().rpartition("\x1b[2K")
    assert before.endswith("\r\x1b[2K\x1b[1A\r"), "both lines are cleared"
    text = re.sub("\x1b\\[[0-9;]*m", "", after)
    assert text == "after 0.0 s: 0 of …"


@pytest.mark.parametrize("kind", ["terminal", "dumb", "file"])
def test_only_a_terminal_has_a_live_line(
    kind: str, terminal: Terminal, handler: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[LiveLine] = []
    monkeypatch.setattr(LiveLine, "start", lambda line: started.append(line))  # noqa: PLW0108 - a method
    monkeypatch.setattr(sys, "stdout", terminal)
    if kind == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    if kind == "file":
        monkeypatch.setattr(sys, "stdout", io.StringIO())
    display = ProgressDisplay()
    display.start()
    display.start()
    display.tick()
    assert len(started) == (kind == "terminal")


def test_a_log_gets_a_line_on_change_and_not_too_often(
    terminal: Terminal, handler: object, progress: RunProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    lines = LogLines(progress)

    def tick(after: float) -> list[str]:
        now[0] += after
        lines.tick()
        return [text for text in terminal.getvalue().splitlines() if text]

    assert tick(59) == []
    first = "[S] waiting: 1 not started, 0 done"
    assert tick(1) == [first]
    assert tick(120) == [first]
    progress.note_cases([CaseState("U", "daint:gpu+gnu", "", "fail")])
    assert tick(0) == [first, "[S] waiting: 1 not started, 1 done (1 failed)"]
    progress.note_cases([CaseState("V", "daint:gpu+gnu", "", "pass")])
    assert len(tick(1)) == 2
    progress.note_cases([CaseState(*CASE.key, "", "pass")])
    assert len(tick(100)) == 2
