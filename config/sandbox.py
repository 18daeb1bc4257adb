"""Settings for the sandbox gateway: ``reframe-firecrest sandbox -- reframe -C config/sandbox.py ...``.

The sandbox exports the FIRECREST_* variables to the command that it starts, so this file
contains nothing about the gateway.
"""

import reframe_firecrest  # noqa: F401 - importing registers the scheduler and the launcher

site_configuration = {
    "systems": [
        {
            "name": "sandbox",
            "descr": "The sandbox gateway's own nodes",
            # The gateway decides where jobs run, so any host name matches.
            "hostnames": [".*"],
            "modules_system": "nomod",
            "partitions": [
                {
                    "name": "compute",
                    "descr": "All nodes of the sandbox",
                    "scheduler": "firecrest-scheduler",
                    "launcher": "firecrest-srun",
                    "environs": ["builtin"],
                    "features": ["remote"],
                    "max_jobs": 8,
                },
            ],
        },
    ],
    "environments": [
        {
            "name": "builtin",
            "cc": "gcc",
            # Empty, because no check needs these two compilers.
            "cxx": "",
            "ftn": "",
            "features": ["openmp"],
            "extras": {"omp_flag": "-fopenmp"},
            "target_systems": ["sandbox"],
        },
    ],
    "general": [
        {
            # Without this, ReFrame polls only once in 10 s. Polling is cheap: it reads the state
            # that the plugin has and sends no request.
            "poll_rate_min": 2,
            "target_systems": ["sandbox"],
        },
    ],
}
