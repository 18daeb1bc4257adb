"""Settings that measure: what ReFrame's process needed goes to the file that BENCH_OUT names when it ends."""

import atexit
import functools
import json
import os
import resource
import time

import httpx
from reframe.core.schedulers.slurm import SlurmJobScheduler

import reframe_firecrest  # noqa: F401 - importing registers the scheduler and the launcher
from reframe_firecrest.scheduler import FirecrestScheduler

_submits_ms = []


def _timed(submit):
    @functools.wraps(submit)
    def timed(self, job):
        begun = time.perf_counter()
        submit(self, job)
        _submits_ms.append(1000 * (time.perf_counter() - begun))

    return timed


FirecrestScheduler.submit = _timed(FirecrestScheduler.submit)
SlurmJobScheduler.submit = _timed(SlurmJobScheduler.submit)


class _Wire:
    """Counts at the last place before the network, so that nothing is missed, whoever asks."""

    def __init__(self):
        self.rows = {}
        self.in_flight = self.most_in_flight = 0
        self.send = httpx.AsyncHTTPTransport.handle_async_request

    def metered(self):
        wire = self

        async def handle_async_request(transport, request):
            # The queries of presigned URLs are secrets.
            row = wire.rows.setdefault((request.method, str(request.url.copy_with(query=None))), [0, 0, 0])
            row[0] += 1
            wire.in_flight += 1
            wire.most_in_flight = max(wire.most_in_flight, wire.in_flight)
            request.stream = _Metered(request.stream, row, 1)
            try:
                response = await wire.send(transport, request)
            finally:
                wire.in_flight -= 1
            response.stream = _Metered(response.stream, row, 2)
            return response

        return handle_async_request


class _Metered(httpx.AsyncByteStream):
    def __init__(self, stream, row, place):
        self.stream, self.row, self.place = stream, row, place

    async def __aiter__(self):
        async for chunk in self.stream:
            self.row[self.place] += len(chunk)
            yield chunk

    async def aclose(self):
        await self.stream.aclose()


_wire = _Wire()
httpx.AsyncHTTPTransport.handle_async_request = _wire.metered()


def _peak_bytes():
    # On Linux ru_maxrss begins with the peak of the process that started this one.
    try:
        with open("/proc/self/status") as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
    except FileNotFoundError:
        # Elsewhere than on Linux it is in bytes.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _report():
    found = {
        "submits_ms": _submits_ms,
        "peak_bytes": _peak_bytes(),
        "cpu_s": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
        "children_cpu_s": sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]),
        "most_in_flight": _wire.most_in_flight,
        "requests": [(*key, *row) for key, row in _wire.rows.items()],
    }
    with open(os.environ["BENCH_OUT"], "w") as file:
        json.dump(found, file)


# Registered before any session is there, so it runs after the sessions have ended.
atexit.register(_report)


def _partition(name, scheduler, launcher):
    return {
        "name": name,
        "scheduler": scheduler,
        "launcher": launcher,
        "environs": ["builtin"],
        "max_jobs": 200,
    }


site_configuration = {
    "systems": [
        {
            "name": "bench",
            "hostnames": [".*"],
            "modules_system": "nomod",
            "max_local_jobs": 200,
            "partitions": [
                _partition("firecrest", "firecrest-scheduler", "firecrest-srun"),
                _partition("slurm", "slurm", "srun"),
                _partition("local", "local", "local"),
            ],
        },
    ],
    "environments": [{"name": "builtin", "cc": "gcc", "cxx": "", "ftn": ""}],
    "general": [{"poll_rate_min": 2}],
}
