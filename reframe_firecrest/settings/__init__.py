"""Settings: one typed object per partition, read once."""

from reframe_firecrest.model.scheduler_options import OPTIONS
from reframe_firecrest.settings.lookup import Place, journal_directory, places_of, read_settings
from reframe_firecrest.settings.model import ENVIRONMENT, Settings

__all__ = ["ENVIRONMENT", "OPTIONS", "Place", "Settings", "journal_directory", "places_of", "read_settings"]
