"""Secrets: read from the environment or from a file, never from the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reframe_firecrest.model.errors import SettingsError
from reframe_firecrest.model.local_paths import local_path

MAX_BYTES = 65536


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
    ) -> str | None:
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
            if not environment.get(str(named)):
                raise SettingsError(
                    f"{self.by_env!r} in {origin[self.by_env]} names the environment variable "
                    f"{named}, which is not set; export it"
                )
            return environment[str(named)]
        file = values.get(self.by_file)
        by_variable = origin.get(self.by_file, "").startswith("environment")
        if file is None or (by_variable and environment.get(self.variable)):
            return environment.get(self.variable) or None
        return self._read_file(str(file), origin[self.by_file])

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
