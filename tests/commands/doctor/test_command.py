"""`reframe-firecrest doctor` at the terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from firecrest_sandbox import FaultKind, FaultRule, Sandbox, SandboxConfig
from reframe_firecrest.cli.main import app
from reframe_firecrest.commands.doctor import timing
from reframe_firecrest.commands.doctor.checklist import CHECKS
from tests.commands.detect.test_command import finish, settings, start, write_site
from tests.conftest import PROJECT, GatewayUnderTest

NAMES = [check.name for check in CHECKS]


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave neither variables nor the handler of SIGTERM behind, and find none."""
    for name in os.environ:
        if name.startswith(("FIRECREST_", "AUTH_")):
            monkeypatch.delenv(name)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(nodes=1, system="sandbox")) as running:
        yield running


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address without a listening server."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def doctor(variables: Mapping[str, str], *options: str) -> Result:
    # The user's environment may have set a width.
    environment: dict[str, str | None] = {"COLUMNS": None, **variables}
    return CliRunner().invoke(app, ["doctor", *options], env=environment, catch_exceptions=False)


def statuses(done: Result) -> dict[str, str]:
    [system] = json.loads(done.stdout)["systems"]
    return {check["check"]: check["status"] for check in system["checks"]}


def check_of(done: Result, name: str) -> dict[str, Any]:
    [system] = json.loads(done.stdout)["systems"]
    [found] = [check for check in system["checks"] if check["check"] == name]
    assert isinstance(found, dict)
    return found


