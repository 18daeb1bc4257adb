"""Compare a disturbed run with the undisturbed one; list the differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firecrest_sandbox.fault_injection.middleware import READ_TO_ITS_END
from tests.faults.running import Outcome

BOUND = 60.0
"""Seconds that a run may take longer than the undisturbed one, unless something is away for long."""


def differences(expected: Outcome, found: Outcome, bound: float = BOUND) -> list[str]:
    """Return one line for each thing that is not as it should be; none if all is well.

    Args:
        expected: of the undisturbed run.
        found: of the disturbed one.
        bound: seconds that it may take longer.
    """
    if found.code is None:
        return ["ReFrame did not end"]
    lines = []
    if found.code != expected.code:
        lines.append(f"exit code {found.code}, expected {expected.code}")
    for name in sorted({*expected.tests, *found.tests}):
        wanted, got = expected.tests.get(name), found.tests.get(name)
        if wanted is None or got is None:
            lines.append(f"{name}: {'not in the report' if got is None else 'unexpected in the report'}")
        else:
            lines += [
                f"{name}: {key} is {got[key]!r}, expected {wanted[key]!r}"
                for key in wanted
                if got[key] != wanted[key]
            ]
    lines += _unequal("jobs", expected.jobs, found.jobs)
    lines += [f"never ended: job {job}" for job in found.unfinished]
    lines += _unequal("file", expected.files, found.files)
    lines += [
        f"an endless body was read to its end: {label.removeprefix(READ_TO_ITS_END).strip()}"
        for label in sorted(found.faults)
        if label.startswith(READ_TO_ITS_END)
    ]
    for path in sorted({*expected.remote} ^ {*found.remote}):
        lines.append(f"on the system: {path} is {'left' if path in found.remote else 'missing'}")
    if found.seconds > expected.seconds + bound:
        lines.append(f"took {found.seconds:.0f} s, undisturbed {expected.seconds:.0f} s")
    return lines


def _unequal(what: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    return [
        f"{what} {name}: {found.get(name, 'none')}, expected {expected.get(name, 'none')}"
        for name in sorted({*expected, *found})
        if expected.get(name) != found.get(name)
    ]
