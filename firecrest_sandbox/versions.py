"""The FirecREST versions that the server imitates, and its own version."""

from importlib.metadata import version

V1_VERSION = "1.16.6"
V2_VERSION = "2.5.6"
V2_VERSION_HEADER = "f7t-appversion"
"""Header of every v2 answer. Clients parse its value as a version."""


def distribution_version() -> str:
    """Return the version of the installed distribution."""
    return version("reframe-firecrest")
