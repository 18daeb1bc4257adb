"""Write a first ReFrame configuration for a system. Pure functions.

The text is formatted as by ruff: lists and dictionaries whose length depends on the system have one item per
line.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import indent

from reframe_firecrest.commands.detect.groups import MAX_GROUPS, NodeGroup, reframe_name
from reframe_firecrest.commands.detect.survey import Survey
from reframe_firecrest.model.node_sets import expand_nodes
from reframe_firecrest.model.system import ReservationInfo

MAX_JOBS = 64
"""Jobs of a partition at a time. They wait in Slurm's queue, so the number of nodes does not limit them."""

QUEUE_IS_FULL = "MaxSubmitJob"
"""Part of Slurm's names for the limits of submitted jobs, such as ``QOSMaxSubmitJobPerUserLimit``."""

_FEATURE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
"""Pattern of features in ReFrame's schema."""

_HEAD = '''\
"""ReFrame settings for {what}, which is reached through FirecREST.

Written by `reframe-firecrest detect` from the gateway's description of the system. Check it, and
edit the lines marked with EDIT. Addresses and credentials stay in the environment: FIRECREST_URL,
AUTH_TOKEN_URL, FIRECREST_CLIENT_ID, FIRECREST_CLIENT_SECRET_FILE (or FIRECREST_CLIENT_SECRET),
FIRECREST_BASEDIR.
"""

import reframe_firecrest  # noqa: F401 - importing registers the scheduler and the launcher

site_configuration = {{
    "systems": [
        {{
            "name": {name},
            "descr": {descr},
            # ReFrame selects a system by the name of the host on which it runs, such as a laptop or a
            # CI container. The only system of a file can match any name.
            "hostnames": [".*"],
            # EDIT: "lmod", "envmod" or "spack", if tests load modules. Jobs load them, not ReFrame.
            "modules_system": {modules_system},
            # EDIT: add other settings of all partitions, such as "basedir"; never the secret.
            "sched_options": {{"firecrest": {{"system": {system}}}}},
            "partitions": [
'''

_TAIL = """\
            ],
        }},
    ],
    "environments": [
        {{
            # EDIT: the compilers on the system; add more environments with their modules.
            "name": "builtin",
            "cc": "gcc",
            "cxx": "g++",
            "ftn": "gfortran",
            # Tests select an environment by its features: these compilers know OpenMP.
            "features": ["openmp"],
            "extras": {{"omp_flag": "-fopenmp"}},
            "target_systems": [{name}],
        }},
    ],
    "general": [
        {{
            # EDIT: True, if `module` or other commands are defined only in login shells, as on CSCS's
            # systems.
            "use_login_shell": False,
            # Polling is cheap: it reads the state that the plugin has and sends no request.
            "poll_rate_min": 2,
{more}\
            "target_systems": [{name}],
        }},
    ],
}}
"""


def configuration(survey: Survey, topology_prefix: Path | None = None, modules_system: str = "nomod") -> str:
    """Return the text of a settings file with one partition for each group of nodes.

    Args:
        survey: the gateway's description of the system.
        topology_prefix: directory of processor information, if it is not ReFrame's default.
        modules_system: ReFrame's name of the modules system.
    """
    system = survey.system.name
    # Slurm writes 22.05, not 22.5.
    version = ".".join(f"{number:02}" for number in (survey.system.capabilities.scheduler_version or ())[:2])
    more = ""
    if topology_prefix is not None:
        more = (
            "            # Directory of the processor information from `reframe-firecrest detect`.\n"
            f'            "topology_prefix": {_text(str(topology_prefix))},\n'
        )
    name = _text(reframe_name(system))
    return "".join(
        [
            _HEAD.format(
                what=system,
                name=name,
                system=_text(system),
                modules_system=_text(modules_system),
                descr=_text(f"{system} behind FirecREST" + (f", Slurm {version}" if version else "")),
            ),
            *(indent(_partition(group, survey), " " * 16) for group in survey.groups),
            _TAIL.format(name=name, more=more),
        ]
    )


