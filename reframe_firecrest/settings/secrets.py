"""Secrets: read from the environment or from a file, never from the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reframe_firecrest.model.errors import SettingsError
from reframe_firecrest.model.local_paths import local_path

MAX_BYTES = 65536

VARIABLE = "environment variable "
"""Beginning of the name of a source that is an environment variable."""


@dataclass(frozen=True)
class FoundSecret:
    """A secret and its source.

    Attributes:
        value: the secret.
        origin: its source, for messages.
    """

    value: str = field(repr=False)
    origin: str


@dataclass(frozen=True)
class Secret:
    """A setting whose value must not be in the configuration.

    Attributes:
        key: key of the setting.
        what: its name in messages.
        variable: environment variable that contains it.
    """

    key: str
    what: str
    variable: str

    @property
    def by_env(self) -> str:
        """Key that names another environment variable for it."""
        return f"{self.key}_env"

    @property
    def by_file(self) -> str:
        """Key that names a file for it."""
        return f"{self.key}_file"

    @property
    def places(self) -> frozenset[str]:
        """Keys that locate it; the more specific source wins, whichever key it uses."""
        return frozenset({self.by_env, self.by_file})

    def read(
        self, values: Mapping[str, Any], origin: Mapping[str, str], environment: Mapping[str, str]
    ) -> FoundSecret | None:
        """Return the secret; None if no source locates it.

        Args:
            values: the settings.
            origin: source of each setting.
            environment: the environment variables.

        Raises:
            SettingsError: the named file can't be read, or the named variable is not set.
        """
        named = values.get(self.by_env)
        if named is not None:
            return self._read_named(str(named), origin[self.by_env], environment)
        file = values.get(self.by_file)
        by_variable = origin.get(self.by_file, "").startswith(VARIABLE)
        if file is None or (by_variable and environment.get(self.variable)):
            given = environment.get(self.variable)
            return FoundSecret(given, f"{VARIABLE}{self.variable}") if given else None
        named_by = origin[self.by_file] if by_variable else f"{self.by_file!r} in {origin[self.by_file]}"
        return FoundSecret(
            self._read_file(str(file), origin[self.by_file]), f"the file {file}, named by {named_by}"
        )

    def _read_named(self, name: str, origin: str, environment: Mapping[str, str]) -> FoundSecret:
        value = environment.get(name)
        if not value:
            raise SettingsError(
                f"{self.by_env!r} in {origin} names the environment variable {name}, which is not set; "
                "export it"
            )
        return FoundSecret(value, f"{VARIABLE}{name}, named by {self.by_env!r} in {origin}")

    def _read_file(self, name: str, origin: str) -> str:
        try:
            with local_path(name).open(encoding="utf-8") as file:
                secret = file.read(MAX_BYTES).strip()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise SettingsError(
                f"the file {name} named by {self.by_file!r} ({origin}) can't be read: {reason}"
            ) from None
        if not secret:
            raise SettingsError(f"the file {name} named by {self.by_file!r} is empty")
        return secret


CLIENT_SECRET = Secret("client_secret", "the client's secret", "FIRECREST_CLIENT_SECRET")
API_KEY = Secret("api_key", "the API key", "FIRECREST_API_KEY")

SECRETS = {secret.key: secret for secret in (CLIENT_SECRET, API_KEY)}
