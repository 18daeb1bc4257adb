"""Settings: one typed object per partition, read once.

Every key is looked for in the partition's ``sched_options['firecrest']``, then in the system's, then in
the environment. Secrets are read from the environment or a file only.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from reframe_firecrest.errors import SettingsError

ENVIRONMENT = {
    "url": "FIRECREST_URL",
    "token_url": "AUTH_TOKEN_URL",
    "client_id": "FIRECREST_CLIENT_ID",
    "client_secret_file": "FIRECREST_CLIENT_SECRET_FILE",
    "system": "FIRECREST_SYSTEM",
    "basedir": "FIRECREST_BASEDIR",
    "account": "FIRECREST_ACCOUNT",
    "namespace": "FIRECREST_NAMESPACE",
    "ca_bundle": "FIRECREST_CA_BUNDLE",
    "max_in_flight": "FIRECREST_MAX_IN_FLIGHT",
}
"""Which environment variable stands for which key."""

SECRET_VARIABLE = "FIRECREST_CLIENT_SECRET"  # noqa: S105 - the name of the variable, not the secret
MAX_SECRET_BYTES = 65536
SECRET_KEYS = frozenset({"client_secret_env", "client_secret_file"})
"""Keys that say where the secret is; the more specific place wins, whichever of them it uses."""


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


def _certificates(value: Path) -> Path:
    if not value.is_file():
        raise ValueError("is not an existing file")
    try:
        ssl.create_default_context(cafile=str(value))
    except OSError as error:
        raise ValueError(f"holds no certificates that can be read: {error.strerror or error}") from None
    return value


def _no_credentials(value: AnyHttpUrl) -> AnyHttpUrl:
    if value.username or value.password:
        # URLs are shown in messages.
        raise ValueError("must hold neither user name nor password")
    return value


_Url = Annotated[AnyHttpUrl, AfterValidator(_no_credentials)]


_Absolute = Annotated[str, AfterValidator(_absolute)]


class Settings(BaseModel):
    """What one partition needs to know to reach its system.

    Attributes:
        url: the gateway's base URL.
        token_url: the identity provider's token endpoint.
        client_id: the client's name there.
        client_secret: its secret; never printed.
        system: the system's name at the gateway.
        basedir: remote directory below which everything is staged.
        namespace: directory below `basedir` in which the runs lie.
        account: account that jobs are charged to; None leaves it to the job script and Slurm.
        ca_bundle: file with the certificates to trust; None trusts the usual ones.
        default_partition: where Slurm puts a job that names no partition; flexible tests need it, and
            FirecREST does not tell it.
        path_map: local directories outside the stage prefix that scripts name, with where the same lies on
            the system; None has the directory sent, once per run, when a script names it.
        retrieve: patterns of files that are brought back.
        exclude: patterns of files that are not.
        max_file_size: bytes, or a text such as ``500MB``; larger files are not brought back.
        max_in_flight: requests that may be open at a time, however well the gateway answers.
        poll_min: seconds to the first look at a job, and between looks while something changes.
        poll_max: seconds between looks when nothing has changed for long.
        outage: seconds for which an unreachable gateway is waited for once it has answered.
        lost_after: seconds for which Slurm may not know a job before it counts as lost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: _Url
    token_url: _Url
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr
    system: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    basedir: Annotated[str, AfterValidator(_absolute)]
    namespace: Annotated[str, AfterValidator(_plain_relative)] = "reframe-firecrest"
    account: Annotated[str, Field(min_length=1)] | None = None
    ca_bundle: Annotated[Path, AfterValidator(_certificates)] | None = None
    default_partition: Annotated[str, Field(min_length=1)] | None = None
    path_map: dict[_Absolute, _Absolute | None] = {}
    retrieve: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    max_file_size: ByteSize | None = None
    max_in_flight: Annotated[int, Field(ge=1, le=64)] = 32
    poll_min: Annotated[float, Field(ge=0.1, le=60)] = 1.0
    poll_max: Annotated[float, Field(ge=0.1, le=600)] = 15.0
    outage: Annotated[float, Field(ge=0, le=86400)] = 1800.0
    lost_after: Annotated[float, Field(ge=5, le=86400)] = 120.0

    @property
    def session_key(self) -> tuple[object, ...]:
        """What partitions must share to share a session: all but what goes with each job."""
        values = self.model_dump(exclude=PER_JOB)
        values["path_map"] = tuple(sorted(self.path_map.items()))
        return tuple(values[name] for name in sorted(values))


PER_JOB = {"account", "default_partition", "retrieve", "exclude", "max_file_size"}
"""Settings that partitions may differ in and still share a session."""


