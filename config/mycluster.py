"""Sample settings of a site: copy this file, and replace `mycluster`.

They are for runs from a laptop or a CI pipeline: the machine on which ReFrame runs needs no Slurm,
no modules system and no compiler of the cluster.

The gateway and the credentials come from the environment (see docs/own-system.md):

    export FIRECREST_URL=https://...
    export AUTH_TOKEN_URL=https://.../token
    export FIRECREST_CLIENT_ID=...
    export FIRECREST_CLIENT_SECRET_FILE=$HOME/.config/firecrest-secret
    export FIRECREST_BASEDIR=/path/on/the/cluster
    export FIRECREST_ACCOUNT=...
"""

import os

import reframe_firecrest  # noqa: F401 - importing registers the scheduler and the launcher

# Options of sbatch for every job. ReFrame writes them into the job script, because a gateway accepts
# no other options. To select nodes, add '--partition=...' or '--constraint=...' to the `access` list
# of a partition below.
ACCOUNT = os.environ.get("FIRECREST_ACCOUNT")
ACCESS = [f"--account={ACCOUNT}"] if ACCOUNT else []

# Resources that tests request by `extra_resources` or `num_gpus_per_node`, with their Slurm options.
# ReFrame replaces the braces.
RESOURCES = [
    {"name": "gpu", "options": ["--gres=gpu:{num_gpus_per_node}"]},
    {"name": "memory", "options": ["--mem={size}"]},
    # ReFrame's own name for a test's `num_gpus_per_node`.
    {"name": "_rfm_gpu", "options": ["--gres=gpu:{num_gpus_per_node}"]},
]

