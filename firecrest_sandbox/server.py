"""The server as a context manager, which serves in a thread of this process."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import uvicorn

from firecrest_sandbox.app import build_app
from firecrest_sandbox.auth import TOKEN_PATH, TokenAuthority
from firecrest_sandbox.config import SandboxConfig
from firecrest_sandbox.fault_injection.counts import RequestCounts, Stats
from firecrest_sandbox.fault_injection.faults import Faults
from firecrest_sandbox.fault_injection.middleware import CuttableProtocol
from firecrest_sandbox.local_user import LocalUser
from firecrest_sandbox.object_storage.presigning import Presigner
from firecrest_sandbox.object_storage.store import ObjectStore
from firecrest_sandbox.runners.base import Runner
from firecrest_sandbox.runners.embedded.runner import EmbeddedRunner
from firecrest_sandbox.runners.pbs import PbsRunner
from firecrest_sandbox.runners.slurm.commands import SlurmUnavailableError, probe_slurm
from firecrest_sandbox.runners.slurm.runner import SlurmRunner
from firecrest_sandbox.state import ServerState
from firecrest_sandbox.v1.tasklist import TaskList

if TYPE_CHECKING:
    from typing_extensions import Self

_START_TIMEOUT = 30.0
_STOP_TIMEOUT = 60.0


class SandboxError(Exception):
    """The server cannot be started."""


class Sandbox:
    """A FirecREST server on loopback, which runs while the context is open.

    Example:
        with Sandbox(SandboxConfig(nodes=2)) as sandbox:
            subprocess.run(command, env=os.environ | sandbox.environment())

    Raises (on entering):
        SandboxError: the port, the root or the scheduler cannot be used.
    """

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self.config = config or SandboxConfig()
        self.faults = Faults(self.config.faults, self.config.fault_seed)
        """Rules can be added and cleared while the server runs."""
        self._counts = RequestCounts()
        self._exit = ExitStack()
        self._state: ServerState | None = None

    def __enter__(self) -> Self:
        """Start the server, and return when it answers requests."""
        with ExitStack() as stack:
            self._start(stack)
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel all jobs, stop the server, and remove temporary files."""
        self._exit.close()
        self._state = None

    @property
    def state(self) -> ServerState:
        """The parts of the running server."""
        if self._state is None:
            raise SandboxError("the server is not running; enter its context first")
        return self._state

    @property
    def url(self) -> str:
        """The API's URL."""
        return self.state.url

    @property
    def token_url(self) -> str:
        """The token endpoint's URL, for the client credentials grant."""
        return self.state.url + TOKEN_PATH

    @property
    def client_id(self) -> str:
        """The only client's id."""
        return self.config.client_id

    @property
    def client_secret(self) -> str:
        """The client's secret."""
        return self.config.client_secret.get_secret_value()

    @property
    def api_key(self) -> str:
        """The key that the header `X-API-Key` accepts instead of a token."""
        return self.config.api_key.get_secret_value()

    @property
    def system(self) -> str:
        """The name of the only system."""
        return self.config.system

    @property
    def root(self) -> Path:
        """The file system that clients see: a directory, absolute and without symbolic links."""
        return self.state.root

    @property
    def base_directory(self) -> Path:
        """The user's directory below the root."""
        return self.state.home

    def environment(self) -> dict[str, str]:
        """Return the environment variables of a client, two secrets among them.

        `FIRECREST_AUTH` selects one of the accepted authentication methods.
        """
        return {
            "FIRECREST_URL": self.url,
            "FIRECREST_AUTH": "client_secret_post",
            "AUTH_TOKEN_URL": self.token_url,
            "FIRECREST_CLIENT_ID": self.client_id,
            "FIRECREST_CLIENT_SECRET": self.client_secret,
            "FIRECREST_API_KEY": self.api_key,
            "FIRECREST_SYSTEM": self.system,
            "FIRECREST_BASEDIR": str(self.base_directory),
        }

    def stats(self) -> Stats:
        """Return the counts of requests since the start or the last reset."""
        return self._counts.read()

    def reset_stats(self) -> None:
        """Set all counts to zero."""
        self._counts.reset()

    def _start(self, stack: ExitStack) -> None:
        config = self.config
        private = Path(tempfile.mkdtemp(prefix="reframe-firecrest-sandbox-")).resolve()
        stack.callback(_remove, private)
        user = LocalUser.current()
        root = config.root or private / "root"
        try:
            (root / user.name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SandboxError(f"{root / user.name} can't be created: {error.strerror or error}") from None
        try:
            listener = _listen(config)
        except OSError as error:
            raise SandboxError(
                f"can't listen on {config.host}, port {config.port}: {error.strerror or error}; "
                "choose another port, or 0 for a free one"
            ) from None
        stack.callback(listener.close)
        host = f"[{config.host}]" if ":" in config.host else config.host
        self._state = ServerState(
            config=config,
            user=user,
            root=root,
            url=f"http://{host}:{listener.getsockname()[1]}",
            authority=TokenAuthority.fresh(
                client_id=self.client_id,
                client_secret=self.client_secret,
                api_key=self.api_key,
                username=user.name,
                lifetime=config.token_lifetime,
            ),
            runner=_make_runner(config, user, root, private),
            store=ObjectStore(private / "storage", Presigner(lifetime=config.url_lifetime)),
            counts=self._counts,
            faults=self.faults,
            tasks=TaskList(),
        )
        stack.callback(_serve(self._state, listener))


def _remove(directory: Path) -> None:
    """Remove a directory, including subdirectories that jobs have made read-only."""
    for parent, subdirectories, _ in os.walk(directory):
        for name in subdirectories:
            subdirectory = Path(parent, name)
            if not subdirectory.is_symlink():
                subdirectory.chmod(0o700)
    shutil.rmtree(directory, ignore_errors=True)


def _listen(config: SandboxConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # asyncio disables Nagle's algorithm only for sockets created with IPPROTO_TCP. Otherwise the second part
    # of each response waits 40 ms for the acknowledgement of the first.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.host, config.port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def _make_runner(config: SandboxConfig, user: LocalUser, root: Path, private: Path) -> Runner:
    if config.scheduler == "pbs":
        return PbsRunner()
    if config.runner == "slurm":
        try:
            version = probe_slurm()
        except SlurmUnavailableError as error:
            raise SandboxError(str(error)) from None
        return SlurmRunner(config, user=user.name, home=root / user.name, version=version)
    return EmbeddedRunner(
        config,
        spool=private / "spool",
        home=root / user.name,
        user=user.name,
        group=user.group,
    )


class _Server(uvicorn.Server):
    """uvicorn's server with an event that is set once it has started or failed."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        self.failure: BaseException | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.settled.set()

    def run_until_stopped(self, listener: socket.socket) -> None:
        try:
            self.run(sockets=[listener])
        except (Exception, SystemExit) as error:  # noqa: BLE001  reported by the thread that waits
            self.failure = error
        finally:
            self.settled.set()


def _serve(state: ServerState, listener: socket.socket) -> Callable[[], None]:
    """Start serving in a thread, and return a function that stops it."""
    server = _Server(
        uvicorn.Config(
            build_app(state),
            http=CuttableProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(
        target=server.run_until_stopped, args=(listener,), name="firecrest-sandbox", daemon=True
    )

    def stop() -> None:
        server.should_exit = True
        thread.join(_STOP_TIMEOUT)

    thread.start()
    if not server.settled.wait(_START_TIMEOUT) or not server.started:
        stop()
        raise SandboxError(f"the sandbox did not start: {server.failure or 'its runner failed'}")
    return stop
