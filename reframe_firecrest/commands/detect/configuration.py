"""Writes a starting ReFrame configuration for a system. Pure functions.

The text is what ruff's formatter would make of it: every list and dictionary whose length depends on the
system has one item a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import indent

from reframe_firecrest.commands.detect.groups import MAX_GROUPS, NodeGroup, reframe_name
from reframe_firecrest.commands.detect.survey import Survey

FEWEST_JOBS, MOST_JOBS = 4, 32
"""`max_jobs` is the number of nodes within these limits."""

_FEATURE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
"""What ReFrame's schema takes for a feature."""

_HEAD = '''\
"""ReFrame settings for {what}, which is reached through FirecREST.

Written by `reframe-firecrest detect` from what the gateway knows. It is a start: see what is
marked with EDIT. Addresses and credentials stay in the environment: FIRECREST_URL, AUTH_TOKEN_URL,
FIRECREST_CLIENT_ID, FIRECREST_CLIENT_SECRET_FILE (or FIRECREST_CLIENT_SECRET), FIRECREST_BASEDIR.
"""

import reframe_firecrest  # noqa: F401 - importing registers the scheduler and the launcher

site_configuration = {{
    "systems": [
        {{
            "name": {name},
            "descr": {descr},
            # ReFrame picks a system by the name of the host it runs on: a laptop, or a container of a
            # pipeline. With one system in the file, any name is right.
            "hostnames": [".*"],
            # EDIT: "lmod", "tmod4" or "spack", if tests load modules. They are loaded in the job.
            "modules_system": "nomod",
            # EDIT: what else holds for all partitions, such as "basedir"; never the secret.
            "sched_options": {{"firecrest": {{"system": {system}}}}},
            "partitions": [
'''

_TAIL = """\
            ],
        }},
    ],
    "environments": [
        {{
            # EDIT: the compilers on the system; more environments, with their modules, beside it.
            "name": "builtin",
            "cc": "gcc",
            "cxx": "g++",
            "ftn": "gfortran",
            "target_systems": [{name}],
        }},
    ],
    "general": [
        {{
            # Otherwise ReFrame would run `module` on this machine to look for conflicts.
            "resolve_module_conflicts": False,
            # EDIT: True, if `module` is not defined in a batch script without a login shell.
            "use_login_shell": False,
            # A look costs nothing, since it reads what the plugin knows and sends no request.
            "poll_rate_min": 2,
{more}\
            "target_systems": [{name}],
        }},
    ],
}}
"""


def configuration(survey: Survey, topology_prefix: Path | None = None) -> str:
    """Return the text of a settings file with one partition for each group of nodes.

    Args:
        survey: what the gateway knows.
        topology_prefix: where processor information lies, if not where ReFrame looks anyhow.
    """
    system = survey.system.name
    # As Slurm writes it: 22.05 and not 22.5.
    version = ".".join(f"{number:02}" for number in (survey.system.scheduler_version or ())[:2])
    more = ""
    if topology_prefix is not None:
        more = (
            "            # Where `reframe-firecrest detect` has put what it knows of the processors.\n"
            f'            "topology_prefix": {_text(str(topology_prefix))},\n'
        )
    name = _text(reframe_name(system))
    return "".join(
        [
            _HEAD.format(
                what=system,
                name=name,
                system=_text(system),
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
        *_comment(_about_access(group, survey)),
        *_list("access", group.access(survey.account)),
        "    # EDIT: the environments that tests should use here; they are defined below.",
        '    "environs": ["builtin"],',
        "    # What tests ask for; the nodes' features in Slurm, and that they are far away.",
        *_list("features", dict.fromkeys(features)),
        f'    "max_jobs": {min(max(len(group.nodes), FEWEST_JOBS), MOST_JOBS)},',
        "    # The gateway does not tell the partition's limits.",
        '    # EDIT: "time_limit": "10m", for tests that do not name one.',
        "},",
    ]
    return "\n".join(lines) + "\n"


def _about_access(group: NodeGroup, survey: Survey) -> list[str]:
    about = ["Options that every job needs, as one would give them to sbatch."]
    if survey.account is None:
        about.append("EDIT: add --account=..., if jobs need one.")
    elif survey.other_accounts:
        about.append(f"EDIT: the account, if it is another: {_plain(survey.other_accounts)}.")
    if not group.exact:
        about.append(
            "EDIT: these options choose other nodes of the partition too, since no feature sets these apart."
        )
    if group.kinds > MAX_GROUPS:
        about.append(
            f"EDIT: the nodes are of {group.kinds} kinds by their features; for a partition for each that "
            "matters, copy this one and add --constraint=... to it."
        )
    return about


def _description(group: NodeGroup) -> str:
    where = f"Slurm partition {group.partition}"
    if not group.nodes:
        return where
    cpus = sorted({node.cpus for node in group.nodes})
    count = len(group.nodes)
    nodes = f"{where}: {count} {'node' if count == 1 else 'nodes'}"
    if not cpus[-1]:
        # FirecREST v1 does not tell.
        return nodes
    each = f"{cpus[0]} to {cpus[-1]}" if len(cpus) > 1 else f"{cpus[0]}"
    return f"{nodes} of {each} CPUs"


def _list(key: str, items: Iterable[str]) -> list[str]:
    return [f'    "{key}": [', *(f"        {_text(item)}," for item in items), "    ],"]


def _comment(sentences: Iterable[str]) -> list[str]:
    return [f"    # {sentence}" for sentence in sentences]


def _text(value: str) -> str:
    """Write a text as a Python literal; JSON's are a subset of them."""
    return json.dumps(value, ensure_ascii=False)


def _plain(names: Sequence[str]) -> str:
    """Join names from the gateway for a comment: whatever they hold, they stay on their line."""
    return ", ".join(re.sub(r"[^\w.@+-]", "?", name) for name in names)
