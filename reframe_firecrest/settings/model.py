"""The settings of one partition, typed, and what their values may be."""

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
    "dead_after": "FIRECREST_DEAD_AFTER",
}
"""Which environment variable stands for which key."""


def _absolute(value: str) -> str:
    if not value.startswith("/") or ".." in value.split("/"):
        raise ValueError("must be an absolute path without '..'")
    if re.search(r"['\"\\$`\n\s]", value):
        # The gateway puts paths between single quotes; one inside is answered with a 500.
        raise ValueError("must not contain quotes, blanks, '$' or backslashes")
    return value.rstrip("/") or "/"


def _plain_relative(value: str) -> str:
    if not re.fullmatch(r"[\w.@+-]+(/[\w.@+-]+)*", value) or ".." in value.split("/"):
        raise ValueError("must consist of letters, digits, '.', '_', '-', '+', '@' and '/'")
    return value


def _version(value: object) -> object:
    """Take the number for the text: Python's configuration files say ``2`` as well as ``"2"``.

    Of a whole version, such as ``1.16.0``, the first number counts: eth-cscs/cscs-reframe-tests has that in
    the same variable.
    """
    text = str(value) if type(value) in (int, float) else value
    return re.sub(r"^([12])(\.\d+)+$", r"\1", text) if isinstance(text, str) else text


def _certificates(value: Path) -> Path:
    if not value.is_file():
        raise ValueError("is not an existing file")
    try:
        ssl.create_default_context(cafile=str(value))
    except OSError as error:
        raise ValueError(f"holds no certificates that can be read: {error.strerror or error}") from None
    return value


_Absolute = Annotated[str, AfterValidator(_absolute)]
_Size = Annotated[ByteSize, Field(ge=0)]


def state_directory() -> Path:
    """Return where programs keep such things, by the XDG base directory specification."""
    given = os.environ.get("XDG_STATE_HOME")
    if given:
        return Path(given, "reframe-firecrest")
    try:
        return Path.home() / ".local" / "state" / "reframe-firecrest"
    except RuntimeError:
        # Containers run under user ids that nobody knows, and without HOME.
        return Path(tempfile.gettempdir(), f"reframe-firecrest-{os.getuid()}")


class Settings(BaseModel):
    """What one partition needs to know to reach its system.

    Attributes:
        url: address of the gateway.
        api_version: version of FirecREST's API that is spoken, `1` or `2`; `auto` asks the gateway, once.
        credentials: who we are. What it consists of is given beside the other keys.
        system: name of the system at the gateway.
        basedir: directory on the system below which all is staged.
        namespace: directory below `basedir` in which the runs lie.
        account: account to charge by jobs whose script names none; without one, Slurm decides.
        ca_bundle: file with the certificates to trust; the usual ones without it.
        default_partition: where Slurm puts a job that names no partition; flexible tests need it, and
            FirecREST does not tell it.
        path_map: local directories outside the stage prefix that scripts name, with where the same lies on
            the system; None has the directory sent, once per run, when a script names it.
        retrieve: patterns of files that come back.
        exclude: patterns of files that stay there.
        max_file_size: larger files stay there; bytes, or a text such as `"500MB"`.
        max_total_size: of what one job brings back; beyond it, its largest files stay there.
        max_files: files that one job brings back; beyond them, its largest stay there.
        share_inputs: files of 4 kB and more that several tests have alike are sent once; each job script
            starts with commands that copy them into the test's own stage directory.
        max_in_flight: requests open at a time where the gateway answers well.
        max_response_size: bytes that an answer may have, as received and decompressed; of a file that is
            downloaded, the listed size sets the limit.
        min_transfer_rate: bytes a second, on average over two minutes, below which a transfer has stalled and
            is repeated; 0 for no minimum.
        journal_dir: local directory for the runs' journals, which tell what a killed run has left on the
            system.
        dead_after: seconds of silence after which a run of another machine counts as dead, so that `clean`
            removes what it left; a machine that sleeps for longer needs more.
        poll_min: seconds to the first look at a job, and between looks while something changes.
        poll_max: seconds between looks when nothing has changed for long.
        outage: seconds for which a gateway that has answered before is waited for, or an answer for one job.
        auth_retry_timeout: seconds for which a refusal of the credentials is retried once they have been
            accepted: gateways refuse them briefly while keys rotate.
        lost_after: seconds after which a job counts as lost that Slurm does not know, or not all parts of.
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
    path_map: dict[_Absolute, _Absolute | None] = {}
    retrieve: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    max_file_size: _Size | None = None
    max_total_size: _Size = ByteSize(100 * 10**9)
    max_files: Annotated[int, Field(ge=0)] = 100_000
    share_inputs: bool = True
    max_in_flight: Annotated[int, Field(ge=1, le=64)] = 32
    max_response_size: Annotated[ByteSize, Field(ge=10**6)] = ByteSize(64 * 10**6)
    min_transfer_rate: _Size = ByteSize(1000)
    journal_dir: Path = Field(default_factory=state_directory)
    dead_after: Annotated[float, Field(ge=600)] = 86_400.0
    poll_min: Annotated[float, Field(ge=0.1, le=60)] = 1.0
    poll_max: Annotated[float, Field(ge=0.1, le=600)] = 15.0
    outage: Annotated[float, Field(ge=0, le=86400)] = 1800.0
    auth_retry_timeout: Annotated[float, Field(ge=0, le=3600)] = 120.0
    lost_after: Annotated[float, Field(ge=5, le=86400)] = 300.0

    @model_validator(mode="before")
    @classmethod
    def _gather_credentials(cls, values: object) -> object:
        if isinstance(values, Mapping) and "credentials" not in values:
            return gather(values)
        return values

    @property
    def session_key(self) -> tuple[object, ...]:
        """What partitions must share to share a session: all but what goes with each job."""
        values = self.model_dump(exclude=PER_JOB)
        values["credentials"] = self.credentials
        values["path_map"] = tuple(sorted(self.path_map.items()))
        return tuple(values[name] for name in sorted(values))


PER_JOB = {
    "account",
    "default_partition",
    "retrieve",
    "exclude",
    "max_file_size",
    "max_total_size",
    "max_files",
}
"""Settings that partitions may differ in and still share a session."""
