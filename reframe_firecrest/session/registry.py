"""The sessions of this process: one per gateway and system, shared by partitions."""

from __future__ import annotations

import atexit
import os

from reframe_firecrest.gateway.factory import FirecrestConnection
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.protocol import GatewayConnection
from reframe_firecrest.model.run_names import run_name
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.session import SHUTDOWN_TIMEOUT, Session
from reframe_firecrest.session.session_record import open_journal
from reframe_firecrest.session.signals import count_interrupts, no_time_is_left
from reframe_firecrest.settings import Settings
from reframe_firecrest.staging.local_sources import LocalSources
from reframe_firecrest.staging.paths import PathMap

_sessions: dict[tuple[object, ...], Session] = {}


def connect(settings: Settings, retry_policy: RetryPolicy | None = None) -> GatewayConnection:
    """Make the connection to a gateway; no request is sent yet.

    Args:
        settings: the gateway's address, the credentials and the system.
        retry_policy: by default as the settings say.
    """
    usual = RetryPolicy(outage=settings.retry_timeout, refused=settings.auth_retry_timeout)
    return FirecrestConnection(settings, retry_policy or usual)


def _end(session: Session) -> None:
    """Close a session at the end of the process."""
    session.shutdown(0.0 if no_time_is_left() else SHUTDOWN_TIMEOUT)


def get_session(settings: Settings, stage_prefix: str, session_id: str = "") -> Session:
    """Return the session for a partition; make one unless its gateway and system have one.

    Args:
        settings: the partition's settings.
        stage_prefix: absolute path of the directory that contains ReFrame's stage directories.
        session_id: ReFrame's id of its session; empty if unknown.
    """
    key = (*settings.session_key, stage_prefix)
    if key not in _sessions:
        real = os.path.realpath(stage_prefix)
        paths = PathMap(
            local=stage_prefix,
            remote=f"{settings.basedir}/{settings.namespace}/{run_name()}",
            aliases=(real,) if real != stage_prefix else (),
            present=tuple((local, remote) for local, remote in settings.mappings.items() if remote),
            sent=tuple(local for local, remote in settings.mappings.items() if not remote),
            sources=LocalSources(
                send=settings.sends_named_files, elsewhere=(stage_prefix, real, *settings.mappings)
            ),
        )
        journal = open_journal(settings, paths, run_name(), session_id)
        _sessions[key] = session = Session(settings, paths, reactor(), connect, journal)
        atexit.register(_end, session)
        count_interrupts()
    return _sessions[key]
