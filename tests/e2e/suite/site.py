"""Settings with what sites have beside a plain partition."""

import reframe_firecrest  # noqa: F401 - importing registers the scheduler and the launcher


def partition(name, **more):
    return {
        "name": name,
        "scheduler": "firecrest-scheduler",
        "launcher": "firecrest-srun",
        "environs": ["builtin"],
        "max_jobs": 32,
        **more,
    }


site_configuration = {
    "systems": [
        {
            "name": "site",
            "hostnames": [".*"],
            # There is no Lmod on this side: loads are written into the script and run on the node.
            "modules_system": "lmod",
            "partitions": [
                partition("plain", time_limit="10m"),
                partition(
                    "modules",
                    prepare_cmds=['module() { echo "module $*"; }'],
                    container_platforms=[{"type": "Singularity"}],
                    launcher="local",
                ),
            ],
        },
    ],
    "environments": [{"name": "builtin", "cc": "gcc", "cxx": "", "ftn": ""}],
    "general": [{"resolve_module_conflicts": False, "use_login_shell": True, "poll_rate_min": 2}],
    "modes": [{"name": "quick", "options": ["-n ^OnAPlainPartition", "--exec-policy=serial"]}],
}
