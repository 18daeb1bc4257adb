"""Convert facts about a node to ReFrame's processor information. Pure functions.

The format is ``processor_info`` of ReFrame's configuration schema. The values are those of ReFrame's own
detection (``reframe/utility/cpuinfo.py``) on the node, with two differences: processors that are offline do
not count, and neither do NUMA nodes without processors.
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
"""ReFrame's value for an unknown model."""

MAX_MODEL = 200
"""Largest number of characters of a model's name."""

CPU = "/sys/devices/system/cpu"
_OF_CPU = re.compile(rf"{CPU}/cpu(\d{{1,6}})/(topology|cache/index\d{{1,3}})/(\w+)", re.ASCII)
_OF_NODE = re.compile(r"/sys/devices/system/node/node\d+/cpumap")
_MASK = re.compile("[0-9a-f]{1,25000}")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

# Names of newer kernels first.
_CORE = ("core_cpus", "thread_siblings")
_SOCKET = ("package_cpus", "core_siblings")


def processor_info(facts: Facts) -> dict[str, Any]:
    """Return the processor information of a node.

    Raises:
        DetectionError: the topology is missing or invalid.
    """
    arch, vendor = microarchitecture(facts.machine, facts.cpuinfo)
    cpus = _online(_by_cpu(facts.files), facts.files.get(f"{CPU}/online", ""))
    cores = _masks(cpu.get("topology", {}) for cpu in cpus)
    sockets = _masks((cpu.get("topology", {}) for cpu in cpus), _SOCKET)
    if not cores or not sockets:
        raise DetectionError(f"node {facts.node} reports no cores and sockets: there is no topology in {CPU}")
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
    # On ARM the kernel prints only numbers; lscpu translates them, and prints "-" for unknown ones.
    translated = facts.lscpu.get("Model name", "").strip("-")
    model = facts.cpuinfo.get("model name") or facts.cpuinfo.get("cpu") or translated or UNKNOWN_MODEL
    return one_line(model[:MAX_MODEL])


_Cpu = Mapping[str, Mapping[str, str]]
"""Files of a processor, by directory (``topology``, ``cache/index0`` ...) and name."""


def _by_cpu(files: Mapping[str, str]) -> dict[int, _Cpu]:
    found: dict[int, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for path, value in files.items():
        match = _OF_CPU.fullmatch(path)
        if match:
            found[int(match.group(1))][match.group(2)][match.group(3)] = value
    return {number: found[number] for number in sorted(found)}


def _online(cpus: Mapping[int, _Cpu], online: str) -> list[_Cpu]:
    """Return the processors that are online; some kernels also have directories of offline ones."""
    try:
        numbers = numbers_in(online) if online else set(cpus)
    except ValueError:
        numbers = set(cpus)
    return [cpu for number, cpu in cpus.items() if number in numbers]


def _mask(value: str) -> str:
    """Convert a set of processors to ReFrame's format; the kernel separates groups of digits by commas."""
    digits = value.replace(",", "").strip().lower()
    if not _MASK.fullmatch(digits):
        raise DetectionError(f"the node printed {value[:80]!r} instead of a set of processors")
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
    """Return the kinds of caches except L1 instruction caches, with the processors that share each cache."""
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
    """Compute the associativity, as ReFrame does: kernels print fully associative caches differently."""
    sets = _number(cache.get("number_of_sets"))
    lines_per_tag = _number(cache.get("physical_line_partition"))
    slots = line * lines_per_tag * sets
    return size // slots if slots else 0


def _number(value: str | None) -> int:
    """Parse a number such as ``64`` or ``1024K``; return 0 if there is none."""
    match = re.match(r"([0-9]{1,15})([KMG]?)", value or "")
    return int(match.group(1)) * _UNITS.get(match.group(2), 1) if match else 0
