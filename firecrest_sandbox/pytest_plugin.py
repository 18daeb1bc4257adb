"""The pytest fixture `firecrest_sandbox`: a FirecREST server for tests of clients.

pytest loads this module in every run, as an entry point of the group `pytest11`. The server is imported only
when a test requests the fixture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import pytest

if TYPE_CHECKING:
    from firecrest_sandbox import Sandbox, SandboxConfig

_Scope = Literal["session", "package", "module", "class", "function"]
_SCOPES: tuple[_Scope, ...] = get_args(_Scope)
_SCOPE_OPTION = "firecrest_sandbox_scope"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option for the fixture's scope."""
    parser.addini(
        _SCOPE_OPTION,
        help=f"scope of the fixture firecrest_sandbox: {', '.join(_SCOPES)}",
        default="session",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Check the ini option.

    Raises:
        pytest.UsageError: pytest has no such scope.
    """
    scope = config.getini(_SCOPE_OPTION)
    if scope not in _SCOPES:
        raise pytest.UsageError(f"{_SCOPE_OPTION} = {scope}: must be one of {', '.join(_SCOPES)}")


def _scope(fixture_name: str, config: pytest.Config) -> _Scope:  # noqa: ARG001  pytest's signature
    return cast("_Scope", config.getini(_SCOPE_OPTION))


@pytest.fixture(scope=_scope)
def firecrest_sandbox_config() -> Mapping[str, Any] | SandboxConfig:
    """Settings of the server. Override this fixture to change them.

    Returns:
        The arguments of `firecrest_sandbox.SandboxConfig`, or an instance of it.
    """
    return {}


@pytest.fixture(scope=_scope)
def firecrest_sandbox(firecrest_sandbox_config: Mapping[str, Any] | SandboxConfig) -> Iterator[Sandbox]:
    """A running FirecREST server.

    Its attributes are what a client needs: `url`, `token_url`, `client_id`, `client_secret`, `api_key`,
    `system` and `base_directory`.
    """
    from firecrest_sandbox.extra import missing_extra  # noqa: PLC0415  only in runs that use the fixture

    message = missing_extra()
    if message is not None:
        pytest.fail(message, pytrace=False)
    from firecrest_sandbox import Sandbox, SandboxConfig  # noqa: PLC0415  needs the extra

    given = firecrest_sandbox_config
    config = given if isinstance(given, SandboxConfig) else SandboxConfig.model_validate(given)
    with Sandbox(config) as sandbox:
        yield sandbox