class TestWithoutAGateway:
    def test_missing_settings_are_a_line_and_the_rest_is_skipped(self) -> None:
        done = doctor({})
        assert done.exit_code == 2
        report, others = done.stdout.split("\nskip", 1)
        line = " ".join(report.split())
        assert line.startswith("FAIL settings 6 settings are missing: 'url', ")
        assert "-> export FIRECREST_URL=... " in line
        assert "FIRECREST_CLIENT_SECRET_FILE=..." in line
        assert [line.rstrip() for line in f"skip{others}".splitlines()] == [
            f"skip  {name:14}  needs: settings" for name in NAMES[1:]
        ]

    def test_json_reports_the_same(self) -> None:
        done = doctor({}, "--json")
        assert done.exit_code == 2
        assert json.loads(done.stdout)["healthy"] is False
        assert list(statuses(done).items()) == [
            ("settings", "red"),
            *((name, "skipped") for name in NAMES[1:]),
        ]

    def test_a_configuration_that_cannot_be_used_is_named(self, tmp_path: Path) -> None:
        done = doctor({}, "--config", str(tmp_path / "gone.py"), "--json")
        assert done.exit_code == 2
        assert "gone.py can't be used" in check_of(done, "settings")["detail"]

    def test_a_system_without_a_configuration_is_refused(self) -> None:
        done = doctor({}, "--system", "mine")
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.splitlines() == [
            "reframe-firecrest doctor: --system requires --config; without it, set FIRECREST_SYSTEM"
        ]

    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
    def test_it_can_be_stopped(self, how: signal.Signals, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.settimeout(60)
            variables = settings(f"http://127.0.0.1:{silent.getsockname()[1]}")
            process = start(tmp_path, "reframe_firecrest.cli.main", "doctor", variables=variables)
            with silent.accept()[0]:
                process.send_signal(how)
                done = finish(process)
        assert done.returncode == 130
        assert "Traceback" not in done.stderr

    def test_help_shows_how_it_is_used_and_what_the_exit_codes_mean(self) -> None:
        done = doctor({"COLUMNS": "100"}, "--help")
        assert "reframe-firecrest doctor --config mysite.py --system mysite" in done.stdout
        assert "0 no check failed; there may be warnings" in done.stdout

    def test_the_documentation_shows_all_lines_and_five_ways_to_be_broken(self) -> None:
        """The tests of the documentation compare the sample output with the actual one."""
        text = (PROJECT / "docs/doctor.md").read_text()
        screens = [block for block in text.split("```")[1::2] if block.startswith("text\n")]
        failed = [re.findall(r"^FAIL +([a-z]+(?: [a-z]+)?)  ", screen, re.MULTILINE) for screen in screens]
        assert failed == [[], ["base directory"], ["token"], ["gateway"], ["system"], ["account"]]
        lines = re.findall(r"^ok +([a-z]+(?: [a-z]+)?)  ", screens[0], re.MULTILINE)
        assert lines[: len(NAMES)] == NAMES


@pytest.mark.e2e
class TestThroughAGateway:
    def test_a_healthy_one_is_found_healthy_and_nothing_is_left(self, gateway: GatewayUnderTest) -> None:
        done = doctor(gateway.variables, "--job", "--transfer", "--timeout", "120", "--json")
        assert done.exit_code == 0, done.stdout
        found = statuses(done)
        assert list(found) == [*NAMES, "transfer", "job"]
        # Another machine's gateway may be far away, or reached without TLS.
        usable = {"green"} if gateway.embedded else {"green", "yellow"}
        assert set(found.values()) <= usable
        for name in ("FIRECREST_CLIENT_SECRET", "FIRECREST_API_KEY"):
            assert gateway.variables.get(name, "?" * 9) not in done.stdout
        if gateway.embedded:
            assert not list(Path(gateway.variables["FIRECREST_BASEDIR"]).glob(".reframe-firecrest-doctor-*"))

    def test_no_job_is_submitted_unasked(self, sandbox: Sandbox) -> None:
        before = sandbox.stats().by_shape
        assert doctor(sandbox.environment()).exit_code == 0
        more = {shape for shape, count in sandbox.stats().by_shape.items() if count > before.get(shape, 0)}
        assert not [shape for shape in more if "/jobs" in shape or "/transfer/" in shape], more

    def test_partitions_of_a_configuration_are_named(self, sandbox: Sandbox, tmp_path: Path) -> None:
        file = write_site(tmp_path, good=["--partition=normal"], bad=["--partition=nosuch"])
        done = doctor(sandbox.environment(), "--config", str(file), "--system", "mine", "--job")
        assert done.exit_code == 1
        first, *lines = done.stdout.splitlines()
        assert first == "mine:good, mine:bad"
        assert any(re.match("ok +job mine:good +job 1 ran on nid001", line) for line in lines)
        assert any(re.match("FAIL +job mine:bad .*nvalid partition", line) for line in lines)

    @pytest.mark.parametrize(
        ("variables", "failed", "said"),
        [
            ({"FIRECREST_CLIENT_SECRET": "wr0ng-secret"}, "token", ("refuses client", "CLIENT_SECRET")),
            (
                {"FIRECREST_ACCOUNT": "proj99"},
                "account",
                ("is not yours; yours: sandbox", "FIRECREST_ACCOUNT"),
            ),
            ({"FIRECREST_SYSTEM": "nosuch"}, "system", ("it has: sandbox", "check FIRECREST_SYSTEM")),
            ({"FIRECREST_BASEDIR": "/usr/nosuch"}, "base directory", ("does not match", "file systems: /")),
            ({"FIRECREST_URL": "nobody"}, "gateway", ("can't be reached", "check FIRECREST_URL")),
            ({"AUTH_TOKEN_URL": "nobody"}, "token", ("can't be reached", "check AUTH_TOKEN_URL")),
        ],
    )
    def test_what_is_broken_is_reported(
        self,
        sandbox: Sandbox,
        nobody: str,
        variables: dict[str, str],
        failed: str,
        said: tuple[str, str],
    ) -> None:
        given = {name: nobody if value == "nobody" else value for name, value in variables.items()}
        done = doctor({**sandbox.environment(), **given}, "--json")
        assert done.exit_code == 1
        red = [name for name, status in statuses(done).items() if status == "red"]
        assert red == [failed]
        found = check_of(done, failed)
        assert said[0] in found["detail"]
        assert said[1] in found["remedy"]
        assert "wr0ng-secret" not in done.stdout + done.stderr

    def test_a_base_directory_that_is_not_ours_is_reported(self, sandbox: Sandbox) -> None:
        sandbox.faults.add(FaultRule(path="/ops/mkdir$", kind=FaultKind.STATUS, status=403))
        done = doctor(sandbox.environment(), "--json")
        assert done.exit_code == 1
        assert statuses(done)["base directory"] == "red"
        assert "that you can write to" in check_of(done, "base directory")["remedy"]

    def test_a_slow_gateway_is_a_warning(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(timing, "SLOW", 0.09)
        with Sandbox(SandboxConfig(latency=0.1)) as slow:
            done = doctor(slow.environment(), "--json")
        assert done.exit_code == 0
        assert [name for name, status in statuses(done).items() if status != "green"] == ["latency"]
        assert check_of(done, "latency")["status"] == "yellow"
