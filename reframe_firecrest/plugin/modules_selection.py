"""Patches of ReFrame: answer questions about a remote system's modules from snapshots.

Patched, as of ReFrame 4.10 (4.10.0 and 4.10.4 agree):

- ``System.create`` and ``ModulesSystem.create``. The configuration's schema enumerates the modules systems,
  so no other backend can be registered. ReFrame's own run commands on this machine when they are created.
  Systems without a partition that uses our scheduler keep ReFrame's backends.
- ``runtime.loadenv``. ``find_modules`` calls it for the modules of each partition and environment, and then
  asks for the available modules. Only here it is known which partition and environment they belong to.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import reframe.core.runtime as rt
from reframe.core.backends import getscheduler
from reframe.core.environments import snapshot as environment_snapshot
from reframe.core.exceptions import ConfigError
from reframe.core.logging import getlogger
from reframe.core.modules import ModulesSystem, NoModImpl
from reframe.core.systems import System

from reframe_firecrest.model.errors import FirecrestError
from reframe_firecrest.model.setting_names import OPTIONS
from reframe_firecrest.model.units import format_duration
from reframe_firecrest.modules.location import Sources, max_age, snapshot_directory
from reframe_firecrest.modules.snapshot_file import read_snapshots, snapshot_file
from reframe_firecrest.plugin.environments import emit_environment, partition_of
from reframe_firecrest.plugin.remote_modules import (
    REMOTE,
    Recorded,
    RemoteModulesSystem,
    RemoteNoModules,
)
from reframe_firecrest.plugin.scheduler import FirecrestScheduler

_configuration: ContextVar[Any] = ContextVar("configuration", default=None)
"""Configuration of the remote system that is being created."""


def answer_from_snapshots() -> None:
    """Choose our backends for remote systems from now on."""
    System.create = classmethod(_creating_systems(System.create.__func__))
    ModulesSystem.create = classmethod(_creating_modules_systems(ModulesSystem.create.__func__))
    rt.loadenv = _loading(rt.loadenv)


def _creating_systems(create: Any) -> Any:
    @functools.wraps(create)
    def create_system(cls: type[System], site_config: Any) -> System:
        token = _configuration.set(site_config if _is_remote(site_config) else None)
        try:
            return create(cls, site_config)
        finally:
            _configuration.reset(token)

    return create_system


def _creating_modules_systems(create: Any) -> Any:
    @functools.wraps(create)
    def create_modules_system(
        cls: type[ModulesSystem], modules_kind: str | None = None, *validate: Any
    ) -> ModulesSystem:
        site_config = _configuration.get()
        if site_config is None:
            return create(cls, modules_kind, *validate)
        # Without validation, ReFrame's backend runs no command.
        return remote_modules_system(create(cls, modules_kind, False), site_config)  # noqa: FBT003

    return create_modules_system


def _loading(load: Any) -> Any:
    @functools.wraps(load)
    def load_environments(*environs: Any) -> Any:
        modules_system = rt.runtime().modules_system
        if partition_of(environs) is None or not isinstance(modules_system, RemoteModulesSystem):
            return load(*environs)
        return environment_snapshot(), emit_environment(environs, modules_system)

    return load_environments


def remote_modules_system(native: ModulesSystem, site_config: Any) -> ModulesSystem:
    """Return the modules system of a remote system.

    Args:
        native: ReFrame's modules system.
        site_config: configuration, for which the system is selected.

    Raises:
        ConfigError: the snapshots or the settings about them are not valid.
    """
    kind = type(native.backend)
    if kind is NoModImpl:
        return RemoteModulesSystem(RemoteNoModules())
    backend = REMOTE[kind]()
    try:
        backend.recorded = _recorded(backend.name(), site_config)
    except FirecrestError as error:
        raise ConfigError(str(error)) from None
    return RemoteModulesSystem(backend)


def _recorded(kind: str, site_config: Any) -> Recorded:
    system = site_config.get("systems/0/name")
    sources = _sources(site_config)
    settings_file = _settings_file(system, site_config)
    file = snapshot_file(snapshot_directory(sources, os.environ, settings_file), system)
    snapshots = tuple(read_snapshots(file))
    command = f"reframe-firecrest detect --config {settings_file or 'FILE'} --modules"
    for each in snapshots:
        if each.kind != kind:
            raise ConfigError(
                f"{file} has modules of {each.kind!r}, but 'modules_system' of {system} is {kind!r}; correct "
                f"it, or run: {command}"
            )
    if snapshots:
        _report_age(
            system, file, min(each.taken for each in snapshots), max_age(sources, os.environ), command
        )
    return Recorded(system, file, snapshots, command)


def _report_age(system: str, file: Path, taken: datetime, limit: float, command: str) -> None:
    age = (datetime.now(timezone.utc) - taken).total_seconds()
    if age > limit:
        getlogger().warning(
            f"the snapshot of the modules of {system} in {file} is {format_duration(age)} old; "
            f"for a new one, run: {command}"
        )


def _is_remote(site_config: Any) -> bool:
    return any(
        issubclass(getscheduler(partition["scheduler"]), FirecrestScheduler)
        for partition in site_config.get("systems/0/partitions")
    )


def _sources(site_config: Any) -> Sources:
    partitions = [
        entry
        for entry in site_config.get("systems/0/partitions")
        if issubclass(getscheduler(entry["scheduler"]), FirecrestScheduler)
    ]
    return [_options(partitions[0]), site_config.get(f"systems/0/sched_options/{OPTIONS}")]


def _options(partition: Mapping[str, Any]) -> Mapping[str, Any] | None:
    options: Mapping[str, Any] | None = partition.get("sched_options", {}).get(OPTIONS)
    return options


def _settings_file(system: str, site_config: Any) -> Path | None:
    """Return the file that defines a system, as ReFrame has noted it, or else the last one."""
    definitions = getattr(site_config, "_definitions", {}).get("systems", {})
    files = [
        name for name in [*site_config.sources, definitions.get(system, "")] if name and name != "<builtin>"
    ]
    return Path(files[-1]) if files else None
