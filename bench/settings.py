"""ReFrame settings that measure the process and write the results to the file BENCH_OUT at its end."""

import atexit
import functools
import importlib.util
import json
import os
import resource
import sys
import time

from reframe.core.schedulers.slurm import SlurmJobScheduler

_submits_ms = []
_wire = None


def _timed(submit):
    @functools.wraps(submit)
    def timed(self, job):
        begun = time.perf_counter()
        submit(self, job)
        _submits_ms.append(1000 * (time.perf_counter() - begun))

    return timed


SlurmJobScheduler.submit = _timed(SlurmJobScheduler.submit)

# httpcore imports trio if it is installed. That of the development environment (for selenium) would make each
# run 40 ms longer than those of users.
sys.modules["trio"] = None

if os.environ["BENCH_PARTITION"] == "firecrest":
    # Only for this partition: the package would affect the speed and memory of the others.
    import reframe_firecrest  # noqa: F401 - importing registers the scheduler and the launcher

if os.environ["BENCH_PARTITION"] == "firecrest" and not os.environ["BENCH_LISTING"]:
    import httpx

    from reframe_firecrest.plugin.scheduler import FirecrestScheduler

    FirecrestScheduler.submit = _timed(FirecrestScheduler.submit)
    spec = importlib.util.spec_from_file_location("wire", os.path.join(os.path.dirname(__file__), "wire.py"))
    wire = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(wire)
    _wire = wire.Wire()
    httpx.AsyncHTTPTransport.handle_async_request = _wire.metered()


def _peak_bytes():
    # On Linux ru_maxrss includes the peak of the parent process.
    try:
        with open("/proc/self/status") as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
    except FileNotFoundError:
        # Other systems than Linux report bytes.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _report():
    results = {
        "submits_ms": _submits_ms,
        "peak_bytes": _peak_bytes(),
        "cpu_s": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
        "children_cpu_s": sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]),
        "most_in_flight": _wire.most_in_flight if _wire else 0,
        "requests": [(*key, *row) for key, row in _wire.rows.items()] if _wire else [],
    }
    with open(os.environ["BENCH_OUT"], "w") as file:
        json.dump(results, file)


# Registered before any session, so it runs after the sessions have ended.
atexit.register(_report)


_BACKENDS = {
    "firecrest": ("firecrest-scheduler", "firecrest-srun"),
    "slurm": ("slurm", "srun"),
    "local": ("local", "local"),
}


def _partition(scheduler, launcher):
    return {
        "name": os.environ["BENCH_PARTITION"],
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
            "partitions": [_partition(*_BACKENDS[os.environ["BENCH_PARTITION"]])],
        },
    ],
    "environments": [{"name": "builtin", "cc": "gcc", "cxx": "", "ftn": ""}],
    "general": [{"poll_rate_min": 2}],
}
