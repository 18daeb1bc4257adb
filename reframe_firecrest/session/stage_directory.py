"""A stage directory on both sides, and what is known to be equal on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reframe_firecrest.model.errors import StagingError
from reframe_firecrest.staging.local_sources import SourceFiles
from reframe_firecrest.staging.manifest import scan
from reframe_firecrest.staging.pack import SentStat
from reframe_firecrest.staging.paths import PathMap
from reframe_firecrest.staging.retrieval_plan import RemoteStat
from reframe_firecrest.staging.text_translation import names_path

Fingerprint = tuple[object, ...]
"""Local attributes of an entry; they change when the entry does. See `staging.manifest`."""


@dataclass
class StageDirectory:
    """A stage directory on both sides.

    A build job and a run job share one. What is recorded here keeps the second from sending again what the
    first has sent or made.

    Attributes:
        local: absolute local path.
        relative: path below the run's remote directory.
        fingerprints: local fingerprints of entries that both sides have in the same version.
        remote: last known attributes of remote files.
        sent: the directory has been sent.
        promised: files that the running job copies there itself, with both sides' attributes.
        lacking: placeholders in it when it was sent, with their reasons: the system lacks these files.
        translated: digests of files that were sent with other contents than they have here.
        outputs: output files of the jobs that were submitted in it.
        left: files that stayed on the system; locally there are placeholders.
        prepares: the last job that was submitted in it prepares inputs before the test's commands.
        mapped: it is no stage directory, but is sent because scripts name it; ReFrame never removes it.
    """

    local: str
    relative: str
    fingerprints: dict[str, Fingerprint] = field(default_factory=dict)
    remote: dict[str, SentStat | RemoteStat] = field(default_factory=dict)
    sent: bool = False
    promised: dict[str, tuple[SentStat, Fingerprint]] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)
    translated: dict[str, str] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    prepares: bool = False
    mapped: bool = False

    def unchanged_files(self) -> set[str]:
        """Return the files that both sides are known to have in the same version; reads the directory.

        Raises:
            StagingError: it can't be read.
        """
        here = scan(self.local)
        return {
            path
            for path in self.remote
            if path in here
            and path not in self.left
            and here[path].fingerprint == self.fingerprints.get(path)
        }

    def check_for(self, paths: Iterable[str]) -> None:
        """Check that the system has the files of this directory that a job needs.

        Args:
            paths: local paths that the job's texts name.

        Raises:
            StagingError: one of the files is a placeholder, left by an earlier run.
        """
        for path, reason in self.lacking.items():
            local = f"{self.local}/{path}"
            if any(names_path(named, local) for named in paths):
                raise StagingError(_placeholder_message(local, reason))

    def job_ended(self, *, ran: bool) -> None:
        """Settle the promised files: a job that ran has copied them."""
        for path, (sent, fingerprint) in self.promised.items():
            if ran:
                self.remote[path], self.fingerprints[path] = sent, fingerprint
        self.promised.clear()


class StageDirectories:
    """The stage directories that a session knows.

    Args:
        paths: local and remote roots of the stage directories.
    """

    def __init__(self, paths: PathMap) -> None:
        self._paths = paths
        self._known: dict[str, StageDirectory] = {}

    def get(self, local: str) -> StageDirectory:
        """Return a stage directory by its absolute local path."""
        if local not in self._known:
            mapped = local in self._paths.sent
            self._known[local] = StageDirectory(local, self._paths.relative(local), mapped=mapped)
        return self._known[local]

    def source(self, files: SourceFiles) -> StageDirectory:
        """Return the directory that represents files of the tests' code."""
        local = f"{files.root}/{files.path}"
        if local not in self._known:
            self._known[local] = StageDirectory(local, self._paths.relative(files.root), mapped=True)
        return self._known[local]

    def is_sent(self, local: str) -> bool:
        """Return true if a directory has been sent."""
        return local in self._known and self._known[local].sent

    def relative_paths(self) -> Mapping[str, str]:
        """Return the paths of stage directories below the run's remote directory, by local path."""
        return {local: entry.relative for local, entry in self._known.items() if not entry.mapped}

    def mapped_paths(self) -> set[str]:
        """Return the paths of other directories below the run's remote directory."""
        return {entry.relative for entry in self._known.values() if entry.mapped}


def _placeholder_message(local: str, reason: str) -> str:
    return (
        f"{local} is a placeholder of an earlier run and can't be sent: {reason}; run the test that "
        "creates the file again, and change 'retrieve', 'exclude' or 'max_file_size' so that it is retrieved"
    )
