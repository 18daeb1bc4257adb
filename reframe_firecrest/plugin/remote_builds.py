"""Makes remote builds the default for partitions that are reached through FirecREST.

ReFrame's ``build_locally`` is True unless a test says otherwise, which would compile on the laptop. Here "not
said" gets a value of its own, so that an explicit True is still honoured, and other partitions keep
ReFrame's default. ReFrame (4.10) has no hook for this, so a default and one private method are replaced.
"""

from __future__ import annotations

from typing import Any

from reframe.core.pipeline import CompileOnlyRegressionTest, RegressionTest, RunOnlyRegressionTest

from reframe_firecrest.plugin.scheduler import FirecrestScheduler

VARIABLE = "build_locally"


class Unset(int):
    """ReFrame's default, recognisable as such: true, like the default.

    A number, because ReFrame copies defaults from class to class and into each test, by means of its own that
    trip over objects with a ``__deepcopy__``.
    """


def build_remotely_by_default() -> None:
    """Have tests whose ``build_locally`` was never set build where their partition is."""
    for test in (RegressionTest, CompileOnlyRegressionTest, RunOnlyRegressionTest):
        variable = test._rfm_var_space[VARIABLE]
        # ReFrame checks the types of what tests say; "not said" is a type more.
        variable.field._types = (*variable.field.valid_types, Unset)
        variable.define(Unset(1))
    original = RegressionTest._setup_build_job

    def setup_build_job(self: Any, **options: Any) -> None:
        if isinstance(self.build_locally, Unset):
            self.build_locally = not isinstance(self.current_partition.scheduler, FirecrestScheduler)
        original(self, **options)

    RegressionTest._setup_build_job = setup_build_job
