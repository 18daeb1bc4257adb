"""Settings: one typed object per partition, read once."""

from reframe_firecrest.model.setting_names import OPTIONS
from reframe_firecrest.settings.lookup import (
    Place,
    ResolvedSettings,
    journal_directory,
    options_of,
    places_of,
    read_settings,
    resolve_settings,
    secret_files,
)
from reframe_firecrest.settings.model import ENVIRONMENT, Settings

__all__ = [
    "ENVIRONMENT",
    "OPTIONS",
    "Place",
    "ResolvedSettings",
    "Settings",
    "journal_directory",
    "options_of",
    "places_of",
    "read_settings",
    "resolve_settings",
    "secret_files",
]
