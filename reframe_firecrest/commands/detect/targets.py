"""Which partitions are to be looked at, and where the answer belongs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reframe.core import config as reframe_config
from reframe.core.exceptions import ReframeError
from reframe.utility import osext

from reframe_firecrest.commands.detect.groups import reframe_name
from reframe_firecrest.commands.detect.survey import Survey
from reframe_firecrest.model.errors import DetectionError
from reframe_firecrest.settings import OPTIONS, Settings, places_of, read_settings

SCHEDULERS = ("firecrest-scheduler", "firecrest-slurm")
"""The names under which ReFrame knows our scheduler."""

DEFAULT_TOPOLOGY_PREFIX = Path("~/.reframe/topology")
"""ReFrame's own default of ``general/topology_prefix``."""


@dataclass(frozen=True)
class Target:
    """A partition of ReFrame.

    Attributes:
        system: ReFrame's name of the system.
        partition: ReFrame's name of the partition.
        options: options of sbatch that bring a job there.
        settings: how the system is reached.
        prefix: directory for processor information.
    """

    system: str
    partition: str
    options: tuple[str, ...]
    settings: Settings
    prefix: Path

    @property
    def name(self) -> str:
        """The partition as ReFrame calls it."""
        return f"{self.system}:{self.partition}"

    @property
    def file(self) -> Path:
        """Where ReFrame looks for processor information (``reframe/frontend/autodetect.py``)."""
        return self.prefix / f"{self.system}-{self.partition}" / "processor.json"


def targets_of_survey(survey: Survey, settings: Settings, prefix: Path) -> list[Target]:
    """Return the partitions of a configuration that is made from a survey."""
    system = reframe_name(survey.system.name)
    return [
        Target(system, group.name, (*group.access(survey.account), *group.probe()), settings, prefix)
        for group in survey.groups
    ]


def targets_of_file(file: Path, environment: Mapping[str, str], prefix: Path | None) -> list[Target]:
    """Return the partitions of an existing configuration that are reached through FirecREST.

    Args:
        file: ReFrame's configuration file, which is run if it is written in Python.
        environment: the environment variables.
        prefix: directory for processor information; None takes what the configuration says.

    Raises:
        DetectionError: the file can't be used, or has no such partition.
        SettingsError: a partition's settings lack something.
    """
    found = []
    try:
        site = reframe_config.load_config(str(file))
        site.validate()
        systems = [system for system in site["systems"] if _partitions(system)]
        for system in systems:
            site.select_subconfig(system["name"])
            configured = osext.expandvars(site.get("general/0/topology_prefix"))
            found.append((system, prefix or Path(configured)))
    except Exception as error:  # a configuration is a program, which may raise anything
        reason = " ".join(str(error).split())
        if not isinstance(error, ReframeError | OSError):
            reason = f"{type(error).__name__}: {reason}"
        raise DetectionError(f"the configuration {file} can't be used: {reason}") from error
    if not found:
        raise DetectionError(
            f"the configuration {file} has no partition with the scheduler {SCHEDULERS[0]!r}; "
            "without --config, a configuration is written"
        )
    return [
        Target(
            system["name"],
            partition["name"],
            tuple(partition.get("access", ())),
            read_settings(places_of(partition["name"], _options(partition), _options(system)), environment),
            where,
        )
        for system, where in found
        for partition in _partitions(system)
    ]


def _partitions(system: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [entry for entry in system["partitions"] if entry["scheduler"] in SCHEDULERS]


def _options(entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = entry.get("sched_options", {}).get(OPTIONS)
    return found
