"""Name a processor's microarchitecture, as ReFrame does, by archspec's table. Pure functions.

archspec itself detects only the machine on which it runs. The rules here are archspec's: a target is
compatible if the processor has all its features, and the most specific compatible target is the result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from archspec.cpu import TARGETS  # type: ignore[import-untyped]  # ships no type information
from archspec.cpu.schema import TARGETS_JSON  # type: ignore[import-untyped]  # likewise

GENERIC = "generic"

_Cpuinfo = Mapping[str, str]
_Fits = Callable[[Any, _Cpuinfo], bool]


def _fits_x86(target: Any, cpuinfo: _Cpuinfo) -> bool:
    vendor = cpuinfo.get("vendor_id", GENERIC)
    flags = set(cpuinfo.get("flags", "").split())
    if "ssse3" in flags:
        # ssse3 includes sse3, for which Linux and archspec use different names.
        flags.add("sse3")
    return bool(target.vendor in (vendor, GENERIC) and target.features <= flags)


def _fits_arm(target: Any, cpuinfo: _Cpuinfo) -> bool:
    # The features that the kernel lists do not determine the architecture's level (armv8.2a ...).
    if target.vendor == GENERIC:
        return bool(target.name == target.family.name)
    code = cpuinfo.get("CPU implementer", "")
    vendor = TARGETS_JSON["conversions"]["arm_vendors"].get(code, code)
    return bool(target.vendor == vendor and target.features <= set(cpuinfo.get("Features", "").split()))


def _fits_power(target: Any, cpuinfo: _Cpuinfo) -> bool:
    match = re.search(r"POWER([0-9]{1,3})", cpuinfo.get("cpu", ""))
    return bool(target.generation <= (int(match.group(1)) if match else 0))


_RULES: Mapping[str, _Fits] = {
    "x86_64": _fits_x86,
    "aarch64": _fits_arm,
    "ppc64": _fits_power,
    "ppc64le": _fits_power,
}


def microarchitecture(machine: str, cpuinfo: Mapping[str, str]) -> tuple[str, str]:
    """Return a processor's microarchitecture and its vendor.

    Args:
        machine: machine name, as printed by ``uname -m``.
        cpuinfo: entries of one processor in ``/proc/cpuinfo``.
    """
    family, fits = TARGETS.get(machine), _RULES.get(machine)
    if family is None or fits is None:
        return machine, GENERIC
    fitting = [
        target for target in TARGETS.values() if target.family == family and fits(target, cpuinfo)
    ] or [family]
    basis = max((target for target in fitting if target.vendor == GENERIC), key=_rank, default=family)
    part = cpuinfo.get("CPU part")
    exact = [target for target in fitting if part and getattr(target, "cpu_part", "") == part]
    # A rare feature that the firmware disables must not lead to a much older microarchitecture.
    special = [target for target in exact or fitting if target > basis]
    best = max(special, key=_rank, default=basis)
    return str(best.name), str(best.vendor)


def _rank(target: Any) -> tuple[int, int]:
    return len(target.ancestors), len(target.features)
