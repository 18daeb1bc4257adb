"""Which session serves which partition: one per gateway and system in a process."""

from __future__ import annotations

import atexit
import logging
import os
import sys

from reframe_firecrest.gateway.factory import FirecrestConnection
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.protocol import GatewayConnection
from reframe_firecrest.model.run_names import new_name
from reframe_firecrest.plugin.reframe_log import log_messages
from reframe_firecrest.session import log_queue
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.session.session import EXIT_PATIENCE, Session
from reframe_firecrest.session.signals import count_interrupts, no_time_is_left
from reframe_firecrest.settings import Settings
from reframe_firecrest.staging.paths import PathMap

_sessions: dict[tuple[object, ...], Session] = {}
_run: list[str] = []


def run_name() -> str:
    """Return the name of this run: the same for the whole process, different for any other."""
    if not _run:
        _run.append(new_name())
    return _run[0]


def connect(settings: Settings, retry_policy: RetryPolicy | None = None) -> GatewayConnection:
    """Make the connection to a gateway; no request is sent yet.

    Args:
        settings: the gateway's address, the credentials and the system.
        retry_policy: by default as the settings say.
    """
    usual = RetryPolicy(outage=settings.retry_timeout, refused=settings.auth_retry_timeout)
    return FirecrestConnection(settings, retry_policy or usual)


def _end(session: Session) -> None:
    """Close a session at the end of the process; what it has to warn of then goes to standard error."""
    session.shutdown(0.0 if no_time_is_left() else EXIT_PATIENCE)
    for level, text in session.take_messages():
        if level >= logging.WARNING:
            print(f"reframe-firecrest: {text}", file=sys.stderr)
        else:
            log_messages([(level, text)])


def get_session(settings: Settings, stage_prefix: str) -> Session:
    """Return the session for a partition, a new one if none of its kind is there.

    Args:
        settings: the partition's.
        stage_prefix: below which ReFrame's stage directories lie, absolute.
    """
    key = (*settings.session_key, stage_prefix)
    if key not in _sessions:
        real = os.path.realpath(stage_prefix)
        paths = PathMap(
            local=stage_prefix,
            remote=f"{settings.basedir}/{settings.namespace}/{run_name()}",
            aliases=(real,) if real != stage_prefix else (),
            present=tuple((local, remote) for local, remote in settings.path_map.items() if remote),
            sent=tuple(local for local, remote in settings.path_map.items() if not remote),
        )
        _sessions[key] = session = Session(settings, paths, reactor(), connect, run_name())
        log_queue.start()
        atexit.register(_end, session)
        count_interrupts()
    return _sessions[key]
