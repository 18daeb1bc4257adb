"""Two systems; where their gateways are, and who we are there, the environment says."""

import reframe_firecrest  # noqa: F401 - importing registers the scheduler and the launcher


def system(name: str) -> dict[str, object]:
    partition = {
        "name": "compute",
        "scheduler": "firecrest-scheduler",
        "launcher": "firecrest-srun",
        "environs": ["builtin"],
        "features": ["remote"],
    }
    return {"name": name, "hostnames": ["^$"], "modules_system": "nomod", "partitions": [partition]}


site_configuration = {
    "systems": [system("alpha"), system("beta")],
    "environments": [
        {"name": "builtin", "cc": "gcc", "cxx": "", "ftn": "", "target_systems": ["alpha", "beta"]}
    ],
    "modes": [{"name": "nightly", "options": ["--tag=quick"]}],
    "general": [{"poll_rate_min": 2}],
}
