"""The FirecREST versions that the server imitates, and its own version."""

from importlib.metadata import version

V1_VERSION = "1.16.6"
V2_VERSION = "2.6.0"
"""Version of FirecREST v2 that is imitated, in a form that clients can parse.

The imitated gateway (eth-cscs/firecrest-v2 at 35e1d08, after 2.5.6) filters job lists by name and time.
pyfirecrest 3.10 sends these filters only to 2.6.0 and later.
"""
V2_VERSION_HEADER = "f7t-appversion"
"""Header of every v2 answer. Clients parse its value as a version."""


def distribution_version() -> str:
    """Return the version of the installed distribution."""
    return version("reframe-firecrest")
