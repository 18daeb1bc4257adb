"""`reframe-firecrest sandbox`."""

from __future__ import annotations

import contextvars
import functools
import os
import signal
import stat
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from firecrest_sandbox import extra
from firecrest_sandbox.cli import main
from firecrest_sandbox.foreground import StopRequest, run_around
from reframe_firecrest.cli.main import app

RUN = [sys.executable, "-c", "from reframe_firecrest.cli.main import main; main()", "sandbox"]
GATEWAY_VARIABLES = ("FIRECREST_CLIENT_ID", "FIRECREST_CLIENT_SECRET", "FIRECREST_API_KEY")


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GATEWAY_VARIABLES:
        monkeypatch.delenv(name, raising=False)


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*RUN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def first_lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip() for _ in range(count)]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_told_to_stop(signum: signal.Signals) -> None:
    process = start()
    lines = first_lines(process, 9)
    variables = dict(line.removeprefix("export ").split("=", 1) for line in lines[1:])
    assert list(variables) == [
        "FIRECREST_URL",
        "FIRECREST_AUTH",
        "AUTH_TOKEN_URL",
        "FIRECREST_CLIENT_ID",
        "FIRECREST_CLIENT_SECRET",
        "FIRECREST_API_KEY",
        "FIRECREST_SYSTEM",
        "FIRECREST_BASEDIR",
    ]
    key = {"X-API-Key": variables["FIRECREST_API_KEY"]}
    url = variables["FIRECREST_URL"] + "/status/liveness/"
    assert httpx.get(url, headers=key, trust_env=False).status_code == 200
    assert Path(variables["FIRECREST_BASEDIR"]).is_dir()
    process.send_signal(signum)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    assert not Path(variables["FIRECREST_BASEDIR"]).exists()


def test_the_variables_go_to_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.env"
    file.write_text("old")
    file.chmod(0o644)
    process = start("--env-file", str(file), "--system", "mine", "--root", str(tmp_path / "root"))
    [line] = first_lines(process, 1)
    assert str(file) in line
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "export FIRECREST_SYSTEM=mine\n" in file.read_text()
    assert "FIRECREST_CLIENT_SECRET" not in line
    process.terminate()
    process.communicate(timeout=20)
    assert (tmp_path / "root").is_dir()


def test_a_secret_from_the_environment_is_used_but_not_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FIRECREST_CLIENT_ID", "me")
    monkeypatch.setenv("FIRECREST_CLIENT_SECRET", "from-elsewhere")
    monkeypatch.setenv("FIRECREST_API_KEY", "from-elsewhere")
    process = start()
    lines = first_lines(process, 7)
    process.terminate()
    out, err = process.communicate(timeout=20)
    assert "export FIRECREST_CLIENT_ID=me" in lines
    assert "from-elsewhere" not in "\n".join([*lines, out, err])


def test_a_command_gets_the_variables_and_its_code_is_returned() -> None:
    script = (
        "import os, sys, urllib.request as r;"
        "key = {'X-API-Key': os.environ['FIRECREST_API_KEY']};"
        "request = r.Request(os.environ['FIRECREST_URL'] + '/status/liveness/', headers=key);"
        "r.build_opener(r.ProxyHandler({})).open(request);"
        "print(os.environ['FIRECREST_SYSTEM'], os.environ['FIRECREST_BASEDIR']); sys.exit(7)"
    )
    done = subprocess.run(
        [*RUN, "--nodes", "1", "--", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    system, basedir = done.stdout.split()
    assert (done.returncode, system, done.stderr) == (7, "sandbox", "")
    assert not Path(basedir).exists()


def test_a_signal_reaches_the_command(tmp_path: Path) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    process = start("--", "bash", "-c", f"trap 'exit 9' TERM; echo > {started}; while :; do sleep .1; done")
    started.read_text()
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], ["--host", "loopback"]),
        (["--nodes", "0"], ["--nodes", "greater"]),
        (["--runner", "pbs"], ["--runner", "embedded"]),
        (["--faults", "/nowhere.json"], ["/nowhere.json", "No such file"]),
        (["--root", "/proc/nowhere"], ["/proc/nowhere"]),
        (["--env-file", "/nowhere/env"], ["--env-file /nowhere/env can't be written"]),
        (["--", "/nowhere/command"], ["/nowhere/command", "No such file"]),
    ],
)
def test_bad_input_is_one_clear_line(arguments: list[str], words: list[str]) -> None:
    result = CliRunner().invoke(app, ["sandbox", *arguments])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert all(word in result.stderr for word in words), result.stderr


def test_bad_faults_are_explained(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    for text in ("not json", '[{"path": "("}]', '{"a": 1}'):
        file.write_text(text)
        result = CliRunner().invoke(app, ["sandbox", "--faults", str(file)])
        assert result.exit_code == 2
        assert str(file) in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_a_port_in_use_is_explained() -> None:
    process = start()
    url = first_lines(process, 2)[1]
    result = CliRunner().invoke(app, ["sandbox", "--port", url.rsplit(":", 1)[1]])
    process.terminate()
    process.communicate(timeout=20)
    assert result.exit_code == 2
    assert "Address already in use" in result.stderr


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "MODULES", ("no_such_module",))
    result = CliRunner().invoke(app, ["sandbox"])
    assert result.exit_code == 2
    assert "pip install 'reframe-firecrest[sandbox]'" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_slurm_that_is_not_there_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = CliRunner().invoke(app, ["sandbox", "--runner", "slurm"])
    assert result.exit_code == 2
    assert "Slurm does not answer" in result.stderr


