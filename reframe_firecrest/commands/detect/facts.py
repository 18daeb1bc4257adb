"""Reads the facts that the detection job prints. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from reframe_firecrest.model.errors import DetectionError

_NAME = re.compile("[A-Za-z0-9._-]{0,255}")
"""Of machines and nodes; one that is not printed is not known."""


@dataclass(frozen=True)
class Facts:
    """What a node says of itself.

    Attributes:
        machine: as ``uname -m`` prints it.
        node: the node's name.
        cpuinfo: the first processor of ``/proc/cpuinfo``.
        lscpu: what lscpu says, as far as the job asks.
        files: the first lines of files below ``/sys``, by their path.
    """

    machine: str
    node: str
    cpuinfo: Mapping[str, str] = field(default_factory=dict)
    lscpu: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def parse_facts(text: str) -> Facts:
    """Read what the job printed: lines of a source, a colon and what the source says.

    Raises:
        DetectionError: the end is missing.
    """
    single: dict[str, str] = {}
    cpuinfo: dict[str, str] = {}
    lscpu: dict[str, str] = {}
    files: dict[str, str] = {}
    for line in text.splitlines():
        source, _, rest = line.partition(":")
        if source in ("/proc/cpuinfo", "lscpu"):
            key, _, value = rest.partition(":")
            (lscpu if source == "lscpu" else cpuinfo)[key.strip()] = value.strip()
        elif source.startswith("/sys/"):
            files[source] = rest.strip()
        else:
            single[source] = rest.strip()
    machine, node = single.get("machine", ""), single.get("node", "")
    if not _NAME.fullmatch(machine) or not _NAME.fullmatch(node):
        raise DetectionError("the detection job did not print a machine and a node that have names")
    if "end" not in single:
        raise DetectionError("the detection job did not print all that it should")
    return Facts(machine, node, cpuinfo, lscpu, files)
