"""Patch of ReFrame: build remotely by default on partitions that are reached through FirecREST.

Patched: the default of the test variable ``build_locally`` (``_rfm_var_space``, and the types of its field),
and ``RegressionTest._setup_build_job``, as of ReFrame 4.10.

Reason: ``build_locally`` is True unless a test sets it, so tests would be compiled on the user's machine.
ReFrame has no hook to change that per partition. A special default value distinguishes "not set" from an
explicit True, which is still honoured. Other partitions keep ReFrame's default.
"""

from __future__ import annotations

from typing import Any

from reframe.core.pipeline import CompileOnlyRegressionTest, RegressionTest, RunOnlyRegressionTest

from reframe_firecrest.plugin.scheduler import FirecrestScheduler

VARIABLE = "build_locally"


class Unset(int):
    """Default of ``build_locally``: true, like ReFrame's, but distinguishable from an explicit True.

    It is a number because ReFrame's way of copying defaults into classes and tests fails for objects with a
    ``__deepcopy__``.
    """


def build_remotely_by_default() -> None:
    """Build tests that do not set ``build_locally`` on the system of their partition."""
    for test in (RegressionTest, CompileOnlyRegressionTest, RunOnlyRegressionTest):
        variable = test._rfm_var_space[VARIABLE]
        # ReFrame checks the types of values; `Unset` is an additional one.
        variable.field._types = (*variable.field.valid_types, Unset)
        variable.define(Unset(1))
    original = RegressionTest._setup_build_job

    def setup_build_job(self: Any, **options: Any) -> None:
        if isinstance(self.build_locally, Unset):
            self.build_locally = not isinstance(self.current_partition.scheduler, FirecrestScheduler)
        original(self, **options)

    RegressionTest._setup_build_job = setup_build_job
