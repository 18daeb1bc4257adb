"""Shell commands that set up an environment on the compute node.

ReFrame (4.10) emits them in ``prepare`` of its jobs, and in doing so loads modules and expands ``$(command)``
on the local machine. `plugin.job` overrides that method and uses this module instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def emit_environment(environs: Iterable[Any], modules_system: Any) -> list[str]:
    """Return the commands for environments, in ReFrame's order.

    Args:
        environs: `Environment` objects of ReFrame.
        modules_system: modules system of ReFrame; it only formats the load commands.
    """
    commands: list[str] = []
    for environ in environs:
        commands += environ.prepare_cmds
        for module in environ.modules_detailed:
            commands += modules_system.emit_load_commands(**module)
        commands += [f"export {name}={value}" for name, value in environ.env_vars.items()]
    return commands
