"""The settings of one partition, with their types and limits."""

from __future__ import annotations

import os
import re
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    model_validator,
)

from reframe_firecrest.model.setting_names import APPEAR_AS, scheduler_name
from reframe_firecrest.modules.location import DEFAULT_MAX_AGE
from reframe_firecrest.settings.credentials import Credentials, gather, no_user_in_url

ENVIRONMENT = {
    "url": "FIRECREST_URL",
    "api_version": "FIRECREST_API_VERSION",
    "auth": "FIRECREST_AUTH",
    "token_url": "AUTH_TOKEN_URL",
    "client_id": "FIRECREST_CLIENT_ID",
    "client_secret_file": "FIRECREST_CLIENT_SECRET_FILE",
    "token_command": "FIRECREST_TOKEN_COMMAND",
    "api_key_file": "FIRECREST_API_KEY_FILE",
    "api_key_header": "FIRECREST_API_KEY_HEADER",
    "system": "FIRECREST_SYSTEM",
    "basedir": "FIRECREST_BASEDIR",
    "account": "FIRECREST_ACCOUNT",
    "namespace": "FIRECREST_NAMESPACE",
    "ca_bundle": "FIRECREST_CA_BUNDLE",
    "max_in_flight": "FIRECREST_MAX_IN_FLIGHT",
    "journal_dir": "FIRECREST_JOURNAL_DIR",
    "modules_dir": "FIRECREST_MODULES_DIR",
    "modules_max_age": "FIRECREST_MODULES_MAX_AGE",
    "heartbeat_timeout": "FIRECREST_HEARTBEAT_TIMEOUT",
    "progress": "FIRECREST_PROGRESS",
}
"""Environment variable of each setting that has one."""


def _absolute(value: str) -> str:
    if not value.startswith("/") or ".." in value.split("/"):
        raise ValueError("must be an absolute path without '..'")
    if re.search(r"['\"\\$`\n\s]", value):
        # The gateway quotes paths with single quotes and answers 500 to a path that contains one.
        raise ValueError("must not contain quotes, blanks, '$' or backslashes")
    return value.rstrip("/") or "/"


def _plain_relative(value: str) -> str:
    if not re.fullmatch(r"[\w.@+-]+(/[\w.@+-]+)*", value) or ".." in value.split("/"):
        raise ValueError("must consist of letters, digits, '.', '_', '-', '+', '@' and '/'")
    return value


def _version(value: object) -> object:
    """Return the major version as text.

    Configuration files contain ``2`` as well as ``"2"``. eth-cscs/cscs-reframe-tests sets the same variable
    to a full version, such as ``1.16.0``.
    """
    text = str(value) if type(value) in (int, float) else value
    return re.sub(r"^([12])(\.\d+)+$", r"\1", text) if isinstance(text, str) else text


def _certificates(value: Path) -> Path:
    if not value.is_file():
        raise ValueError("is not an existing file")
    try:
        ssl.create_default_context(cafile=str(value))
    except OSError as error:
        raise ValueError(f"contains no readable certificates: {error.strerror or error}") from None
    return value


_Absolute = Annotated[str, AfterValidator(_absolute)]
ANYWHERE, AUTO = "*", "auto"
"""Entry of `path_map` that stands for all files of the tests' code."""


def _path_map(value: object) -> object:
    return {ANYWHERE: AUTO} if value == AUTO else value


def _local_path(value: str) -> str:
    return value if value == ANYWHERE else _absolute(value)


def _mapped(value: dict[str, str | None]) -> dict[str, str | None]:
    for local, remote in value.items():
        if (local == ANYWHERE) != (remote == AUTO):
            raise ValueError('must have "auto" for "*", and for nothing else')
    return {
        local: remote if remote is None or remote == AUTO else _absolute(remote)
        for local, remote in value.items()
    }


_LocalPath = Annotated[str, AfterValidator(_local_path)]
_Size = Annotated[ByteSize, Field(ge=0)]


def state_directory() -> Path:
    """Return the directory for state that outlives a run (XDG base directory specification)."""
    given = os.environ.get("XDG_STATE_HOME")
    if given:
        return Path(given, "reframe-firecrest")
    try:
        return Path.home() / ".local" / "state" / "reframe-firecrest"
    except RuntimeError:
        # Containers may run under a user id without a password entry, and without HOME.
        return Path(tempfile.gettempdir(), f"reframe-firecrest-{os.getuid()}")


