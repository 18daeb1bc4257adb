"""Imports that are deferred until a run starts.

Listing and describing tests needs neither the HTTP library nor pydantic, whose imports take longer than all
of ReFrame's. So the scheduler imports `plugin.remote_session`, and with it everything else, on first use.
This is the only place where the plugin defers an import.

By then ReFrame (4.10) may have removed site-packages from ``sys.path``: its ``temp_sys_path`` removes the
wrong entry if a settings file or a test inserts one. The working directory is another one, too. So the
modules are searched for where they would have been found when this package was imported.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from reframe.core.exceptions import ConfigError

if TYPE_CHECKING:
    from reframe_firecrest.plugin.remote_session import RemoteSession

_Item = TypeVar("_Item")

# An empty or relative entry means the working directory, which a run changes.
_PATH = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100 - links must stay links
_FINDERS = [*sys.meta_path]


def remote_session() -> type[RemoteSession]:
    """Import what a run needs, and return the class that starts it.

    Raises:
        ConfigError: a package is missing. ReFrame ends the run with the message.
    """
    try:
        with _import_state_restored(), _no_garbage_collection():
            module = importlib.import_module("reframe_firecrest.plugin.remote_session")
    except ImportError as error:
        raise ConfigError(
            f"reframe-firecrest is not completely installed ({error}); repair it with: "
            f"{sys.executable} -m pip install --force-reinstall reframe-firecrest"
        ) from None
    found: type[RemoteSession] = module.RemoteSession
    return found


@contextmanager
def _import_state_restored() -> Iterator[None]:
    """Search for modules where they were when this package was imported, then where they are now."""
    path, finders = [*sys.path], [*sys.meta_path]
    sys.path[:] = _union(_PATH, path)
    sys.meta_path[:] = _union(_FINDERS, finders)
    try:
        yield
    finally:
        sys.path[:], sys.meta_path[:] = path, finders


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Import without passes of the garbage collector, which take a tenth of the time and find nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _union(first: list[_Item], second: list[_Item]) -> list[_Item]:
    return [*first, *(item for item in second if item not in first)]
