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

from reframe_firecrest.model.errors import SettingsError
from reframe_firecrest.settings import auth_method, credentials
from reframe_firecrest.settings.local_paths import local_path
from reframe_firecrest.settings.model import ENVIRONMENT, Settings, state_directory
from reframe_firecrest.settings.secrets import SECRETS, Secret

LOCAL_FILES = ("ca_bundle", "journal_dir")
"""Keys whose values are files or directories on this machine."""


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
    values["auth"] = auth_method.choose(
        [
            *(auth_method.said_by_configuration(place.name, place.values) for place in places),
            auth_method.said_by_environment(environment),
        ]
    )
    for secret in SECRETS.values():
        # One that is not needed is not touched.
        if secret.key in credentials.METHODS[values["auth"]].model_fields:
            found = secret.read(values, origin, environment)
            if found is not None:
                values[secret.key] = found
        for key in secret.places:
            values.pop(key, None)
    for key in LOCAL_FILES:
        if isinstance(values.get(key), str):
            values[key] = local_path(values[key])
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error, origin, places)) from None


def journal_directory(environment: Mapping[str, str]) -> Path:
    """Return where journals are if no configuration says otherwise: what `journal_dir` is without one.

    Args:
        environment: the environment variables.
    """
    given = environment.get(ENVIRONMENT["journal_dir"])
    return local_path(given) if given else state_directory()


def _outranked(key: str, place: Place, origin: Mapping[str, str]) -> bool:
    """Tell whether a more specific place says already where the secret is."""
    return any(
        key in secret.places and any(origin.get(other, place.name) != place.name for other in secret.places)
        for secret in SECRETS.values()
    )


def _refuse_unknown(place: Place) -> None:
    for key, secret in SECRETS.items():
        if key in place.values:
            raise SettingsError(
                f"{key!r} must not stand in {place.name}: put {secret.what} into {secret.variable}, "
                f"or name a file with {secret.by_file!r} or a variable with {secret.by_env!r}"
            )
    known = {*Settings.model_fields, *credentials.KEYS} - {"credentials", *SECRETS}
    known = known.union(*(secret.places for secret in SECRETS.values()))
    for key in place.values:
        if key not in known:
            raise SettingsError(
                f"unknown key {key!r} in {place.name}; known keys: {', '.join(sorted(known))}"
            )


def _explain(error: ValidationError, origin: Mapping[str, str], places: list[Place]) -> str:
    """Turn pydantic's list of errors into one line for the first of them."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    location = [str(part) for part in first["loc"]]
    if location[:1] == ["credentials"]:
        # Behind it comes the method that was chosen.
        location = location[2:]
    key = location[0] if location else "settings"
    looked_in = ", ".join(place.name for place in places)
    if first["type"] == "missing":
        if key in SECRETS:
            return _missing_secret(SECRETS[key], looked_in)
        variable = ENVIRONMENT[key]
        before, after = (f"{looked_in}, and ", " or set it there") if places else ("", "")
        return (
            f"{key!r} is missing (looked in {before}the environment variable {variable}); "
            f"export {variable}=...{after}"
        )
    reason = str(first["msg"]).removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    if key in SECRETS:
        return f"{SECRETS[key].what} is wrong: {reason}"
    return f"{key!r} ({origin.get(key, 'default')}) is wrong: {reason}"


def _missing_secret(secret: Secret, looked_in: str) -> str:
    keys = f", and for {secret.by_file!r} and {secret.by_env!r} in {looked_in}" if looked_in else ""
    return (
        f"{secret.what} is missing (looked in the environment variables {secret.variable} and "
        f"{ENVIRONMENT[secret.by_file]}{keys}); set one of them"
    )