class Settings(BaseModel):
    """Settings of one partition: how to reach its system, and limits.

    Attributes:
        url: address of the gateway.
        api_version: version of the FirecREST API, `1` or `2`; `auto` asks the gateway once.
        credentials: how to authenticate. Its keys are given beside the other settings.
        system: name of the system in FirecREST.
        basedir: directory on the system that holds all stage directories.
        namespace: subdirectory of `basedir` for the runs.
        account: account to charge for jobs whose script names none; Slurm's default if not set.
        ca_bundle: file with the certificates to trust; the usual ones if not set.
        default_partition: Slurm's partition for jobs that name none; flexible tests need it, and FirecREST
            does not report it.
        appear_as: name of the partition's scheduler as tests see it (`scheduler.registered_name`): suites
            check for `slurm`, some of CSCS's checks for `firecrest-slurm`. The settings file keeps naming
            `firecrest-scheduler`.
        path_map: local directories outside the stage prefix that scripts name, with their path on the system;
            None sends the directory once per run when a script names it. `"auto"` instead, or the entry
            `"*": "auto"`, sends the files below the tests' code (the directories of the checks, of imported
            packages and of the settings file) that scripts name.
        retrieve: patterns of the files to retrieve.
        exclude: patterns of files not to retrieve.
        max_file_size: largest file to retrieve, in bytes or as text such as `"500MB"`.
        max_total_size: bytes to retrieve per job; the largest files beyond it stay on the system.
        max_files: number of files to retrieve per job; the largest files beyond it stay on the system.
        share_inputs: send files of 4 kB and more that several tests have in common only once; each job script
            starts with commands that copy them into the test's own stage directory.
        direct_upload_max: largest size of a test's files, when packed, that are sent in parts through the
            gateway itself, and joined by the job; larger ones go through its S3 storage, with a transfer job.
            0 sends all files through the storage that are too large for one request.
        max_in_flight: largest number of concurrent requests, used while the gateway responds well.
        max_response_size: largest size of a response in bytes, as received and decompressed; for a downloaded
            file the listed size is the limit.
        min_transfer_rate: bytes per second, averaged over two minutes, below which a transfer has stalled and
            is repeated; 0 for no minimum.
        journal_dir: local directory for the journals of runs, which record what a killed run left on the
            system.
        modules_dir: local directory for snapshots of the system's modules; the settings file's if not set.
        modules_max_age: seconds after which a snapshot of modules is reported as old when tests are listed or
            run.
        heartbeat_timeout: seconds without a sign of life after which a run of another machine is considered
            dead, so that `clean` removes its files; raise it for a machine that sleeps for longer.
        progress: show the progress of a run, as one live line on a terminal, elsewhere as a line in ReFrame's
            log, at most once a minute and only if something has changed.
        poll_interval_min: seconds until a job's state is first requested, and between requests while it
            changes; up to six times as long if many jobs run.
        poll_interval_max: seconds between requests for a job's state once it has not changed for long.
        retry_timeout: seconds for which a request is retried that a gateway fails to answer after it has
            answered before, and for which one job's state may be unavailable.
        auth_retry_timeout: seconds for which rejected credentials are retried after they have been accepted
            once: gateways reject valid ones briefly while keys rotate.
        job_lost_timeout: seconds after which a job is lost that Slurm does not know, or only in part.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Annotated[AnyHttpUrl, AfterValidator(no_user_in_url)]
    api_version: Annotated[Literal["auto", "1", "2"], BeforeValidator(_version)] = "auto"
    credentials: Credentials
    system: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    basedir: Annotated[str, AfterValidator(_absolute)]
    namespace: Annotated[str, AfterValidator(_plain_relative)] = "reframe-firecrest"
    account: Annotated[str, Field(min_length=1)] | None = None
    ca_bundle: Annotated[Path, AfterValidator(_certificates)] | None = None
    default_partition: Annotated[str, Field(min_length=1)] | None = None
    appear_as: Annotated[str, BeforeValidator(scheduler_name)] = "slurm"
    path_map: Annotated[
        dict[_LocalPath, str | None], BeforeValidator(_path_map), AfterValidator(_mapped)
    ] = {}
    retrieve: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    max_file_size: _Size | None = None
    max_total_size: _Size = ByteSize(100 * 10**9)
    max_files: Annotated[int, Field(ge=0)] = 100_000
    share_inputs: bool = True
    direct_upload_max: _Size = ByteSize(256 * 1024**2)
    max_in_flight: Annotated[int, Field(ge=1, le=64)] = 32
    max_response_size: Annotated[ByteSize, Field(ge=10**6)] = ByteSize(64 * 10**6)
    min_transfer_rate: _Size = ByteSize(1000)
    journal_dir: Path = Field(default_factory=state_directory)
    modules_dir: Path | None = None
    modules_max_age: Annotated[float, Field(ge=0)] = DEFAULT_MAX_AGE
    heartbeat_timeout: Annotated[float, Field(ge=600)] = 86_400.0
    progress: bool = True
    poll_interval_min: Annotated[float, Field(ge=0.1, le=60)] = 0.5
    poll_interval_max: Annotated[float, Field(ge=0.1, le=600)] = 15.0
    retry_timeout: Annotated[float, Field(ge=0, le=86400)] = 1800.0
    auth_retry_timeout: Annotated[float, Field(ge=0, le=3600)] = 120.0
    job_lost_timeout: Annotated[float, Field(ge=5, le=86400)] = 300.0

    @model_validator(mode="before")
    @classmethod
    def _gather_credentials(cls, values: object) -> object:
        if isinstance(values, Mapping) and "credentials" not in values:
            return gather(values)
        return values

    @property
    def mappings(self) -> dict[str, str | None]:
        """The directories in `path_map`."""
        return {local: remote for local, remote in self.path_map.items() if local != ANYWHERE}

    @property
    def sends_named_files(self) -> bool:
        """True if files of the tests' code are sent when scripts name them."""
        return ANYWHERE in self.path_map

    @property
    def session_key(self) -> tuple[object, ...]:
        """The settings that partitions must have in common to share a session: all but `PER_JOB`."""
        values = self.model_dump(exclude=PER_JOB)
        values["credentials"] = self.credentials
        values["path_map"] = tuple(sorted(self.path_map.items()))
        return tuple(values[name] for name in sorted(values))


PER_JOB = {
    APPEAR_AS,
    "modules_dir",
    "modules_max_age",
    "account",
    "default_partition",
    "retrieve",
    "exclude",
    "max_file_size",
    "max_total_size",
    "max_files",
    "progress",
}
"""Settings that do not concern the session, so partitions that share one may differ in them."""
