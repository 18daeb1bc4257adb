"""Read settings from their sources, and report one that is missing or wrong.

The sources of a key are the partition's ``sched_options['firecrest']``, then the system's, then the
environment. Secrets are read from the environment or from a file only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reframe_firecrest.model.errors import SettingsError
from reframe_firecrest.model.local_paths import local_path
from reframe_firecrest.model.setting_names import OPTIONS
from reframe_firecrest.settings import auth_method, credentials
from reframe_firecrest.settings.deprecated import RENAMED, rename_keys, rename_variables
from reframe_firecrest.settings.model import ENVIRONMENT, Settings, state_directory
from reframe_firecrest.settings.secrets import SECRETS, VARIABLE, Secret

LOCAL_FILES = ("ca_bundle", "journal_dir", "modules_dir")
"""Settings whose values are local files or directories."""


@dataclass(frozen=True)
class Place:
    """A source of settings.

    Attributes:
        name: its name in error messages.
        values: its settings.
    """

    name: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class ResolvedSettings:
    """Settings and where they come from.

    Attributes:
        settings: the settings.
        origins: for each key that is not a default, the name of its source.
    """

    settings: Settings
    origins: Mapping[str, str]


def places_of(
    partition: str, of_partition: Mapping[str, Any] | None, of_system: Mapping[str, Any] | None
) -> list[Place]:
    """Return the sources of a ReFrame partition's settings, most specific first.

    Args:
        partition: the partition's name.
        of_partition: `OPTIONS` of the partition's `sched_options`.
        of_system: `OPTIONS` of the system's `sched_options`.
    """
    return [
        Place(f"sched_options['{OPTIONS}'] of partition {partition!r}", of_partition or {}),
        Place(f"sched_options['{OPTIONS}'] of the system", of_system or {}),
    ]


def read_settings(places: list[Place], environment: Mapping[str, str]) -> Settings:
    """Combine the sources and the environment, like `resolve_settings`, and return the settings alone."""
    return resolve_settings(places, environment).settings


def resolve_settings(places: list[Place], environment: Mapping[str, str]) -> ResolvedSettings:
    """Combine the sources and the environment; earlier sources win.

    Args:
        places: the sources in the configuration, most specific first.
        environment: the environment variables.

    Raises:
        SettingsError: a setting is missing or wrong. The message is one line with the key, the sources and
            the remedy.
    """
    places = [replace(place, values=rename_keys(place.values)) for place in places]
    environment = rename_variables(environment)
    values, origins = _combined(places, environment)
    method = _method(places, environment)
    if values.get("auth") != method:
        # It is the method of the credentials, not the one that a less specific source names.
        origins.pop("auth", None)
    values["auth"] = method
    _add_secrets(values, origins, environment)
    for key in LOCAL_FILES:
        if isinstance(values.get(key), str):
            values[key] = local_path(values[key])
    try:
        return ResolvedSettings(Settings.model_validate(values), origins)
    except ValidationError as error:
        raise SettingsError(_explain(error, origins, places)) from None


def _combined(
    places: Sequence[Place], environment: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the value of each key that is set, and its source."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for place in places:
        _refuse_unknown(place)
        for key, value in place.values.items():
            if value is not None and key not in values and not _outranked(key, place, origins):
                values[key], origins[key] = value, place.name
    for key, variable in ENVIRONMENT.items():
        if key not in values and environment.get(variable):
            values[key], origins[key] = environment[variable], f"{VARIABLE}{variable}"
    return values, origins


def _method(places: Sequence[Place], environment: Mapping[str, str]) -> str:
    return auth_method.choose_method(
        [
            *(auth_method.auth_in_configuration(place.name, place.values) for place in places),
            auth_method.auth_in_environment(environment),
        ]
    )


def _add_secrets(values: dict[str, Any], origins: dict[str, str], environment: Mapping[str, str]) -> None:
    """Replace the keys that locate secrets by the secrets that the chosen method needs."""
    for secret in SECRETS.values():
        # Do not read a file that the chosen method does not need.
        if secret.key in credentials.METHODS[values["auth"]].model_fields:
            found = secret.read(values, origins, environment)
            if found is not None:
                values[secret.key], origins[secret.key] = found.value, found.origin
        for key in secret.places:
            values.pop(key, None)


def journal_directory(environment: Mapping[str, str]) -> Path:
    """Return the directory of the journals when no configuration is read."""
    given = environment.get(ENVIRONMENT["journal_dir"])
    return local_path(given) if given else state_directory()


def secret_files(places: Iterable[Mapping[str, Any] | None], environment: Mapping[str, str]) -> list[Path]:
    """Return the files that hold secrets, according to settings and environment.

    Args:
        places: settings of partitions and systems.
        environment: the environment variables.
    """
    keys = [secret.by_file for secret in SECRETS.values()]
    named = [place[key] for place in places if place for key in keys if isinstance(place.get(key), str)]
    named += [environment[ENVIRONMENT[key]] for key in keys if environment.get(ENVIRONMENT[key])]
    return [local_path(name) for name in named]


def options_of(sched_options: Mapping[str, Any] | None, where: str) -> Mapping[str, Any] | None:
    """Return the settings in the `sched_options` of a partition or a system.

    ReFrame accepts any key there, so a misspelt one would be ignored.

    Args:
        sched_options: the options.
        where: their place, for messages.

    Raises:
        SettingsError: a key was probably meant to be `OPTIONS`.
    """
    options = sched_options or {}
    for key in options:
        if key != OPTIONS and get_close_matches(key.lower(), [OPTIONS], cutoff=0.75):
            raise SettingsError(f"unknown key {key!r} in sched_options of {where}; did you mean {OPTIONS!r}?")
    found: Mapping[str, Any] | None = options.get(OPTIONS)
    return found


def _outranked(key: str, place: Place, origin: Mapping[str, str]) -> bool:
    """Return whether a more specific source already locates the secret that this key locates."""
    return any(
        key in secret.places and any(origin.get(other, place.name) != place.name for other in secret.places)
        for secret in SECRETS.values()
    )


def _refuse_unknown(place: Place) -> None:
    for key, secret in SECRETS.items():
        if key in place.values:
            raise SettingsError(
                f"{key!r} is not allowed in {place.name}: put {secret.what} into {secret.variable}, "
                f"or name a file with {secret.by_file!r} or a variable with {secret.by_env!r}"
            )
    known = {*Settings.model_fields, *credentials.KEYS} - {"credentials", *SECRETS}
    known = known.union(*(secret.places for secret in SECRETS.values()))
    for key in place.values:
        if key not in known:
            raise _unknown_key(key, place, known)


def _unknown_key(key: str, place: Place, known: Collection[str]) -> SettingsError:
    similar = get_close_matches(key, [*known, *RENAMED], n=1)
    if similar:
        meant = RENAMED.get(similar[0], similar[0])
        return SettingsError(f"unknown key {key!r} in {place.name}; did you mean {meant!r}?")
    return SettingsError(f"unknown key {key!r} in {place.name}; known keys: {', '.join(sorted(known))}")


def _explain(error: ValidationError, origin: Mapping[str, str], places: list[Place]) -> str:
    """Return one line for all missing settings, or for the first of pydantic's other errors."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    missing = [_key(each["loc"]) for each in found if each["type"] == "missing"]
    looked_in = ", ".join(place.name for place in places)
    if len(missing) > 1:
        return _missing_several(missing, looked_in)
    if missing:
        return _missing(missing[0], looked_in)
    key, reason = _key(found[0]["loc"]), str(found[0]["msg"]).removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    if key in SECRETS:
        return f"{SECRETS[key].what} is wrong: {reason}"
    return f"{key!r} ({origin.get(key, 'default')}) is wrong: {reason}"


