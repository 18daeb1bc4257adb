"""The account of transfer jobs, and what a session reports about a deployment."""

from __future__ import annotations

from dataclasses import replace

from reframe_firecrest.model.capabilities import Capabilities, ConnectionMode, TransferMethod
from reframe_firecrest.model.limitations import NO_ACCOUNT, PLACES_OF_ACCOUNT
from reframe_firecrest.session.transfer_account import TransferAccount
from tests.session.conftest import Stage
from tests.session.fakes import FakeGateway

DEMANDING = Capabilities(transfer_directives=("#SBATCH --account={account}",))


def test_the_first_known_account_is_charged() -> None:
    gateway = FakeGateway()
    accounts = TransferAccount(gateway, Capabilities())
    for account in (None, "staff", "users"):
        accounts.note(account)
    assert gateway.charged == ["staff"]


def test_a_missing_account_is_reported_once_before_a_transfer_needs_it(stage: Stage) -> None:
    stage.gateway.capabilities = DEMANDING
    stage.submitted(stage.submit("a"), stage.submit("b"))
    found = [text for _, text in stage.said() if NO_ACCOUNT in text]
    assert found == [f"large files can't be transferred: {NO_ACCOUNT}; {PLACES_OF_ACCOUNT}"]


def test_limitations_of_a_deployment_are_reported_once(stage: Stage) -> None:
    stage.gateway.capabilities = replace(
        Capabilities(TransferMethod.NONE, "streamer"), connection_mode=ConnectionMode.REST
    )
    stage.submitted(stage.submit("a"), stage.submit("b"))
    found = [text for _, text in stage.said() if text.startswith("'fake': ")]
    assert len(found) == 2
    assert "only the transfer method 'streamer'" in found[0]
    assert "ignores #SBATCH directives" in found[1]
