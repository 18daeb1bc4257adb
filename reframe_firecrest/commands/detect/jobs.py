"""Detect the processors of each partition by a job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reframe_firecrest.commands.detect.facts import parse_facts
from reframe_firecrest.commands.detect.probes import Probe, ProbeResult
from reframe_firecrest.commands.detect.processor import processor_info
from reframe_firecrest.commands.detect.script import FACTS, job_script
from reframe_firecrest.commands.targets import Target
from reframe_firecrest.model.atomic import atomic_write
from reframe_firecrest.model.errors import DetectionError


@dataclass(frozen=True)
class DetectionResult:
    """Result for one partition.

    Attributes:
        target: the partition.
        processor: processor information; None if the detection failed.
        reason: why it failed.
    """

    target: Target
    processor: Mapping[str, Any] | None = None
    reason: str = ""


def processor_probe(target: Target) -> Probe:
    """Return the job that detects the processors of a partition."""
    name = f"rfm-detect-{target.partition}"
    return Probe(target, target.name, name, job_script(name, target.options), FACTS)


def processor_result(target: Target, result: ProbeResult) -> DetectionResult:
    """Return the result for a partition from that of its job."""
    if result.text is None:
        return DetectionResult(target, reason=result.reason)
    try:
        return DetectionResult(target, processor_info(parse_facts(result.text)))
    except DetectionError as error:
        return DetectionResult(target, reason=f"job {result.job_id}: {error}")


def write_processor(outcome: DetectionResult) -> None:
    """Write processor information to the file that ReFrame reads, atomically.

    Raises:
        OSError: the file can't be written.
    """
    file = outcome.target.file
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(file, json.dumps(outcome.processor, indent=2) + "\n")