def test_a_command_is_not_run_after_a_request_to_stop(tmp_path: Path) -> None:
    stop = StopRequest()
    stop.set()
    code = run_around(["touch", str(tmp_path / "ran")], {}, stop)
    assert code == 128 + signal.SIGTERM
    assert not (tmp_path / "ran").exists()


def _stop(request: StopRequest, _signum: int, _frame: object) -> None:
    request.set()


def test_a_signal_that_comes_while_the_wait_begins_is_heard() -> None:
    previous = signal.getsignal(signal.SIGALRM)
    try:
        for _ in range(200):
            stop = StopRequest()
            signal.signal(signal.SIGALRM, functools.partial(_stop, stop))
            # Microseconds: about as long as it takes to begin to wait.
            signal.setitimer(signal.ITIMER_REAL, 5e-6)
            stop.wait()
    finally:
        signal.signal(signal.SIGALRM, previous)


def test_a_generation_of_the_api_and_the_delays_of_v1_can_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRECREST_API_KEY", "known-before")
    options = ("--api", "v1", "--one-worker", "--accounting-delay", "1.5", "--transfer-poll", "10")
    process = start("--env-file", str(tmp_path / "env"), *options)
    url = first_lines(process, 1)[0].split()[2]
    refused = httpx.get(url + "/status/parameters", trust_env=False)
    key = {"X-API-Key": "known-before"}
    missing = httpx.get(url + "/status/liveness/", headers=key, trust_env=False)
    process.terminate()
    process.communicate(timeout=20)
    assert refused.json() == {"description": "No Auth Header given"}
    assert missing.status_code == 404


def test_another_generation_of_the_api_is_refused() -> None:
    result = CliRunner().invoke(app, ["sandbox", "--api", "v3"])
    assert result.exit_code == 2
    assert "--api: Input should be 'both', 'v1' or 'v2'" in result.output


def test_the_sites_configuration_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRECREST_API_KEY", "known-before")
    options = ("--transfers", "wormhole", "--direct-limit", "65536", "--require-account", "--history", "3")
    process = start("--env-file", str(tmp_path / "env"), "--connection", "hybrid", *options)
    url = first_lines(process, 1)[0].split()[2]
    answer = httpx.get(url + "/status/systems", headers={"X-API-Key": "known-before"}, trust_env=False)
    process.terminate()
    process.communicate(timeout=20)
    [system] = answer.json()["systems"]
    assert system["scheduler"]["connectionMode"] == "hybrid"
    data = system["dataOperation"]
    assert data["max_ops_file_size"] == 65536
    assert data["data_transfer"]["serviceType"] == "wormhole"
    assert "{account}" in str(data["datatransfer_jobs_directives"])


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--transfers", "ftp", "--transfers: Input should be 's3', 'streamer', 'wormhole' or 'none'"),
        ("--connection", "ftp", "--connection: Input should be 'ssh', 'rest' or 'hybrid'"),
        ("--scheduler", "lsf", "--scheduler: Input should be 'slurm' or 'pbs'"),
        ("--history", "-1", "--history: Input should be greater than or equal to 0"),
        ("--direct-limit", "0", "--direct-limit: Input should be greater than 0"),
    ],
)
def test_a_wrong_configuration_is_refused(option: str, value: str, message: str) -> None:
    result = CliRunner().invoke(app, ["sandbox", option, value])
    assert result.exit_code == 2
    assert message in result.output


def test_an_impossible_combination_is_refused_without_an_empty_option() -> None:
    result = CliRunner().invoke(app, ["sandbox", "--scheduler", "pbs", "--connection", "rest"])
    assert result.exit_code == 2
    assert "sandbox: with scheduler pbs, the connection is ssh" in result.output


def run_alone(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    """Run `firecrest-sandbox`; return its exit code and what it prints."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["firecrest-sandbox", *arguments])
        with pytest.raises(SystemExit) as exit_info:
            contextvars.copy_context().run(main)
    printed = capsys.readouterr()
    return exit_info.value.code, printed.out, printed.err


def test_the_server_alone_reports_wrong_options_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("--nosuch",), ("--port", "many"), ("--port",), ("--nodes", "0")):
        code, out, err = run_alone(capsys, *arguments)
        assert (code, out, len(err.splitlines())) == (2, "", 1), err
        assert err.startswith("firecrest-sandbox: ")
        assert arguments[0] in err


def test_the_server_alone_has_a_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_alone(capsys, "--version")
    expected = f"firecrest-sandbox {version('reframe-firecrest')} (FirecREST 2.6.0 and 1.16.6)\n"
    assert (code or 0, out) == (0, expected)
    code, out, _ = run_alone(capsys, "--help")
    assert (code or 0) == 0
    assert "firecrest-sandbox [OPTIONS] [COMMAND]" in out
