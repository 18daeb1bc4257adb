"""ReFrame's job descriptor for jobs on a remote system.

ReFrame imports this module again when it restores a session (4.10), so the backends are not registered here.

Private names of ReFrame that are used, as of 4.10: the class ``_SlurmJob``, which has Slurm's options and the
script's preamble, and its attribute ``_nodespec``, from which ``nodelist`` would run ``scontrol``. Public
methods that are overridden: ``prepare``, since ReFrame's loads modules locally; ``nodelist``; ``__eq__`` and
``__hash__``.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import reframe.core.runtime as rt
from reframe.core.schedulers.slurm import _SlurmJob

from reframe_firecrest.model.node_sets import expand_nodes
from reframe_firecrest.modules.changes import changes_undone
from reframe_firecrest.plugin.environments import emit_environment
from reframe_firecrest.plugin.remote_modules import commands_of_run

_numbers = itertools.count(1)


class FirecrestJob(_SlurmJob):
    """A job on a remote system.

    A test may select the results to retrieve in a hook after its setup, such as
    ``self.job.exclude = ["*.img"]``.

    Attributes:
        retrieve: patterns of files to retrieve; None uses the partition's settings, here and below.
        exclude: patterns of files to leave on the system.
        max_file_size: largest size of a file, in bytes; larger files are left.
        max_total_size: size of all files together, in bytes; the largest files are left.
        max_files: number of files; the largest files are left.

    The id changes from a provisional one to Slurm's. ReFrame keeps jobs in sets, so their identity is a
    separate number.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._number = next(_numbers)
        self._start_time: float | None = None
        self._remotedir: str | None = None
        self.retrieve: list[str] | None = None
        self.exclude: list[str] | None = None
        self.max_file_size: int | None = None
        self.max_total_size: int | None = None
        self.max_files: int | None = None

    def prepare(
        self,
        commands: Iterable[str],
        environs: Iterable[Any] | None = None,
        prepare_cmds: Iterable[str] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Write the job script; the commands of the environment are written to it, not run locally."""
        modules_system = rt.runtime().modules_system
        with changes_undone(os.environ):
            emitted = emit_environment(environs or (), modules_system)
        setup = [*(prepare_cmds or ()), *commands_of_run(modules_system), *emitted]
        super().prepare(commands, [], setup, *args, **kwargs)

    @property
    def remotedir(self) -> str | None:
        """Remote path of the stage directory; None until the job is submitted."""
        return self._remotedir

    @property
    def start_time(self) -> float | None:
        """Time at which Slurm started the job, in seconds since the epoch.

        It is the time of submission while the job is pending, as in ReFrame's own property (PR 3704, not in
        4.10): `completion_time` minus this is the run time without the time in the queue.
        """
        submitted: float | None = self.submit_time
        return submitted if self._start_time is None else self._start_time

    @property
    def nodelist(self) -> list[str]:
        """Names of the job's nodes, expanded without a Slurm command.

        It is empty if the gateway reports no valid node set. It is expanded at each call: ReFrame also reads
        it while the job runs, when Slurm may not yet show the nodes of every component.
        """
        with suppress(ValueError):
            return expand_nodes(self._nodespec or "")
        return []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FirecrestJob) and self._number == other._number

    def __hash__(self) -> int:
        return hash(self._number)
