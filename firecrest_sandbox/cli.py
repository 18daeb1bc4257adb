"""The command line: `firecrest-sandbox`, also available as `reframe-firecrest sandbox`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from firecrest_sandbox.exits import FAILED, PROGRAM, fail, report
from firecrest_sandbox.extra import missing_extra
from firecrest_sandbox.versions import V1_VERSION, V2_VERSION, distribution_version

if TYPE_CHECKING:
    from firecrest_sandbox import Sandbox, SandboxConfig

_SECRETS = {"client_secret": "FIRECREST_CLIENT_SECRET", "api_key": "FIRECREST_API_KEY"}
_OPTIONS = {"max_ops_file_size": "--direct-limit"}
"""Options whose names differ from those of the settings."""
_EPILOG = """Exit codes:
   0 stopped on request; with COMMAND, the code is that of COMMAND
   2 not started, and one line gives the reason"""
_USAGE_ERROR: type[typer.BadParameter] = typer.BadParameter.__bases__[0]
"""Exception for wrong options. The library gives it no public name."""


def _print_version(*, value: bool) -> None:
    if value:
        typer.echo(f"firecrest-sandbox {distribution_version()} (FirecREST {V2_VERSION} and {V1_VERSION})")
        raise typer.Exit


def sandbox(
    command: Annotated[
        list[str] | None,
        typer.Argument(help="Run this command with the client's variables, then stop.", metavar="COMMAND"),
    ] = None,
    *,
    host: Annotated[str, typer.Option(help="Loopback address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 selects a free port.")] = 0,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="Additional name and port that clients use; repeatable.", metavar="NAME:PORT"),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(help="Directory that clients see; by default a new one, removed at exit."),
    ] = None,
    runner: Annotated[
        str, typer.Option(help="Run jobs as local processes (embedded) or through Slurm (slurm).")
    ] = "embedded",
    system: Annotated[str, typer.Option(help="Name of the system.")] = "sandbox",
    nodes: Annotated[int, typer.Option(help="Number of simulated nodes (embedded runner).")] = 4,
    cpus: Annotated[int, typer.Option(help="CPUs of each simulated node (embedded runner).")] = 16,
    latency: Annotated[float, typer.Option(help="Delay of every request in seconds.")] = 0.0,
    rate_limit: Annotated[
        float | None, typer.Option(help="API requests per second, beyond which the answer is 429.")
    ] = None,
    faults: Annotated[Path | None, typer.Option(help="JSON file with rules for requests that fail.")] = None,
    token_lifetime: Annotated[int, typer.Option(help="Lifetime of an access token in seconds.")] = 300,
    list_gap: Annotated[
        float, typer.Option(help="Seconds for which a finished job is missing from the job list.")
    ] = 0.0,
    history: Annotated[
        int,
        typer.Option(help="Ended jobs of the account in job lists, about 1.2 kB each (embedded runner)."),
    ] = 0,
    api: Annotated[str, typer.Option(help="API version to serve: v1, v2 or both.")] = "both",
    scheduler: Annotated[
        str, typer.Option(help="Scheduler of the site: slurm or pbs; with pbs, no request for jobs succeeds.")
    ] = "slurm",
    connection: Annotated[
        str, typer.Option(help="v2: how the site reaches Slurm: ssh, rest or hybrid (embedded runner).")
    ] = "ssh",
    transfers: Annotated[
        str,
        typer.Option(help="v2: method for large files: s3, streamer, wormhole or none; only s3 moves data."),
    ] = "s3",
    direct_limit: Annotated[
        int,
        typer.Option(
            help="Largest direct upload in bytes; also the maximum output of commands.", metavar="BYTES"
        ),
    ] = 5 * 1024 * 1024,
    require_account: Annotated[
        bool, typer.Option("--require-account", help="v2: transfer jobs need an account.")
    ] = False,
    transfer_poll: Annotated[
        float, typer.Option(help="Seconds between checks for an uploaded object.")
    ] = 0.2,
    accounting_delay: Annotated[
        float, typer.Option(help="v1: seconds until accounting knows a new job completely.")
    ] = 0.0,
    one_worker: Annotated[
        bool, typer.Option("--one-worker", help="v1: each service handles one request at a time.")
    ] = False,
    env_file: Annotated[
        Path | None, typer.Option(help="Write the client's variables to this file (mode 0600).")
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Serve the FirecREST API, v2 and v1, on a loopback address.

    With COMMAND, run that command with the variables that a client needs, and
    stop when it ends. All jobs are cancelled then:

        firecrest-sandbox -- pytest tests

    Without COMMAND, serve until Ctrl-C. The variables are printed, or written
    to a file:

        firecrest-sandbox --env-file sandbox.env &
        . ./sandbox.env
    """
    del version  # handled by its callback
    _require_extra()
    config = _configure(
        faults,
        host=host,
        port=port,
        allowed_hosts=tuple(allowed_host or ()),
        root=root,
        runner=runner,
        system=system,
        nodes=nodes,
        cpus=cpus,
        latency=latency,
        rate_limit=rate_limit,
        token_lifetime=token_lifetime,
        list_gap=list_gap,
        history=history,
        api=api,
        scheduler=scheduler,
        connection=connection,
        transfers=transfers,
        max_ops_file_size=direct_limit,
        require_account=require_account,
        transfer_poll=transfer_poll,
        accounting_delay=accounting_delay,
        one_worker=one_worker,
    )
    raise typer.Exit(_run(config, command or [], env_file))


