"""Settings: one typed object per partition, read once."""

from reframe_firecrest.model.setting_names import OPTIONS
from reframe_firecrest.settings.lookup import (
    Place,
    journal_directory,
    options_of,
    places_of,
    read_settings,
    secret_files,
)
from reframe_firecrest.settings.model import ENVIRONMENT, Settings

__all__ = [
    "ENVIRONMENT",
    "OPTIONS",
    "Place",
    "Settings",
    "journal_directory",
    "options_of",
    "places_of",
    "read_settings",
    "secret_files",
]
