"""Results of checks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from reframe_firecrest.model.errors import FirecrestError

_VERBS = "add|allow|ask|cancel|check|choose|correct|define|export|free|keep|raise|remove|run|set|use"
_REMEDY = re.compile(rf"(?P<what>.*); (?P<remedy>(?:(?:{_VERBS}) |did you mean ).*)")
"""Errors of this package end with what to do, if the user can do something."""


class Status(str, Enum):
    """Severity of a finding."""

    GREEN = "green"
    YELLOW = "yellow"
    """Tests can run, but something should be changed."""
    RED = "red"
    """Some or all tests can't run."""
    SKIPPED = "skipped"
    """The check was not possible."""


@dataclass(frozen=True)
class Finding:
    """Result of one check.

    Attributes:
        status: its severity.
        detail: what was found.
        remedy: what to do; empty if the status is green or skipped.
    """

    status: Status
    detail: str
    remedy: str = ""


def green(detail: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(Status.GREEN, detail)


def yellow(detail: str, remedy: str) -> Finding:
    """Return a problem with which tests can run."""
    return Finding(Status.YELLOW, detail, remedy)


def red(detail: str, remedy: str) -> Finding:
    """Return a problem with which tests can't run."""
    return Finding(Status.RED, detail, remedy)


def skipped(detail: str) -> Finding:
    """Return the finding of a check that was not possible."""
    return Finding(Status.SKIPPED, detail)


def of_error(error: FirecrestError, remedy: str) -> Finding:
    """Turn an error into a finding.

    Args:
        error: an error, whose message may include what to do.
        remedy: what to do if the message does not include it.
    """
    match = _REMEDY.fullmatch(str(error))
    return red(match["what"], match["remedy"]) if match else red(str(error), remedy)
