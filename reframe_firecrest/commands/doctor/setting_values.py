"""Settings that a diagnosis uses, with their values and origins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import AnyHttpUrl, BaseModel

from reframe_firecrest.commands.doctor.context import DiagnosisTarget
from reframe_firecrest.settings.secrets import SECRETS, VARIABLE

DEFAULT = "default"
"""Origin of a setting that is not set."""

_HIDDEN = {*SECRETS, "token_command"}
"""Settings whose values are never printed: a token command may contain a password."""


@dataclass(frozen=True)
class SettingValue:
    """A setting with its value.

    Attributes:
        setting: its key.
        value: its value as text; None if it is not set or secret.
        origin: the source of the value.
    """

    setting: str
    value: str | None
    origin: str

    def __str__(self) -> str:
        """Return one line, in which an environment variable has only its name."""
        value = "" if self.value is None else f" = {self.value}"
        return f"{self.setting}{value} ({self.origin.removeprefix(VARIABLE)})"


def setting_values(target: DiagnosisTarget) -> list[SettingValue]:
    """Return all settings of a target, with the credentials after the address."""
    settings = target.settings
    values = _values(settings, target)
    position = next(number for number, value in enumerate(values) if value.setting == "system")
    return [*values[:position], *_values(settings.credentials, target), *values[position:]]


def explicit_values(target: DiagnosisTarget) -> list[SettingValue]:
    """Return the settings that are not defaults."""
    return [value for value in setting_values(target) if value.origin != DEFAULT]


def _values(model: BaseModel, target: DiagnosisTarget) -> Sequence[SettingValue]:
    return [
        SettingValue(key, _text(key, getattr(model, key)), target.origins.get(key, DEFAULT))
        for key in type(model).model_fields
        if key != "credentials"
    ]


def _text(key: str, value: object) -> str | None:
    if value is None or key in _HIDDEN:
        return None
    # The parser of URLs adds the slash.
    return str(value).rstrip("/") if isinstance(value, AnyHttpUrl) and value.path == "/" else str(value)
