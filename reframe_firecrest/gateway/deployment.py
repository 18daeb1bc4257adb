"""State of one system's gateway that the sections of its API share."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from reframe_firecrest.model import errors
from reframe_firecrest.model.capabilities import Capabilities, ConnectionMode, TransferMethod
from reframe_firecrest.model.limitations import (
    NO_ACCOUNT,
    PLACES_OF_ACCOUNT,
    WITHOUT_STORAGE,
    missing_account,
    unusable_scheduler,
)
from reframe_firecrest.model.units import format_size

_ACCOUNT_DEMANDED = re.compile("Account parameter is required")
"""FirecREST v2's refusal of a transfer without an account. Source: its ``_format_directives``."""


@dataclass
class Deployment:
    """One system behind a gateway. The defaults apply until the gateway has been queried.

    Attributes:
        system: the system's name.
        where: the gateway and system, as the user knows them.
        account: account to charge for transfer jobs; None if none is known.
        capabilities: what the gateway can do.
    """

    system: str
    where: str
    account: str | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)

    def learn(self, capabilities: Capabilities) -> None:
        """Note what the gateway can do.

        Raises:
            RejectedError: no job can run there.
        """
        self.capabilities = capabilities
        if unusable := unusable_scheduler(capabilities):
            raise errors.RejectedError(f"{self.where} can't be used: {unusable}")

    def submits_by_slurmrestd(self) -> None:
        """Note that the gateway has refused to submit a path."""
        self.capabilities = replace(self.capabilities, connection_mode=ConnectionMode.REST)

    def too_much_output(self, what: str, error: errors.TooLargeError) -> errors.TooLargeError:
        """Return the error of a command whose output is too long for the gateway, with the remedy.

        Args:
            what: name of the operation.
            error: of the gateway, or of this side's own limit, which stays as it is.
        """
        limit = self.capabilities.max_command_output
        if isinstance(error, errors.LimitExceededError) or limit is None:
            return error
        return errors.TooLargeError(
            f"{what} on {self.where} failed: the answer is longer than the gateway allows, "
            f"{format_size(limit)}; ask the site for a larger max_ops_file_size, or use fewer files in a "
            "directory and fewer tasks in an array",
            status=error.status,
        )

    def charge(self, account: str) -> None:
        """Charge transfer jobs to an account unless one is known."""
        self.account = self.account or account

    def account_parameter(self, what: str) -> dict[str, object]:
        """Return the parameter for the account of a transfer job.

        Args:
            what: name of the operation, for messages.

        Raises:
            RejectedError: the gateway needs an account, and none is known.
        """
        if missing_account(self.capabilities, self.account):
            raise self._without_account(what)
        return {"account": self.account} if self.account else {}

    def explain(self, what: str, error: errors.GatewayError) -> errors.GatewayError:
        """Return the error of a transfer, with the remedy if it lacks an account."""
        return self._without_account(what) if _ACCOUNT_DEMANDED.search(str(error)) else error

    def require_storage(self, what: str, size: int, limit: int) -> None:
        """Check that files can be transferred through S3.

        The gateway's `streamer` is not used: with firecrest-streamer 0.0.21, files arrive 98 bytes too long.
        `wormhole` needs another program here and on the system.

        Args:
            what: name of the operation, for messages.
            size: bytes of the file.
            limit: bytes up to which the gateway transfers files directly.

        Raises:
            TooLargeError: there is no S3.
        """
        if self.capabilities.transfer is not TransferMethod.S3:
            raise errors.TooLargeError(
                f"{what} of {format_size(size)} on {self.where} failed: the limit of a direct transfer is "
                f"{format_size(limit)}, and the gateway has no S3 (its transfer method: "
                f"{self.capabilities.reported_transfer}); {WITHOUT_STORAGE}"
            )

    def _without_account(self, what: str) -> errors.RejectedError:
        return errors.RejectedError(f"{what} on {self.where} failed: {NO_ACCOUNT}; {PLACES_OF_ACCOUNT}")
