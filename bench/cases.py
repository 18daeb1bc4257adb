"""What can be measured, and what of it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

COMPARED = 100
"""Tests of the runs that are compared with something else than themselves."""

FIRECREST, LOCAL, SLURM = "firecrest", "local", "slurm"
"""The partitions of bench/settings.py."""


@dataclass(frozen=True)
class Case:
    """One run of the suite.

    Attributes:
        tests: how many.
        latency: seconds that the sandbox adds to every request; None where no sandbox is in the way.
        shared: all tests have the same inputs.
        large_mib: MiB of one more file each way.
        partition: of bench/settings.py.
        over_slurm: the sandbox runs the jobs through Slurm.
    """

    tests: int
    latency: float | None = None
    shared: bool = False
    large_mib: int = 0
    partition: str = FIRECREST
    over_slurm: bool = False

    @property
    def is_plain(self) -> bool:
        """Tell whether nothing but its size and latency is special about it."""
        return self == Case(self.tests, self.latency)

    @property
    def title(self) -> str:
        """What tables call it."""
        parts = [f"{self.tests} tests" if self.tests > 1 else "1 test"]
        parts += [] if self.latency is None else [f"{self.latency * 1000:.0f} ms"]
        parts += ["same inputs"] if self.shared else []
        parts += [f"{self.large_mib} MiB each way"] if self.large_mib else []
        parts += ["over Slurm"] if self.over_slurm else []
        parts += [] if self.partition == FIRECREST else [f"ReFrame's {self.partition}"]
        return ", ".join(parts)


@dataclass(frozen=True)
class Options:
    """What is asked for.

    Attributes:
        tests: sizes of the suite.
        latencies: seconds a request; a single None where the gateway is not ours.
        large_mib: MiB of the large file each way, 0 for none.
        slurm: compare with ReFrame's own `slurm` scheduler.
        scale: the largest of three sizes that show how cost grows, 0 for none.
    """

    tests: tuple[int, ...]
    latencies: tuple[float | None, ...]
    large_mib: int = 0
    slurm: bool = False
    scale: int = 0

    @property
    def fast(self) -> float | None:
        """The lowest latency."""
        return None if None in self.latencies else min(self._told)

    @property
    def slow(self) -> float | None:
        """The highest latency."""
        return None if None in self.latencies else max(self._told)

    @property
    def _told(self) -> list[float]:
        return [latency for latency in self.latencies if latency is not None]

    @property
    def scales(self) -> tuple[int, ...]:
        """The three sizes, smallest first."""
        return (self.scale // 4, self.scale // 2, self.scale) if self.scale else ()

    @property
    def shared(self) -> Case:
        """The run in which all tests have the same inputs."""
        return Case(min(COMPARED, max(self.tests)), self.fast, shared=True)

    @property
    def own(self) -> Case:
        """The largest run with ReFrame's own `local` scheduler, for the memory."""
        return Case(max(self.tests), partition=LOCAL)

    @property
    def large(self) -> tuple[Case, Case]:
        """The run with a large file each way, and the same with ReFrame's own scheduler."""
        return (
            Case(1, self.fast, large_mib=self.large_mib),
            Case(1, large_mib=self.large_mib, partition=LOCAL),
        )

    @property
    def rivals(self) -> tuple[Case, Case]:
        """The run through the slowest gateway, and the one with ReFrame's own `slurm` on the same Slurm."""
        size = min(COMPARED, max(self.tests))
        return Case(size, self.slow, over_slurm=self.slow is not None), Case(size, partition=SLURM)

    def cases(self) -> list[Case]:
        """Return all that is to be measured, each once."""
        found = [Case(tests, latency) for tests in self.tests for latency in self.latencies]
        found += [Case(tests, self.fast) for tests in self.scales]
        found += [self.shared, self.own]
        found += self.large if self.large_mib else ()
        found += self.rivals if self.slurm else ()
        return list(dict.fromkeys(found))
