"""Deliberate differences of the sandbox's v1 from the recorded gateway, with reasons.

docs/sandbox.md shows the same table to users; a test compares the two.
"""

from __future__ import annotations

from tests.firecrest_sandbox.differences import Difference

DIFFERENCES = {
    "v1-systems": Difference(
        "`/status/systems` (v1)",
        "lists the systems",
        "v2's answer, unless only v1 is served (`--api v1`)",
        "both versions have this path",
    ),
    "v1-paths": Difference(
        "Paths outside the root, and relative ones (v1)",
        "all that the user may access; relative to the home",
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
        "cached for 16 minutes, for all users",
        "not cached",
        "they do not change",
    ),
    "v1-polling": Difference(
        "Interval of checks for uploaded objects (v1)",
        "every 60 s, for all uploads at once",
        "0.2 s (`--transfer-poll`)",
        "tests take seconds",
    ),
    "v1-purged": Difference(
        "Jobs that ended some minutes ago in `/compute/jobs` (v1, embedded runner)",
        "unknown",
        "remain available",
        "removal would have no benefit",
    ),
    "v1-expiry": Difference(
        "Tasks (v1)",
        "expire after 24 h (compute) or 31 days (storage)",
        "remain available until the sandbox stops",
        "removal would have no benefit",
    ),
    "v1-too-large": Difference(
        "An upload that is too large (v1)",
        "413, or a connection reset in the middle of the body",
        "413, after the whole body",
        "the reset depends on the proxy",
    ),
    "v1-parameters": Difference(
        "`grep` of `head` and `tail`, pages of `ls`, `endtime`, `userJobs` (v1)",
        "filter the answer",
        "ignored",
        "rarely used",
    ),
    "v1-zip": Difference(
        "`.zip` archives in `extract` (v1)",
        "unpacked by `unzip`",
        "an unsupported format",
        "rarely used",
    ),
    "v1-proxy": Difference(
        "Requests without a route (v1)",
        "a page of the proxy or of the service",
        "`Invalid`, as Kong answers, or a short page",
        "it depends on the proxy",
    ),
    "v1-texts": Difference(
        "Descriptions of parameters, messages of `tar` and `ssh`'s wrapper (v1)",
        "specific",
        "different texts",
        "programs should not parse them",
    ),
}
"""By the name under which tests excuse them."""
