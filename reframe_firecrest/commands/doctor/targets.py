"""Systems to diagnose: the environment's, or those of a ReFrame configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from reframe_firecrest.commands.doctor.context import DiagnosisTarget
from reframe_firecrest.commands.doctor.imports import require_import
from reframe_firecrest.commands.targets import Target, targets_of_file, unknown_system
from reframe_firecrest.settings import resolve_settings
from reframe_firecrest.settings.model import PER_JOB


def diagnosis_targets(
    file: Path | None, system: str | None, environment: Mapping[str, str]
) -> list[DiagnosisTarget]:
    """Return the systems to diagnose; partitions with the same settings are one target.

    Args:
        file: ReFrame's configuration file, which is executed if it is written in Python; None uses only
            the environment.
        system: ReFrame's name of a system or, with a colon, of a partition in the file; None selects all.
        environment: the environment variables.

    Raises:
        DetectionError: the file can't be used, has no such partition or does not import this package.
        SettingsError: settings are incomplete.
    """
    if file is None:
        resolved = resolve_settings([], environment)
        return [DiagnosisTarget(resolved.settings, origins=resolved.origins)]
    targets = targets_of_file(file, environment, None)
    require_import(file)
    chosen = [target for target in targets if system in (None, target.system, target.name)]
    if not chosen:
        raise unknown_system(file, str(system), [target.name for target in targets])
    return _group(chosen, file)


def _group(targets: Sequence[Target], file: Path) -> list[DiagnosisTarget]:
    groups: dict[tuple[object, ...], list[Target]] = {}
    for target in targets:
        key = (*target.settings.session_key, target.settings.account)
        groups.setdefault(key, []).append(target)
    return [
        DiagnosisTarget(
            group[0].settings,
            {target.name: target.options for target in group},
            file,
            _common(group),
        )
        for group in groups.values()
    ]


def _common(group: Sequence[Target]) -> Mapping[str, str]:
    """Return the origins of the first partition, without settings in which the others may differ."""
    origins = group[0].origins
    if len(group) == 1:
        return origins
    return {key: origin for key, origin in origins.items() if key == "account" or key not in PER_JOB}