site_configuration = {
    "systems": [
        {
            "name": "mycluster",
            "descr": "A sample cluster behind FirecREST",
            # ReFrame selects a system by the name of the host on which it runs, such as a laptop or
            # a CI container. The only system of a file can match any name.
            "hostnames": [".*"],
            # With `lmod`, job scripts load their modules by `module load`. With `nomod` ReFrame
            # would leave these lines out. See `resolve_module_conflicts` below.
            "modules_system": "lmod",
            # Parent of the stage and output directories on this machine. Files on the cluster are
            # below FIRECREST_BASEDIR.
            "prefix": ".",
            # The plugin's settings for all partitions. A partition can override them by its own
            # `sched_options`, even with another gateway. Other settings come from the environment.
            # Never put the secret itself into a settings file.
            "sched_options": {
                "firecrest": {
                    # The cluster's name at the gateway.
                    "system": os.environ.get("FIRECREST_SYSTEM", "mycluster"),
                    # Largest number of concurrent requests; gateways that reach their clusters by
                    # SSH do not support many more.
                    "max_in_flight": 32,
                },
            },
            "partitions": [
                {
                    "name": "nvgpu",
                    "descr": "Nodes with four NVIDIA GPUs",
                    "scheduler": "firecrest-scheduler",
                    "launcher": "firecrest-srun",
                    "access": [*ACCESS],
                    "environs": [
                        "builtin",
                        "PrgEnv-cray",
                        "PrgEnv-gnu",
                        "PrgEnv-nvhpc",
                        "PrgEnv-nvidia",
                    ],
                    # Largest number of jobs that ReFrame keeps in Slurm's queue.
                    "max_jobs": 20,
                    # Tests select partitions by features: `valid_systems = ['+remote +nvgpu']`.
                    "features": ["remote", "gpu", "nvgpu"],
                    "resources": RESOURCES,
                    # ReFrame can detect only the processors of the machine on which it runs.
                    "processor": {
                        "arch": "x86_64",
                        "num_cpus": 128,
                        "num_cpus_per_core": 2,
                        "num_cpus_per_socket": 128,
                        "num_sockets": 1,
                    },
                    "devices": [
                        {"type": "gpu", "arch": "sm_80", "model": "NVIDIA A100", "num_devices": 4},
                    ],
                    # For tests with `container_image`; the job loads the module.
                    "container_platforms": [{"type": "Apptainer", "modules": ["apptainer"]}],
                },
                {
                    "name": "amdgpu",
                    "descr": "Nodes with eight AMD GPU devices",
                    "scheduler": "firecrest-scheduler",
                    "launcher": "firecrest-srun",
                    "access": [*ACCESS],
                    "environs": ["builtin", "PrgEnv-cray", "PrgEnv-gnu"],
                    # For tests without a time limit of their own.
                    "time_limit": "10m",
                    "max_jobs": 10,
                    "features": ["remote", "gpu", "amdgpu"],
                    "resources": RESOURCES,
                    "processor": {
                        "arch": "x86_64",
                        "num_cpus": 128,
                        "num_cpus_per_core": 2,
                        "num_cpus_per_socket": 128,
                        "num_sockets": 1,
                    },
                    "devices": [
                        {"type": "gpu", "arch": "gfx90a", "model": "AMD MI250X", "num_devices": 8},
                    ],
                    "container_platforms": [{"type": "Apptainer", "modules": ["apptainer"]}],
                },
            ],
        },
    ],
    "environments": [
        # checks/bandwidth.py compiles with `omp_flag` in environments with the feature `openmp`.
        {
            "name": "builtin",
            "cc": "gcc",
            "cxx": "g++",
            "ftn": "gfortran",
            "features": ["openmp"],
            "extras": {"omp_flag": "-fopenmp"},
            "target_systems": ["mycluster"],
        },
        # The compilers are the wrappers `cc`, `CC` and `ftn`; the module selects the actual compiler.
        {
            "name": "PrgEnv-cray",
            "modules": ["PrgEnv-cray"],
            "cc": "cc",
            "cxx": "CC",
            "ftn": "ftn",
            "features": ["openmp", "mpi"],
            "extras": {"omp_flag": "-fopenmp"},
            "target_systems": ["mycluster"],
        },
        {
            "name": "PrgEnv-gnu",
            "modules": ["PrgEnv-gnu"],
            "cc": "cc",
            "cxx": "CC",
            "ftn": "ftn",
            "features": ["openmp", "mpi"],
            "extras": {"omp_flag": "-fopenmp"},
            "target_systems": ["mycluster"],
        },
        {
            "name": "PrgEnv-nvhpc",
            "modules": ["PrgEnv-nvhpc"],
            "cc": "cc",
            "cxx": "CC",
            "ftn": "ftn",
            "features": ["openmp", "mpi", "cuda"],
            "extras": {"omp_flag": "-mp"},
            "target_systems": ["mycluster"],
        },
        {
            "name": "PrgEnv-nvidia",
            "modules": ["PrgEnv-nvidia"],
            "cc": "cc",
            "cxx": "CC",
            "ftn": "ftn",
            "features": ["openmp", "mpi", "cuda"],
            "extras": {"omp_flag": "-mp"},
            "target_systems": ["mycluster"],
        },
    ],
    "logging": [
        {
            "handlers": [
                {
                    # Detailed log of ReFrame and the plugin; read it after a failure.
                    "type": "file",
                    "name": "reframe.log",
                    "level": "debug2",
                    "format": "[%(asctime)s] %(levelname)s: %(check_info)s: %(message)s",
                    "append": False,
                },
            ],
            "handlers_perflog": [
                {
                    # One file per test below perflogs/mycluster/<partition>/, one line per run.
                    "type": "filelog",
                    "prefix": "%(check_system)s/%(check_partition)s",
                    "level": "info",
                    "format": (
                        "%(check_job_completion_time)s|reframe %(version)s|%(check_display_name)s|"
                        "%(check_environ)s|jobid=%(check_jobid)s|%(check_job_nodelist)s|"
                        "%(check_result)s|%(check_perfvalues)s"
                    ),
                    "format_perfvars": (
                        "%(check_perf_var)s=%(check_perf_value)s %(check_perf_unit)s|"
                        "ref=%(check_perf_ref)s|"
                        "lower=%(check_perf_lower_thres)s|upper=%(check_perf_upper_thres)s|"
                    ),
                    "append": True,
                },
            ],
            "target_systems": ["mycluster"],
        },
    ],
    "general": [
        {
            # Jobs load their modules on the cluster. True needs a snapshot of the modules, which
            # `reframe-firecrest detect --modules` takes; see docs/modules.md.
            "resolve_module_conflicts": False,
            # On many clusters, batch scripts have the `module` command only in a login shell.
            "use_login_shell": True,
            # `processor` above replaces ReFrame's detection, which would submit a job before every
            # run.
            "remote_detect": False,
            # Without this, ReFrame polls only once in 10 s. Polling is cheap: it reads the state
            # that the plugin has and sends no request.
            "poll_rate_min": 2,
            "target_systems": ["mycluster"],
        },
    ],
}
