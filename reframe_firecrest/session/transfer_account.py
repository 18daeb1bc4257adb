"""Account of the gateway's transfer jobs, from the settings or from the jobs of a session."""

from __future__ import annotations

import logging

from reframe_firecrest.gateway.protocol import JobGateway
from reframe_firecrest.model.capabilities import Capabilities
from reframe_firecrest.model.limitations import missing_account

_LOGGER = logging.getLogger(__name__)


class TransferAccount:
    """Give the gateway the first account that is known; warn once if it needs one and none is known.

    Args:
        gateway: charges its transfer jobs to the account.
        capabilities: show whether an account is needed.
    """

    def __init__(self, gateway: JobGateway, capabilities: Capabilities) -> None:
        self._gateway = gateway
        self._capabilities = capabilities
        self._settled = False
        self._warned = False

    def note(self, account: str | None) -> None:
        """Note the account of a job that is about to be staged.

        Args:
            account: from the settings or from the job's script; None if neither names one.
        """
        if self._settled:
            return
        if account:
            self._gateway.charge_transfers_to(account)
            self._settled = True
        elif not self._warned and (limitation := missing_account(self._capabilities, account)):
            _LOGGER.warning("large outputs can't be fetched: %s", limitation)
            self._warned = True
