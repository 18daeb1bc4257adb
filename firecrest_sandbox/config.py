"""Settings of the server. The defaults match the recorded gateway."""

from __future__ import annotations

import ipaddress
import re
import secrets
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from firecrest_sandbox.fault_injection.faults import FaultRule

MIB = 1024 * 1024
_HOST = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


class SandboxConfig(BaseModel):
    """Settings of one server; sizes in bytes, times in seconds.

    Raises:
        pydantic.ValidationError: a value is out of range, or the host is not a loopback address.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535, description="0 selects a free port")
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="accepted values of the header Host, with the port, in addition to loopback names",
    )
    root: Path | None = Field(default=None, description="directory that clients see; None: a temporary one")
    system: str = Field(default="sandbox", pattern=r"^[A-Za-z0-9_.-]+$")
    runner: Literal["embedded", "slurm"] = "embedded"

    client_id: str = "sandbox-client"
    client_secret: SecretStr = Field(
        default_factory=lambda: SecretStr(secrets.token_urlsafe(24)), min_length=8
    )
    api_key: SecretStr = Field(default_factory=lambda: SecretStr(secrets.token_urlsafe(24)), min_length=8)
    token_lifetime: int = Field(default=300, gt=0)

    nodes: int = Field(default=4, ge=1, le=999)
    cpus: int = Field(default=16, ge=1, description="CPUs of each node")
    partitions: tuple[str, ...] = Field(default=("normal", "debug"), min_length=1)
    accounts: tuple[str, ...] = Field(default=("sandbox",), min_length=1)
    default_time_limit: int = Field(default=1800, gt=0)
    kill_wait: float = Field(default=5.0, ge=0, description="time between SIGTERM and SIGKILL")

    latency: float = Field(default=0.0, ge=0, description="delay of every request")
    rate_limit: float | None = Field(default=None, gt=0, description="requests per second")
    faults: tuple[FaultRule, ...] = ()
    fault_seed: int | None = Field(default=None, description="seed for rules with a share")
    list_gap: float = Field(
        default=0.0, ge=0, description="time for which a finished job is missing from the list"
    )

    history: int = Field(
        default=0, ge=0, le=99_999, description="ended jobs of the account in lists (embedded runner)"
    )

    api: Literal["both", "v1", "v2"] = Field(default="both", description="served versions of the API")
    accounting_delay: float = Field(
        default=0.0,
        ge=0,
        description="v1: time until accounting knows a new job completely (embedded runner)",
    )
    one_worker: bool = Field(default=False, description="v1: each service handles one request at a time")

    scheduler: Literal["slurm", "pbs"] = Field(
        default="slurm", description="pbs: no request for jobs succeeds"
    )
    connection: Literal["ssh", "rest", "hybrid"] = Field(
        default="ssh",
        description="v2: connection to Slurm; rest: by slurmrestd; hybrid: by slurmrestd, except for scripts "
        "on the system (embedded runner)",
    )
    transfers: Literal["s3", "streamer", "wormhole", "none"] = Field(
        default="s3", description="v2: method of the site for large files; only s3 transfers files here"
    )
    require_account: bool = Field(
        default=False, description="v2: transfers need an account, because the site's directives contain one"
    )

    operation_timeout: float = Field(default=5.0, gt=0)
    max_ops_file_size: int = Field(
        default=5 * MIB,
        gt=0,
        description="maximum size of a direct upload, the option `--direct-limit` of the command",
    )
    output_limit: int | None = Field(
        default=None,
        gt=0,
        description="maximum output of a command; a download is base64, so its limit is 3/4 of this; "
        "None: max_ops_file_size, as in the real gateway",
    )
    max_submitted_jobs: int | None = Field(
        default=None,
        ge=0,
        description="QOS limit of unfinished jobs; further submissions get 403 (embedded runner)",
    )
    max_part_size: int = Field(default=8 * MIB, gt=0)
    url_lifetime: int = Field(default=604_800, gt=0, description="lifetime of a presigned URL")
    transfer_poll: float = Field(default=0.2, gt=0, description="time between checks for an uploaded object")

    @property
    def buffer_limit(self) -> int:
        """Maximum output of a command in bytes; commands that print more are killed."""
        return self.max_ops_file_size if self.output_limit is None else self.output_limit

    @model_validator(mode="after")
    def _possible_configuration(self) -> SandboxConfig:
        if self.scheduler == "pbs" and self.connection != "ssh":
            raise ValueError("with scheduler pbs, the connection is ssh, as in the real gateway")
        embedded_only = {"connection": self.connection != "ssh", "history": self.history > 0}
        for name, is_set in embedded_only.items():
            if is_set and self.runner != "embedded":
                raise ValueError(f"{name} needs the embedded runner")
        return self

    @field_validator("host")
    @classmethod
    def _loopback_only(cls, host: str) -> str:
        try:
            loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise ValueError(
                f"{host!r} is not a loopback address; the sandbox runs its clients' commands "
                "as you, so it listens only on 127.0.0.1, ::1 or localhost"
            )
        return host

    @field_validator("allowed_hosts")
    @classmethod
    def _valid_host_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _HOST.fullmatch(name):
                raise ValueError(f"{name!r} is not a host name with a port, such as gateway.example:8443")
        return names

    @field_validator("root")
    @classmethod
    def _absolute_root(cls, root: Path | None) -> Path | None:
        return None if root is None else root.resolve()
