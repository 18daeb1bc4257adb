"""This package's log records appear in ReFrame's log, on ReFrame's thread."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from reframe.core.logging import VERBOSE

from reframe_firecrest.plugin import reframe_log

LOGGER = logging.getLogger("reframe_firecrest.session.session")


class ReFramesLogger:
    def __init__(self) -> None:
        self.lines: list[tuple[int, str, int]] = []

    def log(self, level: int, text: str) -> None:
        self.lines.append((level, text, threading.get_ident()))


@pytest.fixture
def reframes(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReFramesLogger]:
    logger = ReFramesLogger()
    monkeypatch.setattr(reframe_log, "getlogger", lambda: logger)
    reframe_log.capture_logs()
    yield logger
    reframe_log.release_logs()


def on_another_thread(*calls: Any) -> None:
    thread = threading.Thread(target=lambda: [call() for call in calls])
    thread.start()
    thread.join()


def test_records_of_other_threads_are_logged_on_the_thread_that_flushes(reframes: ReFramesLogger) -> None:
    on_another_thread(lambda: LOGGER.debug("a detail"), lambda: LOGGER.warning("look at %s", "a\nb"))
    assert reframes.lines == []
    reframe_log.flush_logs()
    here = threading.get_ident()
    assert reframes.lines == [(VERBOSE, "[S] a detail", here), (logging.WARNING, "[S] look at a\\nb", here)]


def test_sessions_that_are_closed_at_exit_can_still_log() -> None:
    program = """
import atexit, logging
from reframe_firecrest.plugin import reframe_log
class Logger:
    def log(self, level, text):
        print(text)
reframe_log.getlogger = Logger
logger = logging.getLogger("reframe_firecrest.session")
reframe_log.capture_logs()
atexit.register(lambda: logger.info("summary"))
reframe_log.capture_logs()
atexit.register(lambda: logger.warning("job 7 may still exist"))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == "reframe-firecrest: job 7 may still exist\n"
    assert done.stdout == "[S] summary\n"
