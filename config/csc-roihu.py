"""Sample settings for CSC Roihu, written from public documentation and not tested there.

Source, read on 2026-11-28: https://docs.csc.fi/computing/firecrest/connecting/

The gateway accepts access tokens of CSC's identity provider that were issued for the FirecREST API.
Write a token to a file that only you can read, and name a directory of your project:

    (umask 077; cat > "$HOME/.roihu-token")
    export FIRECREST_TOKEN_COMMAND="cat $HOME/.roihu-token"
    export FIRECREST_BASEDIR=/scratch/project_.../$USER
    export FIRECREST_ACCOUNT=project_...

Replace the command by one that renews the token if your runs last longer than a token is valid. Compare
the names of partitions and modules with the output of `reframe-firecrest detect` before the first run.
"""

import os

import reframe_firecrest  # noqa: F401 - importing registers the scheduler and the launcher

ACCOUNT = os.environ.get("FIRECREST_ACCOUNT")
ACCESS = [f"--account={ACCOUNT}"] if ACCOUNT else []


def partition(name: str, system: str, slurm_partition: str) -> dict[str, object]:
    """Return a partition.

    Args:
        name: its name in ReFrame.
        system: the gateway's name of the part of Roihu, `cpu` or `gpu`.
        slurm_partition: Slurm's name.
    """
    return {
        "name": name,
        "scheduler": "firecrest-scheduler",
        "launcher": "firecrest-srun",
        "access": [f"--partition={slurm_partition}", *ACCESS],
        "environs": ["builtin"],
        "features": ["remote", name],
        "max_jobs": 20,
        "sched_options": {"firecrest": {"system": system}},
    }


site_configuration = {
    "systems": [
        {
            "name": "roihu",
            "hostnames": [".*"],
            "modules_system": "lmod",
            "sched_options": {
                "firecrest": {
                    "url": "https://api.roihu.csc.fi/v1",
                    # CSC numbers its own generations of the API; this one is FirecREST v2.
                    "api_version": "2",
                },
            },
            # CSC recommends its test partitions for short runs.
            "partitions": [partition("cpu", "cpu", "test"), partition("gpu", "gpu", "gputest")],
        },
    ],
    "environments": [
        {
            "name": "builtin",
            "cc": "gcc",
            "cxx": "g++",
            "ftn": "gfortran",
            "features": ["openmp"],
            "extras": {"omp_flag": "-fopenmp"},
            "target_systems": ["roihu"],
        },
    ],
    "general": [
        {
            # The modules system is on the system, not on this machine.
            "resolve_module_conflicts": False,
            "use_login_shell": True,
            "remote_detect": False,
            "poll_rate_min": 2,
            "target_systems": ["roihu"],
        },
    ],
}
