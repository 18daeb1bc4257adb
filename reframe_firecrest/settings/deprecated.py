"""Former names of settings and environment variables: accepted, with one warning each."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TypeVar

RENAMED: Mapping[str, str] = {
    "dead_after": "heartbeat_timeout",
    "lost_after": "job_lost_timeout",
    "outage": "retry_timeout",
    "poll_max": "poll_interval_max",
    "poll_min": "poll_interval_min",
}
"""Current names of settings, by their former names."""

RENAMED_VARIABLES: Mapping[str, str] = {"FIRECREST_DEAD_AFTER": "FIRECREST_HEARTBEAT_TIMEOUT"}
"""Current names of environment variables, by their former names."""

_LOGGER = logging.getLogger(__name__)

_warned: set[str] = set()
"""Former names that this process has warned about."""

_Value = TypeVar("_Value")


def rename_keys(values: Mapping[str, _Value]) -> dict[str, _Value]:
    """Return the settings of one source under their current names, and warn about former ones."""
    return _rename(values, RENAMED, "setting")


def rename_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment under current names, and warn about former ones.

    An empty variable counts as not set, so it is left out.
    """
    given = {name: value for name, value in environment.items() if value}
    return _rename(given, RENAMED_VARIABLES, "environment variable")


def _rename(values: Mapping[str, _Value], renamed: Mapping[str, str], kind: str) -> dict[str, _Value]:
    current = {name: value for name, value in values.items() if name not in renamed}
    for old in sorted(values.keys() & renamed.keys()):
        new = renamed[old]
        both = current.get(new) is not None
        _warn(old, f"{kind} {old!r} is now {new!r}" + (", which is set too and is used" if both else ""))
        if not both:
            current[new] = values[old]
    return current


def _warn(name: str, message: str) -> None:
    if name not in _warned:
        _warned.add(name)
        _LOGGER.warning("%s", message)
