"""The fixture `firecrest_sandbox`, as the tests of another client use it."""

from __future__ import annotations

import pytest

CLIENT = """
import firecrest


def client_of(sandbox):
    auth = firecrest.ClientCredentialsAuth(sandbox.client_id, sandbox.client_secret, sandbox.token_url)
    return firecrest.v2.Firecrest(sandbox.url, auth)
"""


def test_a_client_reaches_the_server(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(client=CLIENT)
    pytester.makepyfile(
        """
        from client import client_of


        def test_files_and_jobs(firecrest_sandbox):
            client = client_of(firecrest_sandbox)
            assert [each["name"] for each in client.systems()] == [firecrest_sandbox.system]
            base = str(firecrest_sandbox.base_directory)
            client.mkdir(firecrest_sandbox.system, f"{base}/new")
            assert (firecrest_sandbox.base_directory / "new").is_dir()
            job = client.submit(firecrest_sandbox.system, base, script_str="#!/bin/bash\\ntrue\\n")
            assert job["jobId"]
            client.close_session()
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_run_without_the_fixture_imports_no_server(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys


        def test_modules():
            loaded = {name for name in sys.modules if name.startswith(("firecrest_sandbox", "reframe"))}
            assert loaded <= {"firecrest_sandbox", "firecrest_sandbox.pytest_plugin"}
            assert not {"fastapi", "uvicorn", "pydantic", "httpx", "typer"} & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess("-p", "no:anyio", "-p", "no:hypothesispytest").assert_outcomes(passed=1)


def test_the_settings_are_those_of_an_overridden_fixture(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest


        @pytest.fixture(scope="session")
        def firecrest_sandbox_config():
            return {"system": "mine", "nodes": 2, "api": "v2"}
        """
    )
    pytester.makepyfile(client=CLIENT)
    pytester.makepyfile(
        """
        from client import client_of


        def test_system(firecrest_sandbox):
            assert len(client_of(firecrest_sandbox).nodes("mine")) == 2
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_settings_may_be_an_instance(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from firecrest_sandbox import SandboxConfig


        @pytest.fixture(scope="session")
        def firecrest_sandbox_config():
            return SandboxConfig(system="other")


        def test_system(firecrest_sandbox):
            assert firecrest_sandbox.system == "other"
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_wrong_setting_is_named(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest


        @pytest.fixture(scope="session")
        def firecrest_sandbox_config():
            return {"system": "mine", "node": 2}
        """
    )
    pytester.makepyfile("def test_one(firecrest_sandbox): pass")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*node*"])


def test_a_missing_extra_is_named(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        from firecrest_sandbox import extra

        extra.MODULES = ("no_such_module",)
        """
    )
    pytester.makepyfile("def test_one(firecrest_sandbox): pass")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*'no_such_module'*pip install 'reframe-firecrest[[]sandbox]'"])


@pytest.mark.parametrize(("scope", "servers"), [("session", 1), ("function", 3)])
def test_the_scope_is_an_option(pytester: pytest.Pytester, scope: str, servers: int) -> None:
    pytester.makeini(f"[pytest]\nfirecrest_sandbox_scope = {scope}\n")
    pytester.makeconftest(
        """
        import pytest

        servers = []


        @pytest.fixture
        def server(firecrest_sandbox):
            if firecrest_sandbox not in servers:
                servers.append(firecrest_sandbox)


        def pytest_terminal_summary(terminalreporter):
            terminalreporter.write_line(f"servers: {len(servers)}")
        """
    )
    pytester.makepyfile(
        test_a="def test_one(server): pass\n\ndef test_two(server): pass\n",
        test_b="def test_three(server): pass\n",
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines([f"servers: {servers}"])


def test_another_scope_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nfirecrest_sandbox_scope = forever\n")
    pytester.makepyfile("def test_one(firecrest_sandbox): pass")
    result = pytester.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*firecrest_sandbox_scope = forever: must be one of session, *"])
