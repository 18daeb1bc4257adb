"""Where the sandbox's v1 deliberately differs from the recorded gateway, and why.

docs/sandbox.md shows the same table to users; a test compares the two.
"""

from __future__ import annotations

from tests.firecrest_sandbox.differences import Difference

DIFFERENCES = {
    "v1-systems": Difference(
        "`/status/systems` (v1)",
        "lists the systems",
        "v2's answer, unless only v1 is served (`--api v1`)",
        "it is the one path that both generations have",
    ),
    "v1-paths": Difference(
        "Paths outside the root, and relative ones (v1)",
        "whatever the user may touch; relative to the home",
        "refused like paths without permission",
        "it acts as you, on your machine",
    ),
    "v1-users": Difference(
        "Users (v1)",
        "many; one without an account is refused by sshd",
        "one",
        "it acts as you, on your machine",
    ),
    "v1-cache": Difference(
        "Answers of `/status` (v1)",
        "kept for 16 minutes, for all users",
        "new each time",
        "nothing that they tell changes",
    ),
    "v1-polling": Difference(
        "Looks of the storage for an uploaded object (v1)",
        "every 60 s, for all uploads at once",
        "every 0.2 s (`--transfer-poll`)",
        "so that a test takes no minute",
    ),
    "v1-purged": Difference(
        "Jobs that ended some minutes ago in `/compute/jobs` (v1, embedded runner)",
        "unknown",
        "stay known",
        "nothing is gained by forgetting",
    ),
    "v1-expiry": Difference(
        "Tasks (v1)",
        "expire after 24 h (compute) or 31 days (storage)",
        "stay until the sandbox ends",
        "nothing is gained by forgetting",
    ),
    "v1-too-large": Difference(
        "An upload that is too large (v1)",
        "413, or a connection reset in the middle of the body",
        "413, after the whole body",
        "the reset depends on the proxy in front",
    ),
    "v1-parameters": Difference(
        "`grep` of `head` and `tail`, pages of `ls`, `endtime`, `userJobs` (v1)",
        "choose what is shown",
        "ignored",
        "rarely sent",
    ),
    "v1-zip": Difference(
        "`.zip` archives in `extract` (v1)",
        "unpacked by `unzip`",
        "an unsupported format",
        "nobody sends them",
    ),
    "v1-proxy": Difference(
        "What no route takes (v1)",
        "the proxy's or the service's own page",
        "`Invalid`, as Kong answers, or a short page",
        "it depends on the proxy in front",
    ),
    "v1-texts": Difference(
        "Descriptions of the parameters, complaints of `tar` and `ssh`'s wrapper (v1)",
        "its own",
        "other words",
        "nobody should read them by program",
    ),
}
"""By the name under which tests excuse them."""
