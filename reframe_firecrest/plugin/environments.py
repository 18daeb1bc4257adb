"""Shell commands that set up an environment on the compute node.

ReFrame (4.10) emits them in ``loadenv``, which also loads modules and expands ``$(command)`` on the local
machine. `plugin.job` and `plugin.modules_selection` use this module instead. It emits the same commands.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import reframe.core.runtime as rt

from reframe_firecrest.modules.changes import keep_changes, read_changes

RESOLVE = "general/0/resolve_module_conflicts"


def emit_environment(environs: Iterable[Any], modules_system: Any) -> list[str]:
    """Return the commands for environments, in ReFrame's order.

    Args:
        environs: `Environment` objects of ReFrame. If the first one is that of a partition, questions about
            modules are answered for this partition and the second environment from now on.
        modules_system: ReFrame's modules system, which notes what is loaded.
    """
    environs = list(environs)
    resolve = bool(rt.runtime().get_option(RESOLVE))
    _enter(environs, modules_system, resolve=resolve)
    commands: list[str] = []
    for environ in environs:
        commands += environ.prepare_cmds
        for module in environ.modules_detailed:
            commands += _load_commands(module, modules_system, resolve=resolve)
        commands += [f"export {name}={value}" for name, value in environ.env_vars.items()]
    return commands


def partition_of(environs: Sequence[Any]) -> str | None:
    """Return the partition whose environment comes first; None if it is another one."""
    for partition in rt.runtime().system.partitions:
        if environs and environs[0] is partition.local_env:
            name: str = partition.name
            return name
    return None


def _enter(environs: Sequence[Any], modules_system: Any, *, resolve: bool) -> None:
    partition = partition_of(environs)
    if partition is None:
        return
    own = environs[:2]
    names = [each["name"] for environ in own for each in environ.modules_detailed]
    if resolve:
        names = [real for name in names for real in modules_system.resolve_module(name)]
    environ = own[1].name if len(own) > 1 else None
    keep_changes(read_changes(os.environ).entering(partition, environ, tuple(names)), os.environ)


def _load_commands(module: Mapping[str, Any], modules_system: Any, *, resolve: bool) -> list[str]:
    """Return the commands that load a module, after unloading those that conflict with it."""
    if not resolve:
        plain: list[str] = modules_system.emit_load_commands(**module)
        return plain
    commands: list[str] = []
    for name, unloaded in modules_system.load_module(**module, force=True):
        for other in unloaded:
            commands += modules_system.emit_unload_commands(other)
        commands += modules_system.emit_load_commands(
            name, module.get("collection", False), module.get("path")
        )
    return commands
