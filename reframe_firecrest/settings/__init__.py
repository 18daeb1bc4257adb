"""Settings: one typed object per partition, read once."""

from reframe_firecrest.settings.lookup import (
    OPTIONS,
    Place,
    journal_directory,
    places_of,
    read_settings,
    secret_files,
)
from reframe_firecrest.settings.model import APPEAR_AS, ENVIRONMENT, SchedulerName, Settings

__all__ = [
    "APPEAR_AS",
    "ENVIRONMENT",
    "OPTIONS",
    "Place",
    "SchedulerName",
    "Settings",
    "journal_directory",
    "places_of",
    "read_settings",
    "secret_files",
]
