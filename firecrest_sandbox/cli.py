"""`firecrest-sandbox`, and `reframe-firecrest sandbox`: a FirecREST-compatible gateway on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from firecrest_sandbox.exits import PROGRAM, fail
from firecrest_sandbox.extra import missing_extra

if TYPE_CHECKING:
    from firecrest_sandbox import Sandbox, SandboxConfig

_SECRETS = {"client_secret": "FIRECREST_CLIENT_SECRET", "api_key": "FIRECREST_API_KEY"}


def sandbox(
    command: Annotated[
        list[str] | None,
        typer.Argument(help="Run this with the sandbox's variables, then stop.", metavar="COMMAND"),
    ] = None,
    *,
    host: Annotated[str, typer.Option(help="A loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 0,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="Another NAME:PORT by which clients reach it.", metavar="NAME:PORT"),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(help="The directory that clients see; a new one, removed at exit, by default."),
    ] = None,
    runner: Annotated[
        str, typer.Option(help="What runs jobs: embedded (processes here) or slurm.")
    ] = "embedded",
    system: Annotated[str, typer.Option(help="The system's name.")] = "sandbox",
    nodes: Annotated[int, typer.Option(help="Embedded: nodes that it pretends to have.")] = 4,
    cpus: Annotated[int, typer.Option(help="Embedded: CPUs of each node.")] = 16,
    latency: Annotated[float, typer.Option(help="Seconds added to every request.")] = 0.0,
    rate_limit: Annotated[float | None, typer.Option(help="429 above so many API requests a second.")] = None,
    faults: Annotated[
        Path | None, typer.Option(help="A JSON list of rules: which requests fail, and how.")
    ] = None,
    token_lifetime: Annotated[int, typer.Option(help="Of an access token, in seconds.")] = 300,
    list_gap: Annotated[
        float, typer.Option(help="Seconds for which a finished job is missing from the list.")
    ] = 0.0,
    api: Annotated[str, typer.Option(help="Serve only this generation of the API: v1 or v2.")] = "both",
    transfer_poll: Annotated[float, typer.Option(help="Seconds between looks for an uploaded object.")] = 0.2,
    accounting_delay: Annotated[
        float, typer.Option(help="v1: seconds for which accounting hardly knows a new job.")
    ] = 0.0,
    one_worker: Annotated[
        bool, typer.Option("--one-worker", help="v1: each service takes one request at a time.")
    ] = False,
    env_file: Annotated[
        Path | None, typer.Option(help="Write the client's variables to this file, mode 0600.")
    ] = None,
) -> None:
    """Serve a FirecREST-compatible API, v2 and v1, on loopback.

    With COMMAND it runs that with the variables that a client needs, and ends
    with it. All jobs are stopped then:

        reframe-firecrest sandbox -- reframe -C config/sandbox.py -c checks -r

    Without COMMAND it serves until Ctrl-C. It prints the variables, or writes
    them to a file:

        reframe-firecrest sandbox --env-file sandbox.env &
        . sandbox.env
    """
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
        api=api,
        transfer_poll=transfer_poll,
        accounting_delay=accounting_delay,
        one_worker=one_worker,
    )
    raise typer.Exit(_run(config, command or [], env_file))


def _require_extra() -> None:
    lack = missing_extra()
    if lack is not None:
        fail(lack)


def _configure(faults: Path | None, **options: Any) -> SandboxConfig:
    from pydantic import ValidationError  # noqa: PLC0415  only where the extra is known to be there

    from firecrest_sandbox import SandboxConfig  # noqa: PLC0415
    from firecrest_sandbox.fault_injection.faults import load_faults  # noqa: PLC0415

    credentials = {"client_id": "FIRECREST_CLIENT_ID", **_SECRETS}
    given = {name: os.environ[key] for name, key in credentials.items() if os.environ.get(key)}
    where = ""
    try:
        if faults is not None:
            where = f"--faults {faults}: "
            options["faults"] = load_faults(faults)
            where = ""
        return SandboxConfig.model_validate(options | given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        option = credentials.get(place) or "--" + place.replace("_", "-")
        fail(f"{where or option + ': '}{place + ': ' if where else ''}{first['msg']}")
    except (OSError, ValueError) as error:
        fail(f"{where}{error}")


def _run(config: SandboxConfig, command: list[str], env_file: Path | None) -> int:
    from firecrest_sandbox import Sandbox, SandboxError  # noqa: PLC0415  needs the extra
    from firecrest_sandbox.running import run_around, stop_requests, write_env_file  # noqa: PLC0415

    try:
        with stop_requests() as stop, Sandbox(config) as running:
            variables = running.environment()
            if env_file is not None:
                write_env_file(env_file, variables)
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


def _announce(running: Sandbox, env_file: Path | None) -> None:
    from firecrest_sandbox.running import export_lines  # noqa: PLC0415  needs the extra

    if env_file is not None:
        typer.echo(f"# Serving {running.url} until Ctrl-C; for a client: . {env_file}")
        return
    variables = running.environment()
    for name in _SECRETS.values():
        if os.environ.get(name):
            # It may be another gateway's, and is known to whoever set it.
            del variables[name]
    typer.echo(f"# Serving until Ctrl-C; a client needs:\n{export_lines(variables)}", nl=False)


def main() -> None:
    """Run `firecrest-sandbox`."""
    PROGRAM.set("firecrest-sandbox")
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(sandbox)
    app(prog_name="firecrest-sandbox")