def _require_extra() -> None:
    message = missing_extra()
    if message is not None:
        fail(message)


def _configure(faults: Path | None, **options: Any) -> SandboxConfig:
    from pydantic import ValidationError  # noqa: PLC0415  needs the extra

    from firecrest_sandbox import SandboxConfig  # noqa: PLC0415  needs the extra
    from firecrest_sandbox.fault_injection.faults import load_faults  # noqa: PLC0415  needs the extra

    credentials = {"client_id": "FIRECREST_CLIENT_ID", **_SECRETS}
    given = {name: os.environ[key] for name, key in credentials.items() if os.environ.get(key)}
    prefix = ""
    try:
        if faults is not None:
            prefix = f"--faults {faults}: "
            options["faults"] = load_faults(faults)
            prefix = ""
        return SandboxConfig.model_validate(options | given)
    except ValidationError as error:
        first = error.errors()[0]
        location = ".".join(str(part) for part in first["loc"])
        named = credentials.get(location) or _OPTIONS.get(location)
        option = named or ("--" + location.replace("_", "-") if location else "")
        where = f"{prefix}{location}" if prefix else option
        fail(f"{where}{': ' if where else ''}{first['msg'].removeprefix('Value error, ')}")
    except (OSError, ValueError) as error:
        fail(f"{prefix}{getattr(error, 'strerror', None) or error}")


def _run(config: SandboxConfig, command: list[str], env_file: Path | None) -> int:
    from firecrest_sandbox import Sandbox, SandboxError  # noqa: PLC0415  needs the extra
    from firecrest_sandbox.foreground import run_around, stop_requests  # noqa: PLC0415

    try:
        with stop_requests() as stop, Sandbox(config) as running:
            variables = running.environment()
            if env_file is not None:
                _write_env_file(env_file, variables)
            if stop.is_set():
                return 0
            if command:
                return run_around(command, variables, stop)
            _announce(running, env_file)
            stop.wait()
            return 0
    except SandboxError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or ''}: {error.strerror or error}")


def _write_env_file(file: Path, variables: Mapping[str, str]) -> None:
    from firecrest_sandbox.foreground import write_env_file  # noqa: PLC0415  only here

    try:
        write_env_file(file, variables)
    except OSError as error:
        fail(f"--env-file {file} can't be written: {error.strerror or error}")


def _announce(running: Sandbox, env_file: Path | None) -> None:
    from firecrest_sandbox.foreground import export_lines  # noqa: PLC0415  only here

    if env_file is not None:
        typer.echo(f"# Serving {running.url} until Ctrl-C; for a client: . {env_file}")
        return
    variables = running.environment()
    for name in _SECRETS.values():
        if os.environ.get(name):
            # The secret may be that of another gateway, and the user knows it already.
            del variables[name]
    typer.echo(f"# Serving until Ctrl-C; a client needs:\n{export_lines(variables)}", nl=False)


def main() -> None:
    """Run `firecrest-sandbox`; a usage error is reported in one line."""
    PROGRAM.set("firecrest-sandbox")
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(epilog=_EPILOG)(sandbox)
    try:
        code = app(prog_name=PROGRAM.get(), standalone_mode=False)
    except _USAGE_ERROR as error:
        report(f"{error.format_message().rstrip('.')}; see: {PROGRAM.get()} --help")
        sys.exit(FAILED)
    sys.exit(code)
