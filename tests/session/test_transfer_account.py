"""The account of transfer jobs, and what a session reports about a deployment."""

from __future__ import annotations

from reframe_firecrest.model.capabilities import Capabilities, ConnectionMode
from reframe_firecrest.model.errors import TooLargeError
from reframe_firecrest.model.job import JobSpec, Phase
from reframe_firecrest.model.job_shape import JobShape
from reframe_firecrest.model.limitations import NO_ACCOUNT, PLACES_OF_ACCOUNT
from reframe_firecrest.session.transfer_account import TransferAccount
from tests.session.conftest import Stage, eventually
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
    assert found == [f"large outputs can't be fetched: {NO_ACCOUNT}; {PLACES_OF_ACCOUNT}"]


def test_an_array_is_refused_where_its_parts_cannot_be_distinguished(stage: Stage) -> None:
    stage.gateway.capabilities = Capabilities(connection_mode=ConnectionMode.HYBRID)
    spec = JobSpec("rfm_a", str(stage.directory("a")), "job.sh", (), shape=JobShape(frozenset({0, 1})))
    handle = stage.session.submit(spec)
    eventually(lambda: handle.state.phase is Phase.FAILED)
    assert "arrays and heterogeneous jobs" in str(handle.state.error)
    assert "ask the site for connection_mode: ssh" in str(handle.state.error)
    assert not stage.gateway.calls["submit"]


def test_a_job_whose_answer_is_too_long_fails_at_once(stage: Stage) -> None:
    stage.gateway.unlistable = True
    job = stage.submit("a")
    [job_id] = stage.submitted(job)
    stage.gateway.trouble[job_id] = TooLargeError("longer than the gateway allows")
    eventually(lambda: job.state.phase is Phase.FAILED)
    assert "longer than the gateway allows" in str(job.state.error)


def test_ignored_directives_are_reported_once(stage: Stage) -> None:
    stage.gateway.capabilities = Capabilities(connection_mode=ConnectionMode.REST)
    stage.submitted(stage.submit("a"), stage.submit("b"))
    found = [text for _, text in stage.said() if text.startswith("'fake': ")]
    assert len(found) == 1
    assert "ignores #SBATCH directives" in found[0]
