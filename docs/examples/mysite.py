"""Settings for the examples: whatever system the FIRECREST_* variables name."""

import reframe_firecrest  # noqa: F401 - registers the scheduler and the launcher

site_configuration = {
    "systems": [
        {
            "name": "mysite",
            "hostnames": [".*"],
            "partitions": [
                {
                    "name": "compute",
                    "scheduler": "firecrest-scheduler",
                    "launcher": "firecrest-srun",
                    "environs": ["builtin"],
                },
            ],
        },
    ],
    "environments": [
        # Add "features": ["jupyter"] where `jupyter server` is on the PATH of a job.
        {"name": "builtin", "cc": "gcc", "target_systems": ["mysite"]},
    ],
}
