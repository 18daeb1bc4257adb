"""ReFrame partitions that are reached through FirecREST, as a configuration defines them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reframe.core import config as reframe_config
from reframe.core.exceptions import ReframeError
from reframe.utility import osext

from reframe_firecrest.model.errors import DetectionError
from reframe_firecrest.model.suggestion import did_you_mean
from reframe_firecrest.settings import Settings, options_of, places_of, resolve_settings

SCHEDULERS = ("firecrest-scheduler", "firecrest-slurm")
"""The names under which ReFrame knows the scheduler of this package."""


@dataclass(frozen=True)
class Target:
    """A partition of ReFrame.

    Attributes:
        system: ReFrame's name of the system.
        partition: ReFrame's name of the partition.
        options: options of sbatch that place a job in the partition.
        settings: connection to the system.
        prefix: directory for processor information.
        origins: source of each setting that is not a default.
    """

    system: str
    partition: str
    options: tuple[str, ...]
    settings: Settings
    prefix: Path
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The partition's full name in ReFrame."""
        return f"{self.system}:{self.partition}"

    @property
    def file(self) -> Path:
        """The file in which ReFrame expects processor information (``reframe/frontend/autodetect.py``)."""
        return self.prefix / f"{self.system}-{self.partition}" / "processor.json"


def targets_of_file(
    file: Path, environment: Mapping[str, str], prefix: Path | None, system: str | None = None
) -> list[Target]:
    """Return the partitions of an existing configuration that are reached through FirecREST.

    Args:
        file: ReFrame's configuration file, which is executed if it is written in Python.
        environment: the environment variables.
        prefix: directory for processor information; None uses the configuration's.
        system: ReFrame's name of one system; None selects all.

    Raises:
        DetectionError: the file can't be used or has no such partition.
        SettingsError: a partition's settings are incomplete.
    """
    systems = _read_systems(file, prefix)
    if not systems:
        raise DetectionError(
            f"the configuration {file} has no partition with the scheduler {SCHEDULERS[0]!r}; "
            "run `reframe-firecrest detect` without --config to write a new configuration"
        )
    if system is not None:
        systems = _select(systems, system, file)
    return [
        _target(system, partition, environment, topology_prefix)
        for system, topology_prefix in systems
        for partition in _partitions(system)
    ]


def _target(
    system: Mapping[str, Any], partition: Mapping[str, Any], environment: Mapping[str, str], prefix: Path
) -> Target:
    places = places_of(partition["name"], _options(partition, "partition"), _options(system, "system"))
    resolved = resolve_settings(places, environment)
    access = tuple(partition.get("access", ()))
    return Target(system["name"], partition["name"], access, resolved.settings, prefix, resolved.origins)


def unknown_system(file: Path, name: str, known: Sequence[str]) -> DetectionError:
    """Return the error for a name that no system or partition of a configuration has.

    Args:
        file: the configuration.
        name: the unknown name.
        known: the names of those that use FirecREST.
    """
    return DetectionError(
        f"the configuration {file} has no {name!r}{did_you_mean(name, known)} that uses FirecREST; "
        f"check --system; it has: {', '.join(known)}"
    )


def _select(
    systems: Sequence[tuple[Mapping[str, Any], Path]], name: str, file: Path
) -> list[tuple[Mapping[str, Any], Path]]:
    selected = [entry for entry in systems if entry[0]["name"] == name]
    if not selected:
        raise unknown_system(file, name, [str(system["name"]) for system, _ in systems])
    return selected


def _read_systems(file: Path, prefix: Path | None) -> list[tuple[Mapping[str, Any], Path]]:
    """Return the systems with such partitions, each with its directory for processor information."""
    try:
        site = reframe_config.load_config(str(file))
        site.validate()
        systems = []
        for system in site["systems"]:
            if _partitions(system):
                site.select_subconfig(system["name"])
                configured = osext.expandvars(site.get("general/0/topology_prefix"))
                systems.append((system, prefix or Path(configured)))
    except Exception as error:  # a configuration is a program, which may raise anything
        reason = " ".join(str(error).split())
        if not isinstance(error, ReframeError | OSError):
            reason = f"{type(error).__name__}: {reason}"
        raise DetectionError(f"the configuration {file} can't be used: {reason}") from error
    return systems


def _partitions(system: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [entry for entry in system["partitions"] if entry["scheduler"] in SCHEDULERS]


def _options(entry: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    return options_of(entry.get("sched_options"), f"{kind} {entry['name']!r}")
