"""Sample settings for CSCS Alps, written from public documentation and not tested there.

Sources, read on 2026-11-28: https://docs.cscs.ch/access/firecrest (gateways, systems and tokens),
https://docs.cscs.ch/services/devportal (clients).

Create a client in CSCS's developer portal and set the credentials and a directory on the system:

    export FIRECREST_CLIENT_ID=...
    export FIRECREST_CLIENT_SECRET_FILE=$HOME/.config/firecrest-secret
    export FIRECREST_BASEDIR=/capstor/scratch/cscs/$USER
    export FIRECREST_ACCOUNT=...

If you have an API key instead, set FIRECREST_API_KEY_FILE, and remove `token_url` below.
Compare the names of partitions, uenvs and modules with the output of `reframe-firecrest detect` and
with the documentation of your system before the first run.
"""

import os

import reframe_firecrest  # noqa: F401 - importing registers the scheduler and the launcher

TOKEN_URL = "https://auth.cscs.ch/auth/realms/firecrest-clients/protocol/openid-connect/token"

# A gateway for each platform of Alps, and the systems that it serves.
PLATFORMS = {
    "hpc": ["daint", "eiger"],
    "ml": ["clariden", "bristen"],
    "cw": ["santis"],
}

ACCOUNT = os.environ.get("FIRECREST_ACCOUNT")
ACCESS = [f"--account={ACCOUNT}"] if ACCOUNT else []

# Programming environment of the partition `uenv`, mounted by Slurm's plugin on the compute nodes.
UENV = ["--uenv=prgenv-gnu/24.11:v2", "--view=default"]


def partition(name: str, *options: str, environs: list[str], features: list[str]) -> dict[str, object]:
    """Return a partition of Slurm's partition `normal`.

    Args:
        name: its name in ReFrame.
        options: further options of sbatch.
        environs: names of its environments.
        features: names by which tests select it.
    """
    return {
        "name": name,
        "scheduler": "firecrest-scheduler",
        "launcher": "firecrest-srun",
        "access": ["--partition=normal", *ACCESS, *options],
        "environs": environs,
        "features": ["remote", *features],
        "max_jobs": 20,
    }


def system(name: str, platform: str) -> dict[str, object]:
    """Return one system.

    Args:
        name: its name in FirecREST and in ReFrame.
        platform: the platform whose gateway serves it.
    """
    return {
        "name": name,
        "hostnames": [".*"],
        # `nomod` would leave the `module load` lines out of job scripts.
        "modules_system": "lmod",
        "sched_options": {
            "firecrest": {
                "url": f"https://api.cscs.ch/{platform}/firecrest/v2",
                "token_url": TOKEN_URL,
                "system": name,
            },
        },
        "partitions": [
            partition("normal", environs=["builtin"], features=[]),
            partition("uenv", *UENV, environs=["prgenv-gnu"], features=["uenv"]),
            partition("cpe", environs=["PrgEnv-gnu"], features=["cpe"]),
        ],
    }


SYSTEMS = [name for names in PLATFORMS.values() for name in names]

site_configuration = {
    "systems": [system(name, platform) for platform, names in PLATFORMS.items() for name in names],
    "environments": [
        {
            "name": "builtin",
            "cc": "gcc",
            "cxx": "g++",
            "ftn": "gfortran",
            "features": ["openmp"],
            "extras": {"omp_flag": "-fopenmp"},
            "target_systems": SYSTEMS,
        },
        # The view of the uenv has the MPI wrappers in PATH.
        {
            "name": "prgenv-gnu",
            "cc": "mpicc",
            "cxx": "mpic++",
            "ftn": "mpifort",
            "features": ["openmp", "mpi"],
            "extras": {"omp_flag": "-fopenmp"},
            "target_systems": SYSTEMS,
        },
        # The Cray programming environment (CPE), loaded by modules.
        {
            "name": "PrgEnv-gnu",
            "modules": ["cray", "PrgEnv-gnu"],
            "cc": "cc",
            "cxx": "CC",
            "ftn": "ftn",
            "features": ["openmp", "mpi"],
            "extras": {"omp_flag": "-fopenmp"},
            "target_systems": SYSTEMS,
        },
    ],
    "general": [
        {
            # The modules system is on the system, not on this machine.
            "resolve_module_conflicts": False,
            # CSCS recommends a login shell for job scripts.
            "use_login_shell": True,
            "remote_detect": False,
            "poll_rate_min": 2,
            "target_systems": SYSTEMS,
        },
    ],
}
