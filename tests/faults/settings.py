"""Settings for runs with failures: quick looks, and no time lost where an answer never comes."""

import os

import httpx

import reframe_firecrest  # noqa: F401 - importing registers the scheduler and the launcher
from reframe_firecrest.gateway.http import operations
from reframe_firecrest.gateway.object_storage import storage_requests
from reframe_firecrest.gateway.v1 import compute, job_queries, submission_search, transfers

if "FAULTS_TIMEOUT" in os.environ:
    # What is shown is that the client gives up waiting, not that it takes two minutes to.
    for operation in vars(operations).values():
        if isinstance(operation, operations.Operation):
            timeout = min(operation.timeout, float(os.environ["FAULTS_TIMEOUT"]))
            # In place, for those who have it as a default already.
            object.__setattr__(operation, "timeout", timeout)
    for module, names in (
        (job_queries, ("QUERY", "QUEUE_QUERY")),
        (compute, ("SUBMISSION",)),
        (transfers, ("PREPARATION", "INTERVAL")),
    ):
        for name in names:
            setattr(module, name, 3 * float(os.environ["FAULTS_TIMEOUT"]))
    submission_search.UNDER_WAY = 2 * compute.SUBMISSION
    storage_requests.TIMEOUT = httpx.Timeout(float(os.environ["FAULTS_TIMEOUT"]))

site_configuration = {
    "systems": [
        {
            "name": "faults",
            "hostnames": [".*"],
            "modules_system": "nomod",
            "partitions": [
                {
                    "name": "compute",
                    "scheduler": "firecrest-scheduler",
                    "launcher": "firecrest-srun",
                    "environs": ["builtin"],
                    "max_jobs": int(os.environ.get("FAULTS_MAX_JOBS", "16")),
                    "sched_options": {
                        "firecrest": {
                            "poll_interval_min": float(os.environ.get("FAULTS_POLL", "0.2")),
                            "poll_interval_max": 2.0,
                            "retry_timeout": 60,
                            "direct_upload_max": os.environ.get("FAULTS_DIRECT_UPLOAD_MAX", "256MiB"),
                        },
                    },
                },
            ],
        },
    ],
    "environments": [{"name": "builtin", "cc": "gcc", "cxx": "", "ftn": ""}],
    "general": [{"poll_rate_min": 10, "poll_rate_max": 10}],
}
