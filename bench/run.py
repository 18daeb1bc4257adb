"""Runs the benchmark's suite and prints a table.

Through the sandbox, with latencies of its own, or through the gateway that FIRECREST_URL and its companions
name, as it is. See docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Case:
    """One run of the suite.

    Attributes:
        tests: how many.
        latency: seconds added to every request by the sandbox.
        shared: all tests have the same inputs.
        large_mib: MiB of one more file each way.
        partition: of bench/settings.py.
    """

    tests: int
    latency: float = 0.0
    shared: bool = False
    large_mib: int = 0
    partition: str = "firecrest"

    @property
    def title(self) -> str:
        """What the table calls it."""
        extras = ["shared inputs"] if self.shared else []
        extras += [f"{self.large_mib} MiB each way"] if self.large_mib else []
        return ", ".join([f"{self.tests} tests", *extras])


def run(case: Case, environment: Mapping[str, str]) -> dict[str, Any]:
    """Run ReFrame once; returns the plugin's counts, the wall time and whether all tests passed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        out = Path(scratch, "out.json")
        command = [
            *(sys.executable, "-c", "from reframe.frontend.cli import main; main()"),
            *("-C", str(HERE / "settings.py"), "-c", str(HERE / "suite.py"), "-r"),
            *("--system", f"bench:{case.partition}", "--prefix", scratch),
        ]
        variables = {
            **os.environ,
            **environment,
            "BENCH_OUT": str(out),
            "BENCH_TESTS": str(case.tests),
            "BENCH_SHARED": "1" if case.shared else "",
            "BENCH_LARGE_MIB": str(case.large_mib),
        }
        begun = time.monotonic()
        answer = subprocess.run(
            command, env=variables, cwd=scratch, capture_output=True, text=True, timeout=1800, check=False
        )
        wall = time.monotonic() - begun
        found: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
        passed = f"Ran {case.tests}/{case.tests} test case(s)" in answer.stdout and answer.returncode == 0
        if not passed:
            print(answer.stdout[-3000:], answer.stderr[-2000:], file=sys.stderr)
        return {**found, "wall_s": wall, "passed": passed}


def measure(case: Case) -> dict[str, Any]:
    """Run a case through the gateway that is asked for."""
    if os.environ.get("FIRECREST_URL") or case.partition != "firecrest":
        return run(case, {})
    from reframe_firecrest.sandbox import Sandbox, SandboxConfig  # noqa: PLC0415 - needs the extra

    with Sandbox(SandboxConfig(nodes=8, cpus=64, latency=case.latency)) as sandbox:
        found = run(case, sandbox.environment())
        found["status"] = sum(
            count for shape, count in sandbox.stats().by_shape.items() if shape.startswith("GET /compute")
        )
        return found


def show(rows: list[tuple[Case, dict[str, Any]]]) -> None:
    """Print what was measured."""
    table = Table(title="reframe-firecrest benchmark")
    columns = ("suite", "latency", "wall s", "CPU s", "requests a test", "status requests", "in flight")
    for column in (*columns, "submit() ms", "sent kB", "received kB", "peak MiB"):
        table.add_column(column, justify="right" if column != "suite" else "left")
    for case, found in rows:
        requests = found.get("requests")
        table.add_row(
            case.title + ("" if case.partition == "firecrest" else f" ({case.partition})"),
            f"{case.latency * 1000:.0f} ms",
            f"{found['wall_s']:.1f}" + ("" if found["passed"] else " FAILED"),
            f"{found.get('cpu_s', 0):.1f}",
            "" if requests is None else f"{requests / case.tests:.2f}",
            str(found.get("status", "")),
            str(found.get("most_in_flight", "")),
            "" if found.get("submit_ms") is None else f"{found['submit_ms']:.2f}",
            "" if requests is None else f"{found['bytes_sent'] / 1000:.0f}",
            "" if requests is None else f"{found['bytes_received'] / 1000:.0f}",
            f"{found.get('peak_mib', 0):.0f}",
        )
    Console(width=160).print(table)


def main() -> int:
    """Measure; the exit code says whether all tests passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, nargs="*", default=[20, 100, 500], help="sizes of the suite")
    parser.add_argument("--latency", type=float, nargs="*", default=[0.0, 0.2], help="seconds a request")
    parser.add_argument("--large", type=int, default=0, metavar="MIB", help="also one test with large files")
    options = parser.parse_args()
    cases = [Case(tests, latency) for tests in options.tests for latency in options.latency]
    cases.append(Case(100, shared=True))
    if options.large:
        cases.append(Case(1, large_mib=options.large))
    cases.append(Case(20, partition="local"))
    rows = []
    for case in cases:
        rows.append((case, measure(case)))
        print(f"measured: {case.title}, {case.latency * 1000:.0f} ms", file=sys.stderr)
    show(rows)
    return 0 if all(found["passed"] for _case, found in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
