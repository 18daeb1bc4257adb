"""`reframe-firecrest detect` at the terminal."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import PROJECT, GatewayUnderTest

CHECK = PROJECT / "checks/hello.py"

SITE = """
import reframe_firecrest

site_configuration = {{
    "systems": [
        {{
            "name": "mine",
            "hostnames": [".*"],
            "partitions": [
                {{
                    "name": name,
                    "scheduler": "firecrest-scheduler",
                    "launcher": "firecrest-srun",
                    "access": access,
                    "environs": ["builtin"],
                    "features": ["remote"],
                }}
                for name, access in {partitions!r}.items()
            ],
        }},
    ],
    "environments": [{{"name": "builtin", "cc": "gcc", "cxx": "", "ftn": ""}}],
    "general": [{{"topology_prefix": {prefix!r}}}],
}}
"""


def write_site(directory: Path, **partitions: list[str]) -> Path:
    file = directory / "mine.py"
    file.write_text(SITE.format(partitions=partitions, prefix=str(directory / "topology")))
    return file


def start(
    directory: Path, *command: str, variables: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a module's `main` as the console script would."""
    environment = {
        "HOME": str(directory),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        **{name: os.environ[name] for name in ("COVERAGE_PROCESS_CONFIG",) if name in os.environ},
        **(variables or {}),
    }
    program = f"from {command[0]} import main; import sys; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", program, *command[1:]],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    try:
        output, errors = process.communicate(timeout=240)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def run(
    directory: Path, *command: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return finish(start(directory, *command, variables=variables))


def detect(
    directory: Path, *options: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return run(directory, "reframe_firecrest.cli.main", "detect", *options, variables=variables)


def settings(url: str) -> dict[str, str]:
    return {
        "FIRECREST_URL": url,
        "AUTH_TOKEN_URL": f"{url}/token",
        "FIRECREST_CLIENT_ID": "me",
        "FIRECREST_CLIENT_SECRET": "tr0ub4dor",
        "FIRECREST_SYSTEM": "daint",
        "FIRECREST_BASEDIR": "/scratch",
    }


class TestWithoutAGateway:
    def refused(self, done: subprocess.CompletedProcess[str]) -> str:
        """Return the one line with which the command refuses."""
        assert done.returncode == 2, done.stderr
        assert done.stdout == ""
        [line] = done.stderr.splitlines()
        return line.removeprefix("reframe-firecrest detect: ")

    def test_missing_settings_are_named(self, tmp_path: Path) -> None:
        assert self.refused(detect(tmp_path)).startswith("6 settings are missing: 'url', ")

    def test_a_file_is_not_overwritten_unasked(self, tmp_path: Path) -> None:
        (tmp_path / "site.py").write_text("mine")
        assert "--force" in self.refused(detect(tmp_path, "--output", "site.py"))
        assert (tmp_path / "site.py").read_text() == "mine"
        assert "settings are missing: 'url'" in self.refused(
            detect(tmp_path, "--output", "site.py", "--force")
        )

    @pytest.mark.parametrize(
        "other", [["--output", "x.py"], ["--force"], ["--no-processors"], ["--no-processors", "--no-modules"]]
    )
    def test_options_that_contradict_each_other_are_refused(self, other: list[str], tmp_path: Path) -> None:
        assert "--config excludes" in self.refused(detect(tmp_path, "--config", "site.py", *other))

    def test_json_and_the_configuration_do_not_share_standard_output(self, tmp_path: Path) -> None:
        assert "--json requires --output or --config" in self.refused(detect(tmp_path, "--json"))
        assert "--system requires --config" in self.refused(detect(tmp_path, "--system", "alps"))

    def test_a_configuration_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        assert "gone.py can't be used" in self.refused(detect(tmp_path, "--config", "gone.py"))

    def test_modules_of_systems_without_a_modules_system_are_refused(self, tmp_path: Path) -> None:
        file = write_site(tmp_path, good=[])
        line = self.refused(
            detect(tmp_path, "--config", str(file), "--modules", variables=settings("http://127.0.0.1:9"))
        )
        assert line == f"no system in {file} has modules; set 'modules_system' to another than 'nomod'"

    def test_a_gateway_that_is_not_there_is_reported_in_one_line(self, tmp_path: Path) -> None:
        variables = settings("http://127.0.0.1:9")
        line = self.refused(detect(tmp_path, variables=variables))
        assert "127.0.0.1:9 can't be reached" in line
        assert "tr0ub4dor" not in line

    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
    def test_it_can_be_stopped(self, how: signal.Signals, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.settimeout(60)
            variables = settings(f"http://127.0.0.1:{silent.getsockname()[1]}")
            command = ["reframe_firecrest.cli.main", "detect", "--output", "site.py"]
            process = start(tmp_path, *command, variables=variables)
            with silent.accept()[0]:
                process.send_signal(how)
                done = finish(process)
        assert done.returncode == 130
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "site.py").exists()

    def test_help_shows_how_it_is_used_and_what_the_exit_codes_mean(self, tmp_path: Path) -> None:
        done = detect(tmp_path, "--help", variables={"COLUMNS": "100"})
        assert done.returncode == 0
        assert "reframe-firecrest detect --output mysite.py" in done.stdout
        assert "0 everything was written" in done.stdout


@pytest.mark.e2e
class TestThroughAGateway:
    def test_a_new_system_is_described_and_its_tests_know_the_processors(
        self, gateway: GatewayUnderTest, tmp_path: Path
    ) -> None:
        done = detect(tmp_path, "--output", "site.py", variables=gateway.variables)
        assert done.returncode == 0, done.stderr
        text = (tmp_path / "site.py").read_text()
        assert gateway.variables["FIRECREST_CLIENT_SECRET"] not in text + done.stdout + done.stderr
        files = sorted((tmp_path / ".reframe/topology").glob("*/processor.json"))
        assert len(files) == done.stderr.count("found ") > 1
        system = gateway.variables["FIRECREST_SYSTEM"]
        assert f"{system}-normal" in {file.parent.name for file in files}
        assert all(json.loads(file.read_text())["num_cpus"] > 0 for file in files)

        # A test that asks for all cores of a node gets its number from there.
        (tmp_path / "check.py").write_text(CORES)
        options = ["-C", "site.py", "-c", "check.py", "--system", f"{system}:normal", "-r"]
        ran = run(tmp_path, "reframe.frontend.cli", *options, variables=gateway.variables)
        assert ran.returncode == 0, ran.stdout
        assert "PASSED" in ran.stdout

    def test_standard_output_is_the_configuration_and_nothing_else(
        self, gateway: GatewayUnderTest, tmp_path: Path
    ) -> None:
        done = detect(tmp_path, "--no-processors", variables=gateway.variables)
        assert (done.returncode, done.stderr) == (0, "")
        (tmp_path / "site.py").write_text(done.stdout)
        listed = run(tmp_path, "reframe.frontend.cli", "-C", "site.py", "-c", str(CHECK), "-l")
        assert listed.returncode == 0, listed.stdout
        assert "HelloNodes" in listed.stdout
        assert not (tmp_path / ".reframe/topology").exists()

    def test_an_existing_configuration_is_used_and_what_fails_is_named(
        self, gateway: GatewayUnderTest, tmp_path: Path
    ) -> None:
        file = write_site(tmp_path, good=["--partition=normal"], bad=["--partition=nosuch"])
        done = detect(tmp_path, "--config", str(file), "--json", variables=gateway.variables)
        assert done.returncode == 1, done.stderr
        data = json.loads(done.stdout)
        assert (data["complete"], data["output"]) == (False, None)
        # The configuration names no modules system.
        assert data["modules"] == []
        good, bad = data["partitions"]
        assert good["processor"] == json.loads(Path(good["file"]).read_text())
        assert (bad["partition"], bad["file"], bad["processor"]) == ("mine:bad", None, None)
        assert "nvalid partition" in bad["reason"]
        assert (tmp_path / "topology/mine-good/processor.json").exists()
        assert not (tmp_path / "topology/mine-bad").exists()
        [missing] = [line for line in done.stderr.splitlines() if line.startswith("missing ")]
        assert missing.startswith("missing mine:bad: ")
        assert "nvalid partition" in missing
        assert "Traceback" not in done.stderr

    def test_another_directory_is_used_and_named_in_the_configuration(
        self, gateway: GatewayUnderTest, tmp_path: Path
    ) -> None:
        options = ["--output", "site.py", "--topology-prefix", "topo"]
        done = detect(tmp_path, *options, variables=gateway.variables)
        assert done.returncode == 0, done.stderr
        assert list((tmp_path / "topo").glob("*/processor.json"))
        assert f'"topology_prefix": "{tmp_path}/topo"' in (tmp_path / "site.py").read_text()


CORES = """
import reframe as rfm
import reframe.utility.sanity as sn


@rfm.simple_test
class Cores(rfm.RunOnlyRegressionTest):
    valid_systems = ["+remote"]
    valid_prog_environs = ["builtin"]
    executable = "echo"

    @run_before("run")
    def ask(self):
        self.executable_opts = [f"cpus={self.current_partition.processor.num_cpus}"]

    @sanity_function
    def known(self):
        return sn.assert_found(r"cpus=[1-9]", self.stdout)
"""
