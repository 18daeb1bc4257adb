"""Environments are written into the script and never brought about here."""

from __future__ import annotations

from pathlib import Path

import pytest
from reframe.core.environments import Environment

from reframe_firecrest.plugin.environments import emit_environment
from tests.plugin.modules_site import running, write_site


@pytest.mark.parametrize("resolve", [True, False])
def test_nothing_is_loaded_or_expanded_here(resolve: bool, tmp_path: Path) -> None:
    trace = f"{tmp_path}/expanded"
    environ = Environment("e", modules=["a", "b/1.0"], env_vars=[("X", f"$(touch {trace}; echo 1)")])
    with running(write_site(tmp_path), resolve_module_conflicts=resolve) as runtime:
        assert emit_environment([environ], runtime.modules_system) == [
            "module load a",
            "module load b/1.0",
            f"export X=$(touch {trace}; echo 1)",
        ]
    assert not Path(trace).exists()


def test_without_a_modules_system_loads_are_left_out_as_reframe_does(tmp_path: Path) -> None:
    environ = Environment("e", modules=["a"], env_vars=[("X", "1")])
    with running(write_site(tmp_path, kind="nomod")) as runtime:
        assert emit_environment([environ], runtime.modules_system) == ["export X=1"]
