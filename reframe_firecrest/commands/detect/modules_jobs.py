"""Record the modules of each partition and environment by a job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from reframe_firecrest.commands.detect.modules_facts import NoModulesSystemError, parse_modules
from reframe_firecrest.commands.detect.modules_script import FACTS, ModuleStep, modules_script
from reframe_firecrest.commands.detect.probes import Probe, ProbeResult
from reframe_firecrest.commands.detect.script import batch_script
from reframe_firecrest.commands.targets import Target
from reframe_firecrest.model.errors import DetectionError, ModulesError
from reframe_firecrest.modules.snapshot import Snapshot
from reframe_firecrest.modules.snapshot_file import merge, read_snapshots, write_snapshots


@dataclass(frozen=True)
class ModulesSetup:
    """Preparation of the jobs of an environment.

    Attributes:
        kind: ReFrame's name of the modules system; empty if it is unknown.
        prepare: commands of the partition.
        steps: modules to load, and other commands, in order.
        resolve: conflicting modules are unloaded first.
        login: the shell is a login shell.
    """

    kind: str = ""
    prepare: tuple[str, ...] = ()
    steps: tuple[ModuleStep | str, ...] = ()
    resolve: bool = True
    login: bool = False


@dataclass(frozen=True)
class ModulesTarget:
    """A partition and an environment whose modules are recorded.

    Attributes:
        target: the partition.
        environ: ReFrame's name of the environment.
        file: the file of the system's snapshots.
        setup: what its jobs do first.
    """

    target: Target
    environ: str
    file: Path
    setup: ModulesSetup = ModulesSetup()

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"{self.target.name}+{self.environ}"


@dataclass(frozen=True)
class ModulesResult:
    """Result for a partition and an environment.

    Attributes:
        target: both of them.
        snapshot: the snapshot; None if there is none.
        reason: why there is none.
        absent: there is no modules system, and the settings name none.
    """

    target: ModulesTarget
    snapshot: Snapshot | None = None
    reason: str = ""
    absent: bool = False


def modules_probe(target: ModulesTarget) -> Probe:
    """Return the job that records the modules."""
    setup = target.setup
    commands = modules_script(setup.kind, setup.prepare, setup.steps, resolve=setup.resolve)
    job_name = f"rfm-modules-{target.target.partition}"
    script = batch_script(job_name, target.target.options, commands, login=setup.login)
    return Probe(target.target, target.name, job_name, script, FACTS)


def modules_result(target: ModulesTarget, result: ProbeResult) -> ModulesResult:
    """Return the result from that of the job."""
    if result.text is None:
        return ModulesResult(target, reason=result.reason)
    now = datetime.now(timezone.utc)
    try:
        snapshot = parse_modules(result.text, target.target.partition, target.environ, now)
    except NoModulesSystemError as error:
        return ModulesResult(target, reason=str(error), absent=not target.setup.kind)
    except DetectionError as error:
        return ModulesResult(target, reason=f"job {result.job_id}: {error}")
    wanted = target.setup.kind
    if wanted and snapshot.kind != wanted:
        return ModulesResult(
            target, reason=f"the job has {snapshot.kind}; set 'modules_system' to {snapshot.kind!r}"
        )
    return ModulesResult(target, snapshot)


def write_results(results: Sequence[ModulesResult], defined: Sequence[ModulesTarget]) -> None:
    """Write new snapshots to the files of their systems; others that are still defined are kept.

    Args:
        results: the results.
        defined: all partitions and environments of the systems.

    Raises:
        OSError: a file can't be written.
    """
    by_file: dict[Path, list[Snapshot]] = {}
    for result in results:
        if result.snapshot is not None:
            by_file.setdefault(result.target.file, []).append(result.snapshot)
    for file, new in by_file.items():
        own = [each for each in defined if each.file == file]
        keys = [(each.target.partition, each.environ) for each in own]
        write_snapshots(file, own[0].target.system, merge(_old(file), new, keys))


def _old(file: Path) -> list[Snapshot]:
    try:
        return read_snapshots(file)
    except ModulesError:
        # It is replaced.
        return []
