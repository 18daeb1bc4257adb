"""State of a test case in ReFrame, as the plugin observes it and the journal records it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

CaseKey: TypeAlias = "tuple[str, str]"
"""Name and place of a test case, which are the same for all its attempts."""

FAILURES = frozenset({"fail", "xpass", "abort"})
"""Results that count as failed."""


@dataclass(frozen=True)
class CaseState:
    """State of a test case.

    Attributes:
        name: display name with the parameters, such as ``Sleeper %n=0``.
        where: system, partition and environment, as in ReFrame's output.
        directory: local stage directory; empty until the test is set up.
        result: `RegressionTask.result` of ReFrame 4.10, such as ``pass``; empty until it is known.
        stage: stage of ReFrame's pipeline in which the test failed.
    """

    name: str
    where: str
    directory: str = ""
    result: str = ""
    stage: str = ""

    @property
    def key(self) -> CaseKey:
        """Name and place."""
        return self.name, self.where
