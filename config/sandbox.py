"""Settings for the sandbox gateway: ``reframe-firecrest sandbox -- reframe -C config/sandbox.py ...``.

The sandbox exports the FIRECREST_* variables to the command that it starts, so nothing about the
gateway stands here.
"""

import reframe_firecrest  # noqa: F401 - importing registers the scheduler and the launcher

site_configuration = {
    "systems": [
        {
            "name": "sandbox",
            "descr": "The sandbox gateway's own nodes",
            # The gateway decides where jobs run, so these settings fit on any host.
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
            # Empty, because these two are not asked of the machine.
            "cxx": "",
            "ftn": "",
            "features": ["openmp"],
            "extras": {"omp_flag": "-fopenmp"},
            "target_systems": ["sandbox"],
        },
    ],
    "general": [
        {
            # ReFrame's rate falls to one look in ten seconds unless this is set. A look costs
            # nothing: it reads what the plugin knows and sends no request.
            "poll_rate_min": 2,
            "target_systems": ["sandbox"],
        },
    ],
}