def _key(location: Sequence[int | str]) -> str:
    """Return the setting at a location in pydantic's error."""
    parts = [str(part) for part in location]
    if parts[:1] == ["credentials"]:
        # The next part is the method that was chosen.
        parts = parts[2:]
    return parts[0] if parts else "settings"


def _missing_several(keys: Sequence[str], looked_in: str) -> str:
    names = ", ".join(SECRETS[key].what if key in SECRETS else repr(key) for key in keys)
    variables = [ENVIRONMENT[SECRETS[key].by_file if key in SECRETS else key] for key in keys]
    also = f" and {looked_in}" if looked_in else ""
    return (
        f"{len(keys)} settings are missing: {names} (looked in the environment variables{also}); "
        f"export {' '.join(f'{variable}=...' for variable in variables)}"
    )


def _missing(key: str, looked_in: str) -> str:
    if key in SECRETS:
        return _missing_secret(SECRETS[key], looked_in)
    variable = ENVIRONMENT[key]
    before, after = (f"{looked_in}, and ", " or set it there") if looked_in else ("", "")
    return (
        f"{key!r} is missing (looked in {before}the environment variable {variable}); "
        f"export {variable}=...{after}"
    )


def _missing_secret(secret: Secret, looked_in: str) -> str:
    keys = f", and for {secret.by_file!r} and {secret.by_env!r} in {looked_in}" if looked_in else ""
    return (
        f"{secret.what} is missing (looked in the environment variables {secret.variable} and "
        f"{ENVIRONMENT[secret.by_file]}{keys}); set one of them"
    )
