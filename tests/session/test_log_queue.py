"""Records of this package's loggers wait in a queue until a thread takes them."""

from __future__ import annotations

import logging

import pytest

from reframe_firecrest.session.log_queue import PACKAGE, LogQueue
from tests.session.conftest import Stage

GATEWAY = "reframe_firecrest.gateway"


def test_records_are_kept_until_they_are_taken(logs: LogQueue) -> None:
    logs.start()
    logging.getLogger(f"{GATEWAY}.http.outage_log").warning("no answer for %d s", 16)
    logging.getLogger("reframe_firecrest.session").debug("a detail")
    assert logs.take() == [(logging.WARNING, "no answer for 16 s"), (logging.DEBUG, "a detail")]
    assert logs.take() == []


def test_records_of_other_packages_are_left_alone(logs: LogQueue) -> None:
    logging.getLogger("httpx").warning("a request")
    assert logs.take() == []


def test_they_are_not_written_to_standard_error(logs: LogQueue, capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger(GATEWAY).warning("missing")
    assert capsys.readouterr().err == ""


def test_a_message_is_one_printable_line(logs: LogQueue) -> None:
    try:
        int("two\nlines")
    except ValueError:
        logging.getLogger(GATEWAY).exception("file %s", "a\x1b[31m\nb")
    [(_level, text)] = logs.take()
    assert text.startswith("file a\\x1b[31m\\nb")
    assert "two" in text
    assert text.isprintable()


def test_a_percent_sign_in_a_file_name_is_no_format(logs: LogQueue) -> None:
    logging.getLogger(GATEWAY).warning("left: %s", "100%d")
    assert logs.take() == [(logging.WARNING, "left: 100%d")]


def test_at_the_end_warnings_go_to_standard_error(logs: LogQueue, capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger(GATEWAY).debug("a detail")
    logging.getLogger(GATEWAY).warning("job 7 may still exist")
    logs.print_warnings()
    assert capsys.readouterr().err == "reframe-firecrest: job 7 may still exist\n"


def test_stopping_restores_the_loggers() -> None:
    logger = logging.getLogger(PACKAGE)
    before = [*logger.handlers], logger.level, logger.propagate
    queue = LogQueue()
    queue.start()
    queue.stop()
    assert ([*logger.handlers], logger.level, logger.propagate) == before


def test_the_gateways_warnings_come_with_those_of_the_session(stage: Stage) -> None:
    assert stage.session
    logging.getLogger(f"{GATEWAY}.http.outage_log").warning("works again")
    assert (logging.WARNING, "works again") in stage.said()
