"""ReFrame's job descriptor for jobs that run elsewhere.

ReFrame re-imports this module when it restores a session, so nothing is registered here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import reframe.core.runtime as rt
from reframe.core.schedulers.slurm import _SlurmJob

from reframe_firecrest.model.node_sets import expand_nodes
from reframe_firecrest.plugin.environments import emit_environment

_numbers = itertools.count(1)


class FirecrestJob(_SlurmJob):
    """A job behind a gateway.

    A test may say what it wants back, in a hook after its setup, as ``self.job.exclude = ["*.img"]``.

    Attributes:
        retrieve: patterns of files to bring back; None leaves it to the partition's settings.
        exclude: patterns of files to leave there.
        max_file_size: bytes; larger files are left there.
        max_total_size: bytes of all files together; the largest are left there.
        max_files: how many files; the largest are left there.

    Its id changes from a provisional one to Slurm's, so its identity is a number of its own: ReFrame keeps
    jobs in sets.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._number = next(_numbers)
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
        """Write the job script; what belongs to the environment is written, never run here."""
        emitted = emit_environment(environs or (), rt.runtime().modules_system)
        super().prepare(commands, [], [*(prepare_cmds or ()), *emitted], *args, **kwargs)

    @property
    def remotedir(self) -> str | None:
        """The remote stage directory, once the job has been handed over."""
        return self._remotedir

    @property
    def nodelist(self) -> list[str]:
        """The names of the job's nodes; expanded here, no Slurm command is needed.

        It is empty if the gateway's list is not a valid node set. It is expanded at each call: ReFrame also
        reads it while the job runs, when Slurm may not yet show the nodes of every component.
        """
        with suppress(ValueError):
            return expand_nodes(self._nodespec or "")
        return []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FirecrestJob) and self._number == other._number

    def __hash__(self) -> int:
        return hash(self._number)
