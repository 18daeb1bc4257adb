"""Context of a connected session: gateway, directories and record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model.system import SystemInfo
from reframe_firecrest.session.session_record import SessionRecord
from reframe_firecrest.staging.markers import CLAIMS
from reframe_firecrest.staging.paths import PathMap

TRANSFER = ".transfer"
"""Directory for archives in transit, below the run's remote directory."""

DIRECT_SHARE = 0.7
"""Share of the limit for direct uploads that the files of a batch may have. Their archive has headers too."""


@dataclass(frozen=True)
class SessionContext:
    """A connected session.

    Attributes:
        gateway: the gateway.
        paths: local and remote roots of the stage directories.
        scratch: local directory for archives in transit.
        record: journal and summary of the session.
        system: what the gateway reports of the system.
    """

    gateway: Gateway
    paths: PathMap
    scratch: Path
    record: SessionRecord
    system: SystemInfo

    @property
    def root(self) -> str:
        """The run's remote directory."""
        return self.paths.remote

    @property
    def transfer(self) -> str:
        """Remote directory for archives in transit."""
        return transfer_directory(self.paths)

    @property
    def claims(self) -> str:
        """Remote directory in which jobs claim their submissions."""
        return claims_directory(self.paths)

    @property
    def batch_limit(self) -> int:
        """Bytes of files that travel in one archive, so that it can be transferred directly."""
        return int(DIRECT_SHARE * self.system.capabilities.max_direct_upload)


def transfer_directory(paths: PathMap) -> str:
    """Return the remote directory for archives in transit."""
    return f"{paths.remote}/{TRANSFER}"


def claims_directory(paths: PathMap) -> str:
    """Return the remote directory in which jobs claim their submissions."""
    return f"{transfer_directory(paths)}/{CLAIMS}"
