"""Makes ReFrame's processor information of a node's facts. Pure functions.

The format is that of ``processor_info`` in ReFrame's configuration schema, and the numbers are those that
ReFrame's own detection (``reframe/utility/cpuinfo.py``) finds when it runs on the node, with two differences:
processors that are switched off don't count, nor do NUMA nodes that have memory only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from reframe_firecrest.commands.detect.facts import Facts
from reframe_firecrest.commands.detect.microarchitecture import microarchitecture
from reframe_firecrest.model.errors import DetectionError, one_line
from reframe_firecrest.model.node_sets import numbers_in

UNKNOWN_MODEL = "N/A"
"""How ReFrame puts it."""

MAX_MODEL = 200
"""Characters of a model's name."""

CPU = "/sys/devices/system/cpu"
_OF_CPU = re.compile(rf"{CPU}/cpu(\d{{1,6}})/(topology|cache/index\d{{1,3}})/(\w+)", re.ASCII)
_OF_NODE = re.compile(r"/sys/devices/system/node/node\d+/cpumap")
_MASK = re.compile("[0-9a-f]{1,25000}")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

# The newer kernels' name first.
_CORE = ("core_cpus", "thread_siblings")
_SOCKET = ("package_cpus", "core_siblings")


def processor_info(facts: Facts) -> dict[str, Any]:
    """Return what ReFrame wants to know of a node's processors.

    Raises:
        DetectionError: the node does not tell how its processors are arranged.
    """
    arch, vendor = microarchitecture(facts.machine, facts.cpuinfo)
    cpus = _online(_by_cpu(facts.files), facts.files.get(f"{CPU}/online", ""))
    cores = _masks(cpu.get("topology", {}) for cpu in cpus)
    sockets = _masks((cpu.get("topology", {}) for cpu in cpus), _SOCKET)
    if not cores or not sockets:
        raise DetectionError(
            f"node {facts.node} does not tell its cores and sockets: there is no topology in {CPU}"
        )
    return {
        "arch": arch,
        "vendor": vendor,
        "model": _model(facts),
        "platform": facts.machine,
        "num_cpus": len(cpus),
        "num_cpus_per_core": len(cpus) // len(cores),
        "num_cpus_per_socket": len(cpus) // len(sockets),
        "num_sockets": len(sockets),
        "topology": {
            "numa_nodes": _numa_nodes(facts.files),
            "sockets": sockets,
            "cores": cores,
            "caches": _caches(cpus),
        },
    }


def _model(facts: Facts) -> str:
    # ARM's kernel gives numbers only; lscpu knows their names, and prints "-" for those it does not know.
    named = facts.lscpu.get("Model name", "").strip("-")
    model = facts.cpuinfo.get("model name") or facts.cpuinfo.get("cpu") or named or UNKNOWN_MODEL
    return one_line(model[:MAX_MODEL])


_Cpu = Mapping[str, Mapping[str, str]]
"""A processor's directories (``topology``, ``cache/index0`` ...) with their files."""


def _by_cpu(files: Mapping[str, str]) -> dict[int, _Cpu]:
    found: dict[int, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for path, value in files.items():
        match = _OF_CPU.fullmatch(path)
        if match:
            found[int(match.group(1))][match.group(2)][match.group(3)] = value
    return {number: found[number] for number in sorted(found)}


def _online(cpus: Mapping[int, _Cpu], online: str) -> list[_Cpu]:
    """Leave out what is switched off; some kernels show its directory nevertheless."""
    try:
        numbers = numbers_in(online) if online else set(cpus)
    except ValueError:
        numbers = set(cpus)
    return [cpu for number, cpu in cpus.items() if number in numbers]


def _mask(value: str) -> str:
    """Write a set of processors as ReFrame does; the kernel prints groups of eight digits with commas."""
    digits = value.replace(",", "").strip().lower()
    if not _MASK.fullmatch(digits):
        raise DetectionError(f"the node shows {value[:80]!r} where a set of processors is due")
    return f"0x{digits}"


def _masks(topologies: Iterable[Mapping[str, str]], names: tuple[str, ...] = _CORE) -> list[str]:
    found = {
        _mask(next(topology[name] for name in names if topology.get(name)))
        for topology in topologies
        if any(topology.get(name) for name in names)
    }
    return sorted(found)


def _numa_nodes(files: Mapping[str, str]) -> list[str]:
    masks = (_mask(value) for path, value in files.items() if _OF_NODE.fullmatch(path) and value)
    return sorted(mask for mask in masks if int(mask, 16))


def _caches(cpus: Iterable[_Cpu]) -> list[dict[str, Any]]:
    """Return the kinds of caches, but L1 for instructions, with the sets of processors that share one."""
    found: dict[tuple[int, ...], set[str]] = defaultdict(set)
    for cpu in cpus:
        for directory, cache in cpu.items():
            if not directory.startswith("cache") or not cache.get("shared_cpu_map"):
                continue
            level = _number(cache.get("level"))
            if level == 1 and cache.get("type") == "Instruction":
                continue
            size, line = _number(cache.get("size")), _number(cache.get("coherency_line_size"))
            mask = _mask(cache["shared_cpu_map"])
            found[level, size, line, _associativity(cache, size, line), int(mask, 16).bit_count()].add(mask)
    return [
        {
            "type": f"L{level}",
            "size": size,
            "linesize": line,
            "associativity": ways,
            "num_cpus": shared_by,
            "cpusets": sorted(masks),
        }
        for (level, size, line, ways, shared_by), masks in sorted(found.items())
    ]


def _associativity(cache: Mapping[str, str], size: int, line: int) -> int:
    """Compute it, as ReFrame does: kernels differ in what they print for a fully associative cache."""
    sets = _number(cache.get("number_of_sets"))
    lines_per_tag = _number(cache.get("physical_line_partition"))
    slots = line * lines_per_tag * sets
    return size // slots if slots else 0


def _number(value: str | None) -> int:
    """Read a number such as ``64`` or ``1024K``; 0 where there is none."""
    match = re.match(r"([0-9]{1,15})([KMG]?)", value or "")
    return int(match.group(1)) * _UNITS.get(match.group(2), 1) if match else 0
