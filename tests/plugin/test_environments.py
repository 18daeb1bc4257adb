"""Environments are written into the script and never brought about here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from reframe.core.environments import Environment
from reframe.core.modules import ModulesSystem

from reframe_firecrest.plugin.environments import emit_environment


def test_nothing_is_loaded_or_expanded_here(tmp_path: Path) -> None:
    trace = f"{tmp_path}/expanded"
    environ = Environment("e", modules=["a", "b/1.0"], env_vars=[("X", f"$(touch {trace}; echo 1)")])
    loads = SimpleNamespace(emit_load_commands=lambda name, **_more: [f"module load {name}"])
    assert emit_environment([environ], loads) == [
        "module load a",
        "module load b/1.0",
        f"export X=$(touch {trace}; echo 1)",
    ]
    assert not list(tmp_path.iterdir())


def test_without_a_modules_system_loads_are_left_out_as_reframe_does() -> None:
    environ = Environment("e", modules=["a"], env_vars=[("X", "1")])
    assert emit_environment([environ], ModulesSystem.create("nomod")) == ["export X=1"]
