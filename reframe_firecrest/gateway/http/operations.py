"""Operations at a gateway, and how each may be treated: as data."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Operation:
    """One kind of operation.

    Attributes:
        name: for messages to the user.
        idempotent: carrying it out twice has the same effect as once.
        fallback: there is another way to carry it out if the gateway cuts it off.
        timeout: seconds until an unanswered request counts as lost. The gateway itself ends a file operation
            after 5 s and a Slurm command after 10 s.
        retry_timeout: seconds for which it is retried at most; short if the caller retries it as well.
    """

    name: str
    idempotent: bool = True
    fallback: bool = False
    timeout: float = 30.0
    retry_timeout: float = math.inf


# A short timeout, so that users of a gateway that never answers get an error within 15 s.
CONNECT = Operation("querying the system", timeout=10.0)
REACH_STORAGE = Operation("reaching the S3 storage", timeout=10.0)
STATUS = Operation("querying nodes")
USER = Operation("querying the user's accounts")
MKDIR = Operation("creating a directory")
CHMOD = Operation("changing permissions")
LIST_FILES = Operation("listing files")
STAT = Operation("inspecting a file")
# Each attempt has its own file name, since a late one must not truncate a file that is being unpacked.
UPLOAD = Operation("uploading", fallback=True, timeout=120.0)
DOWNLOAD = Operation("downloading", fallback=True, timeout=120.0)
# There is no other way for a part of a file, nor for any file where the gateway has no storage.
UPLOAD_ONLY = Operation("uploading", timeout=120.0)
DOWNLOAD_ONLY = Operation("downloading", timeout=120.0)
READ_LOG = Operation("reading the log of a transfer job")
# A late attempt would overwrite what a job has written, so only a caller that can exclude that retries it.
EXTRACT = Operation("unpacking an archive", idempotent=False, fallback=True)
UNPACK = Operation("queueing the unpacking of an archive", idempotent=False)
# Two transfer jobs that receive, send or pack a file do no harm: each has its own file name.
TRANSFER = Operation("queueing a transfer")
# A transfer that is opened and not used leaves nothing behind.
OPEN = Operation("opening a transfer")
# Not idempotent if the caller looks for the transfer by its name before it queues another.
QUEUE = Operation("queueing a transfer", idempotent=False)
# Each attempt has its own file name, since a late one must not rewrite a file that is being downloaded.
ARCHIVE = Operation("packing files", fallback=True)
REMOVE = Operation("removing files", fallback=True)
SUBMIT = Operation("submitting a job", idempotent=False)
LIST_JOBS = Operation("listing jobs")
# The watcher retries it, and counts for each job for how long that has failed.
ASK_JOB = Operation("querying a job", retry_timeout=5.0)
TASK = Operation("querying the result of a request")
CANCEL = Operation("cancelling a job")
TOKEN = Operation("fetching a token", timeout=8.0)
# An interpreter starts slowly on a loaded machine, and then asks an identity provider.
TOKEN_COMMAND = Operation("running the token command", timeout=30.0)
