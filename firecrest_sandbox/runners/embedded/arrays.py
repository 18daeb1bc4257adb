"""Job arrays: their tasks, and the limit of concurrent tasks."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")
_MAX_TASKS = 1001


@dataclass(frozen=True)
class ArraySpec:
    """The indices of an array's tasks, in ascending order."""

    indices: tuple[int, ...]
    max_running: int | None = None

    @property
    def step(self) -> int:
        """Value of `SLURM_ARRAY_TASK_STEP`."""
        return self.indices[1] - self.indices[0] if len(self.indices) > 1 else 1

    @classmethod
    def parse(cls, text: str) -> ArraySpec:
        """Parse sbatch's notation, e.g. `0-15:4,20%2`.

        Raises:
            ValueError: the text is invalid, or has no tasks or more than 1001.
        """
        tasks, percent, limit = text.partition("%")
        indices: set[int] = set()
        for item in tasks.split(","):
            match = _RANGE.fullmatch(item)
            if match is None:
                raise ValueError(f"Invalid job array specification: {text!r}")
            first = int(match[1])
            last, step = int(match[2] or first), int(match[3] or 1)
            if step == 0 or last - first >= _MAX_TASKS * step:
                raise ValueError(f"Invalid job array specification: {text!r}")
            indices.update(range(first, last + 1, step))
        if not indices or len(indices) > _MAX_TASKS or (percent and not limit.isdigit()):
            raise ValueError(f"Invalid job array specification: {text!r}")
        return cls(tuple(sorted(indices)), int(limit) if percent and int(limit) > 0 else None)


def folded(indices: list[int]) -> str:
    """Return indices in Slurm's notation: `[0-2,5]`."""
    runs: list[list[int]] = []
    for index in sorted(indices):
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    texts = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    return f"[{','.join(texts)}]"
