"""Retrieval of one job: what it has left on the system, and what of it is fetched. No I/O."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reframe_firecrest.model.job import JobSpec
from reframe_firecrest.model.remote_file import RemoteFile
from reframe_firecrest.model.selection import is_output
from reframe_firecrest.model.slurm_job import JobPart
from reframe_firecrest.model.slurm_states import tasks_that_ran
from reframe_firecrest.session.stage_directory import StageDirectory
from reframe_firecrest.session.submission import Submission
from reframe_firecrest.staging.markers import Changes, Markers, read_claims, read_stage, without_markers
from reframe_firecrest.staging.pack import HEADER
from reframe_firecrest.staging.retrieval_plan import NO_CHANGES, Plan, described, is_doubtful, make_plan
from reframe_firecrest.staging.unpack import Destination

MAX_REASON = 400
"""Characters of a job's own error message that are shown."""

NOT_RUN = frozenset({"BOOT_FAIL", "CANCELLED", "NODE_FAIL"})
"""Final states of jobs whose script may not have run."""


@dataclass(eq=False)
class RetrievalRequest:
    """Retrieval of one job's results.

    Attributes:
        directory: the job's stage directory.
        spec: the job as ReFrame submitted it.
        submission: the submission that it belongs to.
        job_id: Slurm's id.
        parts: the job's parts as Slurm reports them.
        listing: the test's files in the remote stage directory, once listed.
        closed: directories that could not be listed, with the reason.
        markers: what the job reports of its own run.
        plan: the files to fetch.
        fetched: files that have been fetched.
        report: the job's own report, on the local disk, if its listing was taken from it.
    """

    directory: StageDirectory
    spec: JobSpec
    submission: Submission
    job_id: str
    parts: Sequence[JobPart]
    listing: Sequence[RemoteFile] = ()
    closed: Mapping[str, str] = field(default_factory=dict)
    markers: Markers = field(default_factory=Markers)
    plan: Plan | None = None
    fetched: set[str] = field(default_factory=set)
    report: Path | None = None

    # --- the job ------------------------------------------------------------------------------------

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the files for standard output and error."""
        return self.spec.outputs

    @property
    def ran(self) -> bool:
        """True if the job was on a node, so that it has outputs."""
        cancelled = all(part.state == "CANCELLED" for part in self.parts)
        return any(part.nodes for part in self.parts) and not cancelled

    @property
    def must_have_started(self) -> bool:
        """True if the job must have reached the test's commands, or report why not."""
        return self.ran and not all(part.state in NOT_RUN for part in self.parts)

    @property
    def may_report(self) -> bool:
        """True if the job's own report has all of its results: it ended by itself, on one node."""
        if self.is_uncertain or self.spec.shape.several or len(self.parts) != 1:
            return False
        [part] = self.parts
        return (part.state, part.exit_code, part.node_count) == ("COMPLETED", 0, 1)

    @property
    def is_uncertain(self) -> bool:
        """True if several jobs may have come from the submission."""
        return self.submission.doubtful is not None

    @property
    def failure(self) -> str | None:
        """The reason for which the test's commands did not run although the job did."""
        if self.markers.error is not None:
            reason = self.markers.error[:MAX_REASON]
            return f"job {self.job_id} could not copy its inputs on the system: {reason}"
        if self.must_have_started and not self.markers.started:
            return (
                f"job {self.job_id} ended without a sign that the test's commands have begun; "
                f"see {self.outputs[-1]} in its stage directory, and scontrol show job {self.job_id}"
            )
        return None

    @property
    def numbered_tasks(self) -> Sequence[int]:
        """Tasks of an array that have outputs of their own, named by their index."""
        return tasks_that_ran(self.parts) if self.spec.numbered else ()

    # --- the listing --------------------------------------------------------------------------------

    def take_listing(self, listing: Sequence[RemoteFile], closed: Mapping[str, str] | None = None) -> None:
        """Take a listing of the stage directory, and separate the job's markers from the test's files.

        Args:
            listing: the entries.
            closed: directories that could not be listed, with the reason.
        """
        self.markers = read_stage(listing, self.submission.token)
        self.listing = without_markers(listing)
        self.closed = closed or {}

    def take_claims(self, claims: Sequence[RemoteFile]) -> None:
        """Take a listing of the directory of claims."""
        self.markers = read_claims(
            claims, self.submission.token, self.markers, prepares=self.directory.prepares
        )

    def shows_output(self) -> bool:
        """Return true if the listing has the outputs that the job must have."""
        if self.numbered_tasks:
            return not self.missing_outputs()
        output = posixpath.basename(self.outputs[0])
        return not self.ran or any(entry.path.startswith(output) for entry in self.listing)

    def missing_outputs(self) -> list[str]:
        """Return the names of tasks' outputs that are not listed."""
        listed = {entry.path for entry in self.listing}
        output = posixpath.basename(self.outputs[0])
        expected = [f"{output}_{task}" for task in self.numbered_tasks]
        return [name for name in expected if name not in listed]

    def shows_start(self) -> bool:
        """Return true if it is known which job ran the test's commands, and whether they began."""
        if self.markers.started or self.markers.error is not None:
            return True
        return not self.must_have_started and not self.is_uncertain

    # --- the plan -----------------------------------------------------------------------------------

    @property
    def hidden_changes(self) -> Changes:
        """Changes that the listing does not show."""
        if not self.markers.started:
            return NO_CHANGES
        # Each task of an array reports its own; a job that is no array has an empty index.
        return self.markers.hidden_changes([part.job_id.partition("_")[2] for part in self.parts])

    def may_hide_changes(self) -> bool:
        """Return true if a known file may have changed without a sign in the listing."""
        known = {entry.path: entry.size for entry in self.listing if entry.path in self.directory.remote}
        return bool(self.hidden_changes.suspects(known))

    def make_plan(self, alike: Collection[str] = ()) -> None:
        """Choose the files to fetch.

        Args:
            alike: files that both sides had in the same version before the job.
        """
        always = [entry.path for entry in self.listing if self.is_output(entry.path)]
        self.plan = make_plan(
            self.listing,
            self.directory.remote,
            always,
            self.spec.selection,
            self.closed,
            hidden=self.hidden_changes,
            alike=alike,
        )

    @property
    def planned_size(self) -> int:
        """Bytes of the files left to fetch."""
        return sum(HEADER + place.size for place in self.destinations.values())

    @property
    def destinations(self) -> dict[str, Destination]:
        """Local destinations of the files left to fetch, by their names below the run's remote directory."""
        directory, plan = self.directory, self.plan or Plan()
        return {
            f"{directory.relative}/{path}": Destination(
                directory.local, path, file.size, path in plan.suspects, directory.translated.get(path)
            )
            for path, file in plan.files.items()
            if path not in self.fetched
        }

    @property
    def unreadable(self) -> dict[str, str]:
        """Files to fetch that can probably not be read, with the reason, by the same names."""
        left = self.plan.files if self.plan else {}
        files = {path: file for path, file in left.items() if path not in self.fetched}
        # Slurm creates the output as the job's user.
        owner = next((file.owner for path, file in files.items() if self.is_output(path)), "")
        return {
            f"{self.directory.relative}/{path}": described(file)
            for path, file in files.items()
            if is_doubtful(file, owner)
        }

    @property
    def planned_outputs(self) -> list[str]:
        """Standard output and error as listed; as the job names them if nothing was listed."""
        return [path for path in self.plan.files if self.is_output(path)] if self.plan else list(self.outputs)

    def is_output(self, path: str) -> bool:
        """Return true for standard output or error of the job, or of one of an array's tasks."""
        return is_output(path, self.outputs)
