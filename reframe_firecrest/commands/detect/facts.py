"""Read the output of the detection job. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from reframe_firecrest.model.errors import DetectionError

_NAME = re.compile("[A-Za-z0-9._-]{0,255}")
"""Pattern of names of machines and nodes; an unknown name is empty."""


@dataclass(frozen=True)
class Facts:
    """Facts about a node.

    Attributes:
        machine: machine name, as printed by ``uname -m``.
        node: name of the node.
        cpuinfo: entries of the first processor in ``/proc/cpuinfo``.
        lscpu: the entries of lscpu that the job prints.
        files: first lines of files below ``/sys``, by path.
    """

    machine: str
    node: str
    cpuinfo: Mapping[str, str] = field(default_factory=dict)
    lscpu: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def parse_facts(text: str) -> Facts:
    """Parse the output: each line is a source, a colon and a value.

    Raises:
        DetectionError: it is incomplete.
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
        raise DetectionError("the detection job did not print valid names of its machine and node")
    if "end" not in single:
        raise DetectionError("the output of the detection job is incomplete")
    return Facts(machine, node, cpuinfo, lscpu, files)
