"""Settings that measure: the plugin's own counts go to the file that BENCH_OUT names when ReFrame ends."""

import atexit
import json
import os
import resource
import statistics
import time

import reframe_firecrest  # noqa: F401 - importing registers the scheduler and the launcher
from reframe_firecrest.scheduler import FirecrestScheduler
from reframe_firecrest.session import registry

_submits = []
_submit = FirecrestScheduler.submit


def _timed_submit(self, job):
    begun = time.perf_counter()
    _submit(self, job)
    _submits.append(time.perf_counter() - begun)


def _report():
    counts = [session.stats() for session in registry._sessions.values()]
    found = {
        "submit_ms": 1000 * statistics.median(_submits) if _submits else None,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "cpu_s": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
        **(counts[0] if counts else {}),
    }
    with open(os.environ["BENCH_OUT"], "w") as file:
        json.dump(found, file)


FirecrestScheduler.submit = _timed_submit
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
