"""The directory of the snapshots, and the age at which they are reported.

Listing tests needs no other setting, so these are read without the others; `settings.model` validates them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reframe_firecrest.model.errors import SettingsError

DIRECTORY, MAX_AGE = "modules_dir", "modules_max_age"
VARIABLES = {DIRECTORY: "FIRECREST_MODULES_DIR", MAX_AGE: "FIRECREST_MODULES_MAX_AGE"}
"""Environment variables of the settings."""

DEFAULT_MAX_AGE = 30 * 86_400.0

Sources = Sequence[Mapping[str, Any] | None]
"""Settings of a partition and of its system, most specific first."""


def snapshot_directory(sources: Sources, environment: Mapping[str, str], settings_file: Path | None) -> Path:
    """Return the directory of the snapshots: as it is set, or that of the settings file.

    Args:
        sources: the settings.
        environment: the environment variables.
        settings_file: the file that defines the system; None if there is none yet.
    """
    given = _value(DIRECTORY, sources, environment)
    if given is not None:
        return Path.cwd() / os.path.expanduser(str(given))  # noqa: PTH111 - Path's raises without a home
    return Path.cwd() if settings_file is None else settings_file.absolute().parent


def max_age(sources: Sources, environment: Mapping[str, str]) -> float:
    """Return the age in seconds from which snapshots are reported as old.

    Raises:
        SettingsError: it is no number.
    """
    given = _value(MAX_AGE, sources, environment)
    try:
        return DEFAULT_MAX_AGE if given is None else float(given)
    except (TypeError, ValueError):
        raise SettingsError(f"{MAX_AGE!r} is wrong: {given!r} is not a number of seconds") from None


def _value(key: str, sources: Sources, environment: Mapping[str, str]) -> Any:
    given = [source[key] for source in sources if source and source.get(key) is not None]
    return given[0] if given else environment.get(VARIABLES[key]) or None
