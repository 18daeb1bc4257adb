"""A sample site: copy this file, and change what names `mycluster`.

It is for a run from a laptop or a pipeline: no Slurm, no modules system and no compiler of the
cluster has to be on the machine where ReFrame runs.

The gateway and the credentials come from the environment (see the README's table):

    export FIRECREST_URL=https://...
    export AUTH_TOKEN_URL=https://.../token
    export FIRECREST_CLIENT_ID=...
    export FIRECREST_CLIENT_SECRET_FILE=$HOME/.config/firecrest-secret
    export FIRECREST_BASEDIR=/path/on/the/cluster
    export FIRECREST_ACCOUNT=...
"""

import os

import reframe_firecrest  # noqa: F401 - importing registers the scheduler and the launcher

# Options that every job needs, as one would give them to sbatch. They are written into the job
# script: a gateway takes no options beside it. Add what selects the nodes, if the cluster's
# default is not right, to the partition's own list below: '--partition=...' or '--constraint=...'.
ACCOUNT = os.environ.get("FIRECREST_ACCOUNT")
ACCESS = [f"--account={ACCOUNT}"] if ACCOUNT else []

# What a test may ask for by `extra_resources` or `num_gpus_per_node`, and the Slurm option that
# stands for it. ReFrame fills in the braces.
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
            # ReFrame picks a system by the name of the host it runs on. Here that is a laptop, or
            # a container of a pipeline; with one system in the file, any name is right.
            "hostnames": [".*"],
            # With `lmod`, job scripts load their modules by `module load`. With `nomod` ReFrame
            # would leave these lines out. See `resolve_module_conflicts` below.
            "modules_system": "lmod",
            # Where stage and output directories lie on this machine. What is on the cluster lies
            # below FIRECREST_BASEDIR instead.
            "prefix": ".",
            # The plugin's settings, for all partitions; a partition may have a `sched_options` of
            # its own, with other values, also for another gateway. A key that is in neither comes
            # from the environment. The secret itself never stands in a settings file.
            "sched_options": {
                "firecrest": {
                    # The cluster's name as the gateway knows it.
                    "system": os.environ.get("FIRECREST_SYSTEM", "mycluster"),
                    # Requests that may be open at a time; a gateway that reaches its clusters
                    # over SSH does not stand many more.
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
                    # Jobs that ReFrame keeps in Slurm's queue at a time.
                    "max_jobs": 20,
                    # Tests choose partitions by features: `valid_systems = ['+remote +nvgpu']`.
                    "features": ["remote", "gpu", "nvgpu"],
                    "resources": RESOURCES,
                    # Written down, since ReFrame can look only at the machine it runs on.
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
                    # For tests with `container_image`; the module is loaded in the job.
                    "container_platforms": [{"type": "Apptainer", "modules": ["apptainer"]}],
                },
                {
                    "name": "amdgpu",
                    "descr": "Nodes with eight AMD GPU devices",
                    "scheduler": "firecrest-scheduler",
                    "launcher": "firecrest-srun",
                    "access": [*ACCESS],
                    "environs": ["builtin", "PrgEnv-cray", "PrgEnv-gnu"],
                    # For tests that do not name a time limit of their own.
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
        # `omp_flag` is what checks/bandwidth.py compiles with; the feature says that there is one.
        {
            "name": "builtin",
            "cc": "gcc",
            "cxx": "g++",
            "ftn": "gfortran",
            "features": ["openmp"],
            "extras": {"omp_flag": "-fopenmp"},
            "target_systems": ["mycluster"],
        },
        # The compilers are the wrappers `cc`, `CC` and `ftn`; the module decides what is behind.
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
                    # All that ReFrame and the plugin did, beside the run; read it after a failure.
                    "type": "file",
                    "name": "reframe.log",
                    "level": "debug2",
                    "format": "[%(asctime)s] %(levelname)s: %(check_info)s: %(message)s",
                    "append": False,
                },
            ],
            "handlers_perflog": [
                {
                    # One file a test below perflogs/mycluster/<partition>/, one line a run.
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
            # Otherwise ReFrame would run `module` on this machine to look for conflicts. Without,
            # it only writes the `module load` lines, and Lmod on the cluster does the rest.
            "resolve_module_conflicts": False,
            # Batch scripts on many clusters have no `module` command unless a login shell sets
            # it up.
            "use_login_shell": True,
            # Would send a job before every run to look at the processors; `processor` above says
            # what there is.
            "remote_detect": False,
            # ReFrame's rate falls to one look in ten seconds unless this is set. A look costs
            # nothing: it reads what the plugin knows and sends no request.
            "poll_rate_min": 2,
            "target_systems": ["mycluster"],
        },
    ],
}
