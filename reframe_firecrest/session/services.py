"""Services of a connected session, and the check of the system when it connects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass

from reframe_firecrest.gateway.protocol import Gateway, GatewayConnection
from reframe_firecrest.model import errors
from reframe_firecrest.model.job import JobHandle
from reframe_firecrest.model.limitations import scripts_without_directives
from reframe_firecrest.model.system import SystemInfo
from reframe_firecrest.session.cancel_queue import CancelQueue
from reframe_firecrest.session.context import SessionContext, claims_directory
from reframe_firecrest.session.duplicates import Duplicates
from reframe_firecrest.session.reactor import Reactor
from reframe_firecrest.session.remote_cleanup import RemoteCleanup
from reframe_firecrest.session.session_record import SessionRecord
from reframe_firecrest.session.split_download import SplitDownload
from reframe_firecrest.session.stage_directory import StageDirectories
from reframe_firecrest.session.stage_in import StageIn
from reframe_firecrest.session.stage_out import StageOut
from reframe_firecrest.session.submission import Submitter
from reframe_firecrest.session.transfer_account import TransferAccount
from reframe_firecrest.session.watcher import Watcher
from reframe_firecrest.settings import Settings
from reframe_firecrest.staging.paths import PathMap

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """Services that the jobs of a connected session share.

    Attributes:
        context: gateway, paths and record.
        settings: the partition's settings.
        directories: the session's stage directories.
        stage_in: sends stage directories.
        submitter: submits jobs.
        watcher: follows jobs.
        stage_out: lists and fetches results.
        cancel_queue: cancels jobs.
        duplicates: cancels what uncertain submissions have left.
        remote_cleanup: removes remote directories.
        transfer_account: chooses the account of the gateway's transfer jobs.
    """

    context: SessionContext
    settings: Settings
    directories: StageDirectories
    stage_in: StageIn
    submitter: Submitter
    watcher: Watcher
    stage_out: StageOut
    cancel_queue: CancelQueue
    duplicates: Duplicates
    remote_cleanup: RemoteCleanup
    transfer_account: TransferAccount


def make_services(
    context: SessionContext, settings: Settings, reactor: Reactor, running: Collection[JobHandle]
) -> Services:
    """Make the services of a connected session.

    Args:
        context: gateway, paths and record.
        settings: the partition's settings.
        reactor: the event loop.
        running: the jobs that have not ended.
    """
    gateway = context.gateway
    directories = StageDirectories(context.paths)
    cancel_queue = CancelQueue(gateway, reactor)
    watcher = Watcher(gateway, settings, reactor, lambda: len(running))
    gateway.follow_jobs_with(watcher)
    submitter = Submitter(gateway, settings.retry_timeout)
    duplicates = Duplicates(gateway, context.claims, cancel_queue)
    split = SplitDownload(context, submitter, watcher, duplicates, cancel_queue)
    return Services(
        context,
        settings,
        directories,
        StageIn(context, directories, running, settings.direct_upload_max),
        submitter,
        watcher,
        StageOut(context, split),
        cancel_queue,
        duplicates,
        RemoteCleanup(context, reactor),
        TransferAccount(gateway, context.system.capabilities),
    )


async def open_system(
    connection: GatewayConnection, paths: PathMap, settings: Settings, record: SessionRecord
) -> tuple[Gateway, SystemInfo]:
    """Open the gateway, check the system and create the run's directory, all in one round trip.

    Raises:
        GatewayError: the gateway, the credentials, the system or the base directory can't be used.
    """
    record.prepared("asked")
    expected, claims = connection.expected_gateway(), claims_directory(paths)
    creating = asyncio.ensure_future(expected.make_directory(claims))
    try:
        gateway = await connection.open_gateway()
        if gateway is not expected:
            # The request was not one of this version of the API.
            creating.cancel()
            creating = asyncio.ensure_future(gateway.make_directory(claims))
        system = await gateway.connect()
    except asyncio.CancelledError:
        creating.cancel()
        raise
    except BaseException:
        # It is the cause of the other error, too.
        _record_creation(record, *await asyncio.gather(creating, return_exceptions=True))
        raise
    [created] = await asyncio.gather(creating, return_exceptions=True)
    _record_creation(record, created)
    if isinstance(created, (errors.ForbiddenError, errors.RejectedError, errors.NotFoundError)):
        raise errors.ForbiddenError(
            f"the base directory {settings.basedir} can't be written on {settings.system!r} ({created}); "
            "check FIRECREST_BASEDIR"
        )
    if isinstance(created, BaseException):
        raise created
    if limitation := scripts_without_directives(system.capabilities):
        _LOGGER.warning("%r: %s", settings.system, limitation)
    return gateway, system


def _record_creation(record: SessionRecord, created: BaseException | None) -> None:
    if created is None:
        record.prepared("made")
    elif _proves_nothing_created(created):
        record.prepared("refused")


def _proves_nothing_created(error: BaseException) -> bool:
    """Return true if an error of a request to create something proves that nothing was created."""
    return isinstance(error, errors.TransientError) or (
        isinstance(error, errors.FinalError) and not isinstance(error, errors.OperationTimeoutError)
    )