def _partition(group: NodeGroup, survey: Survey) -> str:
    features = ["remote", *(name for name in group.features if _FEATURE.fullmatch(name))]
    lines = [
        "{",
        f'    "name": {_text(group.name)},',
        f'    "descr": {_text(_description(group))},',
        '    "scheduler": "firecrest-scheduler",',
        '    "launcher": "firecrest-srun",',
        *_comment([*_about_access(group, survey), *_about_reservations(group, survey)]),
        *_list("access", group.access(survey.account)),
        "    # EDIT: the environments for tests in this partition; they are defined below.",
        '    "environs": ["builtin"],',
        "    # The nodes' features in Slurm; `remote` marks a system reached through FirecREST.",
        *_list("features", dict.fromkeys(features)),
        *_memory(group),
        "    # Jobs wait in Slurm's queue. If it is full for you, a submission is repeated.",
        f'    "max_jobs": {MAX_JOBS},',
        f'    "sched_options": {{"resubmit_on_errors": [{_text(QUEUE_IS_FULL)}]}},',
        "    # FirecREST does not report the partition's limits.",
        '    # EDIT: "time_limit": "10m", for tests without a time limit of their own.',
        "},",
    ]
    return "\n".join(lines) + "\n"


def _about_access(group: NodeGroup, survey: Survey) -> list[str]:
    about = ["Options of sbatch for every job."]
    if survey.account is None:
        about.append("EDIT: add --account=..., if jobs need one.")
    elif survey.other_accounts:
        about.append(f"EDIT: the account, if you need another: {_plain(survey.other_accounts)}.")
    if not group.exact:
        about.append("EDIT: these options also match other nodes: no feature distinguishes them.")
    if group.kinds > MAX_GROUPS:
        about.append(
            f"EDIT: the nodes have {group.kinds} different sets of features; for a partition for one set, "
            "copy this one and add --constraint=... to it."
        )
    return about


def _about_reservations(group: NodeGroup, survey: Survey) -> list[str]:
    """Return a sentence for each reservation of some of a group's nodes."""
    names = {node.name for node in group.nodes}
    return [
        f"EDIT: --reservation={_plain([entry.name])}, if you may use it"
        f" ({_plain([entry.nodes], ',[]')}{_period(entry)})."
        for entry in survey.reservations
        if names.intersection(_expanded(entry.nodes))
    ]


def _expanded(nodes: str) -> list[str]:
    try:
        return expand_nodes(nodes)
    except ValueError:
        return []


def _period(reservation: ReservationInfo) -> str:
    moments = [
        (word, time.strftime("%Y-%m-%d %H:%M", time.gmtime(moment)))
        for word, moment in (("from", reservation.start), ("to", reservation.end))
        if moment
    ]
    return "".join(f" {word} {moment}" for word, moment in moments) + (" UTC" if moments else "")


def _memory(group: NodeGroup) -> list[str]:
    """Return the memory of a node, and the resource by which tests request memory."""
    sizes = [node.memory for node in group.nodes if node.memory]
    if not sizes:
        return []
    return [
        "    # Memory of a node in MiB, the smallest if they differ, and how tests request it.",
        f'    "extras": {{"mem_per_node": {min(sizes)}}},',
        '    "resources": [{"name": "memory", "options": ["--mem={size}"]}],',
    ]


def _description(group: NodeGroup) -> str:
    partition = f"Slurm partition {group.partition}"
    if not group.nodes:
        return partition
    cpus = sorted({node.cpus for node in group.nodes})
    count = len(group.nodes)
    nodes = f"{partition}: {count} {'node' if count == 1 else 'nodes'}"
    if not cpus[-1]:
        # FirecREST v1 does not report the number of CPUs.
        return nodes
    each = f"{cpus[0]} to {cpus[-1]}" if len(cpus) > 1 else f"{cpus[0]}"
    return f"{nodes} of {each} CPUs"


def _list(key: str, items: Iterable[str]) -> list[str]:
    return [f'    "{key}": [', *(f"        {_text(item)}," for item in items), "    ],"]


def _comment(sentences: Iterable[str]) -> list[str]:
    return [f"    # {sentence}" for sentence in sentences]


def _text(value: str) -> str:
    """Write a text as a Python literal; every JSON string is one."""
    return json.dumps(value, ensure_ascii=False)


def _plain(names: Sequence[str], also: str = "") -> str:
    """Join names from the gateway for a comment; no character in them can end the line."""
    return ", ".join(re.sub(rf"[^\w.@+{re.escape(also)}-]", "?", name) for name in names)
