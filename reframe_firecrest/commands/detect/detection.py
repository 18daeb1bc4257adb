"""All jobs of one detection, submitted together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reframe_firecrest.commands.detect.jobs import DetectionResult, processor_probe, processor_result
from reframe_firecrest.commands.detect.modules_jobs import (
    ModulesResult,
    ModulesTarget,
    modules_probe,
    modules_result,
)
from reframe_firecrest.commands.detect.probes import OpenSession, run_probes
from reframe_firecrest.commands.targets import Target
from reframe_firecrest.session.registry import get_session


@dataclass(frozen=True)
class Detection:
    """Results of all jobs.

    Attributes:
        processors: processor information of partitions.
        modules: modules of partitions and environments.
    """

    processors: Sequence[DetectionResult]
    modules: Sequence[ModulesResult]


def run_detection(
    targets: Sequence[Target],
    environs: Sequence[ModulesTarget],
    *,
    timeout: float,
    notify: Callable[[str], None],
    open_session: OpenSession = get_session,
) -> Detection:
    """Submit all jobs, wait for them and parse their output.

    Args:
        targets: partitions whose processors are detected.
        environs: partitions and environments whose modules are recorded.
        timeout: seconds after which a job that has not started is cancelled.
        notify: called with one line about each change.
        open_session: opens a session from settings and a stage prefix.
    """
    probes = [*map(processor_probe, targets), *map(modules_probe, environs)]
    results = run_probes(probes, timeout=timeout, notify=notify, open_session=open_session)
    return Detection(
        [processor_result(*each) for each in zip(targets, results[: len(targets)], strict=True)],
        [modules_result(*each) for each in zip(environs, results[len(targets) :], strict=True)],
    )
