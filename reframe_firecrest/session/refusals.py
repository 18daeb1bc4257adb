"""Explanations of refused submissions: where a refused value comes from, and how to change it."""

from __future__ import annotations

import logging
import re

from reframe_firecrest.gateway.protocol import Gateway
from reframe_firecrest.model import errors
from reframe_firecrest.model.limitations import PLACES_OF_ACCOUNT
from reframe_firecrest.model.suggestion import did_you_mean

_LOGGER = logging.getLogger(__name__)

# Slurm's messages; see `gateway.http.slurm_messages`.
_ACCOUNT = re.compile(r"invalid account", re.IGNORECASE)
_QOS = re.compile(r"invalid qos", re.IGNORECASE)
_PARTITION = re.compile(r"invalid partition", re.IGNORECASE)
_LIMIT = re.compile(r"(?:QOS|Assoc)(?:Grp|Max)\w*Submit\w*")


async def explain_refusal(
    gateway: Gateway, error: errors.RejectedError, of_settings: str | None, of_script: str | None
) -> errors.RejectedError:
    """Return the error of a refused submission with the origin of what was refused and the remedy.

    Args:
        gateway: the gateway, which is asked for the user's accounts.
        error: the error.
        of_settings: account of the settings that was sent with the submission; None if none was sent.
        of_script: account that the job script or its options name, empty if it is unknown; None for none.
    """
    text = str(error)
    if _ACCOUNT.search(text):
        origin = _origin(of_settings, of_script)
        return errors.RejectedError(
            f"{text}; {origin}; {await _accounts(gateway, of_settings or of_script)}{PLACES_OF_ACCOUNT}"
        )
    if _QOS.search(text):
        return errors.RejectedError(
            f"{text}; the QOS is from --qos in the access options of the partition or in the test's job "
            "options, or is Slurm's default; correct it there"
        )
    if _PARTITION.search(text):
        return errors.RejectedError(
            f"{text}; the partition is from --partition in the access options of the partition or in the "
            "test's job options; correct it there (sinfo -s lists those of the system)"
        )
    if _LIMIT.search(text):
        return errors.RejectedError(
            f"{text}; to submit again when the queue is shorter, set 'resubmit_on_errors' in the partition's "
            "sched_options, or lower its 'max_jobs'"
        )
    return error


def _origin(of_settings: str | None, of_script: str | None) -> str:
    if of_settings:
        return f"account {of_settings!r} is from FIRECREST_ACCOUNT or the setting 'account'"
    if of_script is not None:
        name = f"account {of_script!r}" if of_script else "the account"
        return f"{name} is from the access options or the test's job options"
    return "no account is set, so Slurm's default was used"


async def _accounts(gateway: Gateway, name: str | None) -> str:
    """Return a clause with the user's accounts; empty if the gateway does not report them.

    Args:
        gateway: the gateway.
        name: the refused account, empty or None if it is unknown.
    """
    try:
        names = sorted(account.name for account in await gateway.accounts())
    except errors.GatewayError as error:
        _LOGGER.debug("the accounts of a refused submission are unknown: %s", error)
        return ""
    return f"yours: {', '.join(names)}{did_you_mean(name or '', names)}; " if names else ""
