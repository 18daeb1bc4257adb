"""Grammars of the values in a gateway's answers, against which every value is checked.

An identifier must match its grammar, since it becomes part of a path, a command, a settings file or a report.
An entry with an invalid identifier is ignored, with a warning; an answer without valid entries is an error.
Text that is only shown is converted to one printable line.

Sources: slurm.conf(5) for names, squeue(1) and sacct(1) for ids and states, scontrol(1) for node sets.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from reframe_firecrest.model.errors import one_line
from reframe_firecrest.model.node_sets import check_node_set

_LOGGER = logging.getLogger(__name__)

Model = TypeVar("Model", bound=BaseModel)

LONGEST_LINE = 400
"""Characters of a text that is only shown."""

LONGEST_PATH = 8192
"""Characters of a path, or of a job's name, which can contain a path; PATH_MAX is 4096 bytes."""

_LAST_MOMENT = 253_402_300_799
"""End of the year 9999, in seconds since the epoch; the latest year of `datetime`."""

_NO_NODES = ("", "None", "None assigned", "(null)")
_STATE = re.compile(r"(?:[A-Za-z_]{1,40}(?:,[A-Za-z_]{1,40}){0,9})?")


class Answer(BaseModel):
    """Base of the models of answers. Their validators are built on first use: a run needs few of them."""

    model_config = ConfigDict(defer_build=True)


def line(text: str, *, most: int = LONGEST_LINE) -> str:
    """Return a text as one printable line."""
    # A second positional parameter would get pydantic 2.7's validation info.
    return one_line(text[:most])


def node_set(text: str) -> str:
    """Return a node set, empty if it is invalid, since the job is needed in any case."""
    if text in _NO_NODES:
        return ""
    try:
        check_node_set(text)
    except ValueError:
        _report("node set", "")
        return ""
    return text


def state(text: str) -> str:
    """Return a job's state without its suffix, as in ``CANCELLED by 1001`` or ``CANCELLED+``.

    Raises:
        ValueError: it is not a state.
    """
    first = text.split(" ", 1)[0].rstrip("+")
    if not _STATE.fullmatch(first):
        raise ValueError("no state of a job")
    return first


def _joined(value: Any) -> str:
    """Join a value that some versions of Slurm's REST API return as a list."""
    items = value if isinstance(value, list) else [value]
    if not all(item is None or isinstance(item, str | int | float) for item in items):
        raise ValueError("neither a text nor a number nor a list of such")
    return ",".join("" if item is None else str(item) for item in items)


def _moment(value: Any) -> Any:
    """Replace an impossible time by None."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if not is_number or 0 <= value <= _LAST_MOMENT else None


Text = Annotated[str, BeforeValidator(_joined)]
"""A text that may be sent as a list, a number or null."""

JOB_ID = r"^[A-Za-z0-9]{1,64}(?:[_+.][A-Za-z0-9_+.,%:\[\]-]{1,4096})?$"
"""Such as ``12``, ``12_3``, ``12_[4-7%2]``, ``12_[1,3,...]`` or ``12+1``."""

JobId = Annotated[Text, Field(pattern=JOB_ID)]
NewJobId = Annotated[Text, Field(pattern="^[A-Za-z0-9]{1,64}$")]
"""An id in the answer to a submission."""
JobName = Annotated[Text, AfterValidator(lambda text: line(text, most=LONGEST_PATH))]
JobState = Annotated[Text, AfterValidator(state)]
ExitCode = Annotated[int, Field(ge=-(2**31), lt=2**31)]
NodeSet = Annotated[Text, AfterValidator(node_set)]
NodeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:@+=/~-]{0,254}$")]
"""Name of a partition, a feature, an account, a reservation or a system."""
Path = Annotated[str, AfterValidator(lambda text: line(text, most=LONGEST_PATH))]
"""A path to compare and show. Unprintable characters are replaced, so it equals none of our paths."""
TextPath = Annotated[Text, AfterValidator(lambda text: line(text, most=LONGEST_PATH))]
Line = Annotated[str, AfterValidator(line)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Bytes = Annotated[int, Field(ge=0, lt=2**63)]
Seconds = Annotated[Annotated[float, Field(ge=0, le=_LAST_MOMENT)] | None, BeforeValidator(_moment)]

_NODE_STATE = re.compile(r"[A-Za-z_][A-Za-z0-9_+*~#!%$@^-]{0,63}")
"""Pattern with the suffixes of sinfo, as in ``DOWN*`` or ``IDLE~``; see sinfo(1), "node state codes"."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@+=/~-]{0,254}")


def names(values: list[str], what: str) -> list[str]:
    """Return the valid ones of several names; warn if others are ignored."""
    good = [value for value in values if _NAME.fullmatch(value)]
    if len(good) < len(values):
        _report(what, "")
    return good


def node_states(values: list[str]) -> list[str]:
    """Return the states of a node. None is ignored, or a node that is down could appear idle.

    Raises:
        ValueError: one of them is invalid.
    """
    if not all(_NODE_STATE.fullmatch(value) for value in values):
        raise ValueError("no state of a node")
    return values


def valid(model: type[Model], entries: list[Any] | None, what: str) -> list[Model]:
    """Validate the entries of a list one by one; ignore invalid ones, with a warning.

    Args:
        model: of an entry.
        entries: the decoded list.
        what: name of an entry in the singular, for the warning.

    Raises:
        ValidationError: there are entries, and all of them are invalid.
    """
    good, wrong = [], None
    for entry in entries or []:
        try:
            good.append(model.model_validate(entry))
        except ValidationError as error:
            wrong = wrong or error
    if wrong is not None:
        if not good:
            raise wrong
        _report(what, str(next(iter(wrong.errors(include_input=False)[0]["loc"]), "")))
    return good


@lru_cache(maxsize=256)
def _report(what: str, field: str) -> None:
    """Warn about an ignored value, once, since the next answers have it too."""
    if field:
        _LOGGER.warning("the gateway's answers contain a %s with an invalid '%s'; it is ignored", what, field)
    else:
        _LOGGER.warning("the gateway's answers contain a %s that is not valid; it is ignored", what)