@dataclass(frozen=True)
class Place:
    """A place where settings are looked for.

    Attributes:
        name: how an error message calls it.
        values: what is written there.
    """

    name: str
    values: Mapping[str, Any]


OPTIONS = "firecrest"
"""The key of `sched_options` under which this package's settings stand."""


def places_of(
    partition: str, of_partition: Mapping[str, Any] | None, of_system: Mapping[str, Any] | None
) -> list[Place]:
    """Return the places where the settings of a ReFrame partition may stand, most specific first.

    Args:
        partition: its name.
        of_partition: what its `sched_options` say under `OPTIONS`.
        of_system: what its system's say there.
    """
    return [
        Place(f"sched_options['{OPTIONS}'] of partition {partition!r}", of_partition or {}),
        Place(f"sched_options['{OPTIONS}'] of its system", of_system or {}),
    ]


def read_settings(places: list[Place], environment: Mapping[str, str]) -> Settings:
    """Make settings of what the places and the environment say; earlier places win.

    Args:
        places: the configuration's places, most specific first.
        environment: the environment variables.

    Raises:
        SettingsError: one line that names the key, the places looked in and how to mend it.
    """
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for place in places:
        _refuse_unknown(place)
        for key, value in place.values.items():
            if value is not None and key not in values and not _outranked(key, place, origin):
                values[key], origin[key] = value, place.name
    for key, variable in ENVIRONMENT.items():
        if key not in values and environment.get(variable):
            values[key], origin[key] = environment[variable], f"environment variable {variable}"
    secret = _read_secret(values, origin, environment)
    values.pop("client_secret_env", None)
    values.pop("client_secret_file", None)
    if secret is not None:
        values["client_secret"] = secret
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error, origin, places)) from None


def _outranked(key: str, place: Place, origin: Mapping[str, str]) -> bool:
    """Tell whether a more specific place says already where the secret is."""
    return key in SECRET_KEYS and any(origin.get(other, place.name) != place.name for other in SECRET_KEYS)


def _refuse_unknown(place: Place) -> None:
    known = (set(Settings.model_fields) - {"client_secret"}) | SECRET_KEYS
    if "client_secret" in place.values:
        raise SettingsError(
            f"'client_secret' must not stand in {place.name}: put the secret into {SECRET_VARIABLE}, "
            "or name a file with 'client_secret_file' or a variable with 'client_secret_env'"
        )
    for key in place.values:
        if key not in known:
            raise SettingsError(
                f"unknown key {key!r} in {place.name}; known keys: {', '.join(sorted(known))}"
            )


def _read_secret(
    values: Mapping[str, Any], origin: Mapping[str, str], environment: Mapping[str, str]
) -> str | None:
    named = values.get("client_secret_env")
    if named is not None:
        if not environment.get(str(named)):
            raise SettingsError(
                f"'client_secret_env' in {origin['client_secret_env']} names the environment variable "
                f"{named}, which is not set; export it"
            )
        return environment[str(named)]
    from_file = values.get("client_secret_file")
    by_variable = origin.get("client_secret_file", "").startswith("environment")
    if from_file is None or (by_variable and environment.get(SECRET_VARIABLE)):
        return environment.get(SECRET_VARIABLE) or None
    try:
        with Path(str(from_file)).open(encoding="utf-8") as file:
            secret = file.read(MAX_SECRET_BYTES).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise SettingsError(
            f"the file {from_file} named by 'client_secret_file' ({origin['client_secret_file']}) "
            f"can't be read: {reason}"
        ) from None
    if not secret:
        raise SettingsError(f"the file {from_file} named by 'client_secret_file' is empty")
    return secret


def _explain(error: ValidationError, origin: Mapping[str, str], places: list[Place]) -> str:
    """Turn pydantic's list of errors into one line for the first of them."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    key = str(first["loc"][0]) if first["loc"] else "settings"
    looked_in = ", ".join(place.name for place in places)
    if first["type"] == "missing":
        if key == "client_secret":
            keys = f", and for 'client_secret_file' and 'client_secret_env' in {looked_in}" if places else ""
            return (
                f"the client's secret is missing (looked in the environment variables {SECRET_VARIABLE} and "
                f"{ENVIRONMENT['client_secret_file']}{keys}); set one of them"
            )
        variable = ENVIRONMENT[key]
        before, after = (f"{looked_in}, and ", " or set it there") if places else ("", "")
        return (
            f"{key!r} is missing (looked in {before}the environment variable {variable}); "
            f"export {variable}=...{after}"
        )
    reason = str(first["msg"]).removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    return f"{key!r} ({origin.get(key, 'default')}) is wrong: {reason}"
