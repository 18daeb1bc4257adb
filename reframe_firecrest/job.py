"""ReFrame's job descriptor for jobs that run elsewhere.

ReFrame re-imports this module when it restores a session, so nothing is registered here.
"""

from __future__ import annotations

import itertools
from typing import Any

from reframe.core.schedulers.slurm import _SlurmJob

from reframe_firecrest.states import expand_nodes

_numbers = itertools.count(1)


class FirecrestJob(_SlurmJob):
    """A job behind a gateway.

    Its id changes from a provisional one to Slurm's, so its identity is a number of its own: ReFrame keeps
    jobs in sets.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._number = next(_numbers)
        self._nodelist: list[str] = []

    @property
    def nodelist(self) -> list[str]:
        """The names of the job's nodes; expanded here, no Slurm command is needed."""
        if not self._nodelist and self._nodespec:
            self._nodelist = expand_nodes(self._nodespec)
        return list(self._nodelist)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FirecrestJob) and self._number == other._number

    def __hash__(self) -> int:
        return hash(self._number)
