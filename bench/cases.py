"""Cases of the benchmark, and the options that select them."""

from __future__ import annotations

from dataclasses import dataclass, replace

COMPARED = 100
"""Number of tests in the runs that are compared with other schedulers."""

NATIVE = (20, 100)
"""Numbers of tests in the runs that are compared with ReFrame's own `slurm` scheduler."""

LISTED = 10
"""Number of tests that are listed."""

SLEEPING = 20
"""Number of tests that sleep while the account's other jobs are listed."""

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
        listing: the tests are listed (``reframe -l``), not run.
        sleep: seconds that each test sleeps.
        history: number of other jobs of the account that the sandbox lists.
    """

    tests: int
    latency: float | None = None
    shared: bool = False
    large_mib: int = 0
    partition: str = FIRECREST
    over_slurm: bool = False
    listing: bool = False
    sleep: int = 0
    history: int = 0

    @property
    def is_plain(self) -> bool:
        """Report whether only size and latency differ from the defaults."""
        return self == Case(self.tests, self.latency)

    @property
    def is_on_a_system(self) -> bool:
        """Report whether a batch system runs the jobs, not the sandbox or ReFrame itself."""
        gateway_given = self.partition == FIRECREST and self.latency is None
        return gateway_given or self.over_slurm or self.partition == SLURM

    @property
    def title(self) -> str:
        """Title in tables."""
        parts = [f"{self.tests} tests" if self.tests > 1 else "1 test"]
        parts += ["listed"] if self.listing else []
        parts += [] if self.latency is None else [f"{self.latency * 1000:.0f} ms"]
        parts += ["same inputs"] if self.shared else []
        parts += [f"{self.large_mib} MiB each way"] if self.large_mib else []
        parts += [f"sleeping {self.sleep} s"] if self.sleep else []
        parts += [f"{self.history} other jobs"] if self.history else []
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
        scales: sizes that show how cost grows, smallest first.
        sleep: seconds that the tests sleep that show the cost of polling, 0 for no such tests.
        history: number of the account's other jobs in one of these runs; the sandbox only.
        more: also measure what has no target in the first table.
    """

    tests: tuple[int, ...]
    latencies: tuple[float | None, ...]
    large_mib: int = 0
    slurm: bool = False
    scales: tuple[int, ...] = ()
    sleep: int = 0
    history: int = 0
    more: bool = False

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

    def scaled(self, size: int) -> Case:
        """Return the run that shows the cost of a size, without added latency."""
        return Case(size, None if self.fast is None else 0.0)

    def rivals(self, size: int) -> tuple[Case, Case]:
        """Return the run through the slowest gateway, and ReFrame's own `slurm` on the same Slurm."""
        return Case(size, self.slow, over_slurm=self.slow is not None), Case(size, partition=SLURM)

    @property
    def listings(self) -> tuple[Case, Case]:
        """The list of tests with this package, and with ReFrame's own `slurm`; it needs no Slurm."""
        ours = Case(LISTED, listing=True)
        return ours, replace(ours, partition=SLURM)

    @property
    def sleeping(self) -> tuple[Case, Case]:
        """The runs of sleeping tests in an idle and in a busy account."""
        idle = Case(SLEEPING, self.slow, sleep=self.sleep)
        return idle, replace(idle, history=self.history)

    def cases(self) -> list[Case]:
        """Return the cases to measure, without duplicates."""
        latencies = self.latencies if self.more else (self.slow,)
        found = [Case(tests, latency) for tests in self.tests for latency in latencies]
        found += self.listings
        found += [self.shared, self.own] if self.more else []
        found += self.large if self.large_mib else ()
        found += [case for size in NATIVE if self.slurm for case in self.rivals(size)]
        found += [self.scaled(size) for size in self.scales]
        found += self.sleeping if self.sleep else ()
        return list(dict.fromkeys(found))
