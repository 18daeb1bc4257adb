"""What the gateway's room warns of comes where a session's own messages are shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from reframe_firecrest.session import log_queue
from tests.session.conftest import Stage

GATEWAY = "reframe_firecrest.gateway"


@pytest.fixture
def started() -> Iterator[None]:
    logger = logging.getLogger(GATEWAY)
    before = [*logger.handlers]
    log_queue.start()
    _ = [*log_queue.kept()]
    yield
    logger.handlers[:] = before


def test_warnings_are_kept_until_they_are_taken(started: None) -> None:
    log_queue.start()
    logging.getLogger(f"{GATEWAY}.trouble").warning("so for %d s now", 16)
    logging.getLogger(f"{GATEWAY}.strays").info("nobody needs to know")
    assert [*log_queue.kept()] == [(logging.WARNING, "so for 16 s now")]
    assert [*log_queue.kept()] == []


def test_they_are_not_written_to_standard_error(started: None, capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger(GATEWAY)
    logger.propagate = False
    try:
        logger.warning("not there")
    finally:
        logger.propagate = True
    assert capsys.readouterr().err == ""


def test_a_session_says_it(started: None, stage: Stage) -> None:
    logging.getLogger(f"{GATEWAY}.trouble").warning("works again")
    assert (logging.WARNING, "works again") in stage.said()
