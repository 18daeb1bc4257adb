"""What a check finds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from reframe_firecrest.model.errors import FirecrestError

_REMEDY = re.compile(r"(?P<what>.*); (?P<remedy>(?:check|set|export|choose|define) .*)")
"""Errors of this package end with what to do where there is something to be done."""


class Status(str, Enum):
    """How serious a finding is."""

    GREEN = "green"
    YELLOW = "yellow"
    """Tests run, but something is not as it should be."""
    RED = "red"
    """Tests don't run, or not all of them."""
    SKIPPED = "skipped"
    """It was not found out."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        detail: what is the case.
        remedy: what to do; empty for what is green or skipped.
    """

    status: Status
    detail: str
    remedy: str = ""


def green(detail: str) -> Finding:
    """Find nothing wrong."""
    return Finding(Status.GREEN, detail)


def yellow(detail: str, remedy: str) -> Finding:
    """Find something with which tests run all the same."""
    return Finding(Status.YELLOW, detail, remedy)


def red(detail: str, remedy: str) -> Finding:
    """Find something with which tests can't run."""
    return Finding(Status.RED, detail, remedy)


def skipped(detail: str) -> Finding:
    """Find nothing out."""
    return Finding(Status.SKIPPED, detail)


def of_error(error: FirecrestError, remedy: str) -> Finding:
    """Turn an error into a finding.

    Args:
        error: its text says what is wrong and perhaps what to do.
        remedy: what to do if the error does not say.
    """
    found = _REMEDY.fullmatch(str(error))
    return red(found["what"], found["remedy"]) if found else red(str(error), remedy)
