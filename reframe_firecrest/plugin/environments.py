"""The shell commands that bring an environment about, emitted here and run on the node only.

ReFrame's own way of emitting them loads modules and expands ``$(command)`` on the machine that it runs on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def emit_environment(environs: Iterable[Any], modules_system: Any) -> list[str]:
    """Return the commands for some of ReFrame's environments, in ReFrame's order.

    Args:
        environs: ReFrame's `Environment` objects.
        modules_system: ReFrame's modules system; only asked how a load is written.
    """
    commands: list[str] = []
    for environ in environs:
        commands += environ.prepare_cmds
        for module in environ.modules_detailed:
            commands += modules_system.emit_load_commands(**module)
        commands += [f"export {name}={value}" for name, value in environ.env_vars.items()]
    return commands
