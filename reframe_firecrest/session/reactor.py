"""The thread of the event loop, and the workers for blocking calls.

Python's default executor refuses work once the interpreter shuts down. That is when the last cancellations
are sent, so the workers are threads of our own.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")

WORKERS = 3
"""Number of workers: enough to pack, unpack and resolve a name at the same time. More would compete for the
CPU."""


class Workers(ThreadPoolExecutor):
    """Daemon threads, started at once, that work until the process ends."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        for number in range(WORKERS):
            threading.Thread(
                target=self._serve, name=f"reframe-firecrest-worker-{number}", daemon=True
            ).start()

    def _serve(self) -> None:
        while True:
            self._tasks.get()()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a call."""
        future: Future[Any] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - raised where the future's result is used
                future.set_exception(error)

        self._tasks.put(run)
        return future


class Reactor:
    """An event loop on its own thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(Workers())
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._run, name="reframe-firecrest", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function on the loop soon; return at once."""
        self._loop.call_soon_threadsafe(function, *args)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task; to be called on the loop's thread. A reference is kept while it runs."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def run(self, work: Coroutine[Any, Any, Result], timeout: float) -> Result:
        """Run a coroutine on the loop and wait for it, from another thread.

        Args:
            work: the coroutine.
            timeout: seconds.

        Raises:
            TimeoutError: it takes longer; it is cancelled.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise


_reactor: Reactor | None = None
_lock = threading.Lock()


def reactor() -> Reactor:
    """Return the process's reactor; the first call starts it."""
    global _reactor  # noqa: PLW0603 - there is one per process by design
    with _lock:
        if _reactor is None:
            _reactor = Reactor()
        return _reactor
