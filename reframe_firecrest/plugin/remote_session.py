"""Session of a partition, opened when the first job needs it.

Importing this module imports everything that a run needs; see `deferred_imports`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import reframe.core.runtime as rt
from reframe.core.exceptions import ConfigError

from reframe_firecrest.model.errors import SettingsError
from reframe_firecrest.model.job import JobHandle
from reframe_firecrest.plugin.cases import PartitionCases
from reframe_firecrest.plugin.job import FirecrestJob
from reframe_firecrest.plugin.job_spec import job_spec
from reframe_firecrest.plugin.progress_display import DISPLAY
from reframe_firecrest.plugin.reframe_session import session_id
from reframe_firecrest.plugin.source_directories import settings_files, source_directories
from reframe_firecrest.session.registry import get_session
from reframe_firecrest.session.session import Session
from reframe_firecrest.settings import Settings, options_of, places_of, read_settings, secret_files


@dataclass(frozen=True)
class RemoteSession:
    """Settings of a partition, and the session that runs its jobs.

    Attributes:
        settings: the settings.
        session: the session, which other partitions may share.
        private: local files that are never sent: ReFrame's settings, and those that hold secrets.
    """

    settings: Settings
    session: Session
    private: tuple[str, ...] = ()

    @classmethod
    def open(cls, config_prefix: str, test_cases: PartitionCases) -> RemoteSession:
        """Read a partition's settings and start its session.

        Args:
            config_prefix: the partition in ReFrame's configuration, such as ``systems/0/partitions/@name``.
            test_cases: the partition's test cases.

        Raises:
            ConfigError: a setting is missing or wrong.
        """
        partition = config_prefix.partition("@")[2].partition("/")[0]
        try:
            options = _options(config_prefix, partition)
            settings = read_settings(places_of(partition, *options), os.environ)
        except SettingsError as error:
            raise ConfigError(str(error)) from None
        private = (*settings_files(), *map(str, secret_files(options, os.environ)))
        session = get_session(settings, rt.runtime().stage_prefix, session_id())
        test_cases.report_to(session)
        test_cases.report_to(DISPLAY.progress)
        DISPLAY.progress.note_gateway(session.unavailable)
        if settings.progress:
            DISPLAY.start()
        return cls(settings, session, private)

    def submit(self, job: FirecrestJob, *, assumed_cpus: int | None, resubmit_on: Sequence[str]) -> JobHandle:
        """Submit a job to the session, and set its remote directory.

        Args:
            job: the job, whose script has been written.
            assumed_cpus: value of ``--cpus-per-task`` in the script that depends on Slurm's version.
            resubmit_on: regular expressions for errors after which the submission is repeated.
        """
        self.session.add_sources(source_directories(), self.private)
        spec = job_spec(job, self.settings, assumed_cpus=assumed_cpus, resubmit_on=resubmit_on)
        job._remotedir = self.session.remote_directory(spec.directory)
        handle = self.session.submit(spec)
        DISPLAY.progress.note_job(handle)
        return handle

    def show_progress(self) -> None:
        """Log the progress of the run if it is time for that; to be called on ReFrame's thread."""
        DISPLAY.tick()


Options = tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]
"""Settings of a partition, and those of its system."""


def _options(config_prefix: str, partition: str) -> Options:
    return (
        options_of(rt.runtime().get_option(config_prefix), f"partition {partition!r}"),
        options_of(rt.runtime().get_option("systems/0/sched_options"), "the system"),
    )
