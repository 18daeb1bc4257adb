"""Partitions and environments of a configuration whose modules are recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from reframe.core import config as reframe_config
from reframe.core.exceptions import ReframeError
from reframe.core.modules import ModulesSystem, NoModImpl
from reframe.core.systems import System

from reframe_firecrest.commands.detect.modules_jobs import ModulesSetup, ModulesTarget
from reframe_firecrest.commands.detect.modules_script import ModuleStep
from reframe_firecrest.commands.targets import Target
from reframe_firecrest.model.errors import DetectionError
from reframe_firecrest.modules.location import snapshot_directory
from reframe_firecrest.modules.snapshot_file import snapshot_file

BUILTIN = "builtin"
"""Environment of the configuration that `configuration` writes."""

RESOLVE = "resolve_module_conflicts"


def snapshot_path(target: Target, settings_file: Path | None) -> Path:
    """Return the file of a system's snapshots.

    Args:
        target: a partition of the system.
        settings_file: the file that defines the system; None if there is none yet.
    """
    # Its settings come from the configuration and the environment.
    directory = target.settings.modules_dir or snapshot_directory((), {}, settings_file)
    return snapshot_file(directory, target.system)


def modules_targets_of_survey(targets: Sequence[Target], settings_file: Path | None) -> list[ModulesTarget]:
    """Return the environments of the configuration that is written from a survey.

    Args:
        targets: its partitions.
        settings_file: the file to which it is written; None if it is printed.
    """
    return [ModulesTarget(target, BUILTIN, snapshot_path(target, settings_file)) for target in targets]


def modules_targets(file: Path, targets: Sequence[Target]) -> list[ModulesTarget]:
    """Return the environments of partitions, for systems that have a modules system.

    Args:
        file: ReFrame's configuration file.
        targets: its partitions that are reached through FirecREST.

    Raises:
        DetectionError: the file can't be used.
    """
    try:
        site = reframe_config.load_config(str(file))
        site.validate()
        return [
            found
            for system in dict.fromkeys(target.system for target in targets)
            for found in _of_system(site, file, [each for each in targets if each.system == system])
        ]
    except (ReframeError, OSError) as error:
        raise DetectionError(
            f"the configuration {file} can't be used: {' '.join(str(error).split())}"
        ) from None


def _of_system(site: Any, file: Path, targets: Sequence[Target]) -> Iterator[ModulesTarget]:
    site.select_subconfig(targets[0].system)
    modules_system = _modules_system(site)
    if isinstance(modules_system.backend, NoModImpl):
        return
    partitions = {partition.name: partition for partition in _system_without_modules(site).partitions}
    for target in targets:
        partition = partitions[target.partition]
        for environ in partition.environs:
            setup = ModulesSetup(
                modules_system.name,
                tuple(partition.prepare_cmds),
                tuple(_steps([partition.local_env, environ], modules_system, resolve=_option(site, RESOLVE))),
                _option(site, RESOLVE),
                _option(site, "use_login_shell"),
            )
            yield ModulesTarget(target, environ.name, snapshot_path(target, file), setup)


def _system_without_modules(site: Any) -> System:
    """Return the selected system; an existing snapshot, which may have to be replaced, is not read."""
    option = "systems/modules_system"
    site.add_sticky_option(option, "nomod")
    try:
        return System.create(site)
    finally:
        site.remove_sticky_option(option)


def _modules_system(site: Any) -> ModulesSystem:
    """Return ReFrame's own modules system, which only formats commands here."""
    kind = site.get("systems/0/modules_system")
    created: ModulesSystem = ModulesSystem.create(kind, False)  # noqa: FBT003 - ReFrame's
    if site.get("general/0/module_map_file"):
        created.load_mapping_from_file(site.get("general/0/module_map_file"))
    for mapping in site.get("general/0/module_mappings") or ():
        created.load_mapping(mapping)
    return created


def _option(site: Any, name: str) -> bool:
    return bool(site.get(f"general/0/{name}"))


def _steps(
    environs: Iterable[Any], modules_system: ModulesSystem, *, resolve: bool
) -> Iterator[ModuleStep | str]:
    """Yield what an environment does, in the order of job scripts."""
    for environ in environs:
        yield from environ.prepare_cmds
        for module in environ.modules_detailed:
            collection, path = module.get("collection", False), module.get("path")
            names = modules_system.resolve_module(module["name"]) if resolve else [module["name"]]
            for name in names:
                commands = modules_system.emit_load_commands(name, collection, path)
                yield ModuleStep(name, tuple(commands), collection)
        yield from (f"export {name}={value}" for name, value in environ.env_vars.items())
