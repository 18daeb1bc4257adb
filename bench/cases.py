"""Cases of the benchmark, and the options that select them."""

from __future__ import annotations

from dataclasses import dataclass

COMPARED = 100
"""Number of tests in the runs that are compared with other schedulers."""

FIRECREST, LOCAL, SLURM = "firecrest", "local", "slurm"
"""The partitions of bench/settings.py."""


@dataclass(frozen=True)
class Case:
    """One run of the suite.

    Attributes:
        tests: number of tests.
        latency: seconds that the sandbox adds to every request; None without a sandbox.
        shared: all tests have the same inputs.
        large_mib: size of an additional file in each direction, in MiB.
        partition: partition of bench/settings.py.
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
        """Report whether only size and latency differ from the defaults."""
        return self == Case(self.tests, self.latency)

    @property
    def title(self) -> str:
        """Title in tables."""
        parts = [f"{self.tests} tests" if self.tests > 1 else "1 test"]
        parts += [] if self.latency is None else [f"{self.latency * 1000:.0f} ms"]
        parts += ["same inputs"] if self.shared else []
        parts += [f"{self.large_mib} MiB each way"] if self.large_mib else []
        parts += ["over Slurm"] if self.over_slurm else []
        parts += [] if self.partition == FIRECREST else [f"ReFrame's {self.partition}"]
        return ", ".join(parts)


@dataclass(frozen=True)
class Options:
    """Options of the benchmark.

    Attributes:
        tests: sizes of the suite.
        latencies: seconds per request; a single None for a gateway other than the sandbox.
        large_mib: size of the large file in each direction in MiB, 0 for none.
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
        return None if None in self.latencies else min(self._known_latencies)

    @property
    def slow(self) -> float | None:
        """The highest latency."""
        return None if None in self.latencies else max(self._known_latencies)

    @property
    def _known_latencies(self) -> list[float]:
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
        """Return the cases to measure, without duplicates."""
        found = [Case(tests, latency) for tests in self.tests for latency in self.latencies]
        found += [Case(tests, self.fast) for tests in self.scales]
        found += [self.shared, self.own]
        found += self.large if self.large_mib else ()
        found += self.rivals if self.slurm else ()
        return list(dict.fromkeys(found))
