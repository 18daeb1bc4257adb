"""Where settings are looked for, and how one that is missing or wrong is told.

Every key is looked for in the partition's ``sched_options['firecrest']``, then in the system's, then in
the environment. Secrets are read from the environment or a file only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reframe_firecrest.errors import SettingsError
from reframe_firecrest.settings.model import ENVIRONMENT, Settings

SECRET_VARIABLE = "FIRECREST_CLIENT_SECRET"  # noqa: S105 - the name of the variable, not the secret
MAX_SECRET_BYTES = 65536
SECRET_KEYS = frozenset({"client_secret_env", "client_secret_file"})
"""Keys that say where the secret is; the more specific place wins, whichever of them it uses."""


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
