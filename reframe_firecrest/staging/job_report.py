r"""Report of a job at its end: a listing of its stage directory and the small files that it has changed.

The job's script packs both into one archive in the directory of claims, so that retrieval needs neither a
listing nor an archive of its own. A job makes no report if that could miss anything: if it has several nodes
or parts, since one node may see the files of another late, or if other processes of its session may still
write. Without a report, or if it is damaged, the results are listed and packed as usual.

The commands need GNU find and tar, and pgrep. They work in any POSIX shell.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from reframe_firecrest.model.errors import DamagedArchiveError
from reframe_firecrest.model.file_names import from_wire
from reframe_firecrest.model.remote_file import FileKind, RemoteFile
from reframe_firecrest.staging.unpack import Destination, unpack

SUFFIX = ".tgz"
"""Suffix of a report's name, which is the token of the submission."""

LARGEST_FILE = 64 * 1024
"""Bytes of the largest file in a report; larger ones are fetched as usual."""

LARGEST_LISTING = 128 * 1024
"""Bytes of the largest listing in a report."""

LARGEST = 512 * 1024
"""Bytes of the largest report."""

TIMEOUT = 5
"""Time limit of each command that lists or packs, in seconds."""

_FIELDS = 7
_FORMAT = r"%y\0%M\0%s\0%TY-%Tm-%TdT%TH:%TM:%TS\0%u\0%l\0%P\0"
_KINDS = {"f": FileKind.FILE, "d": FileKind.DIRECTORY, "l": FileKind.LINK}
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_PERMISSIONS = re.compile("[-rwxsStT]{9}")
_OWNER = re.compile(r"[^\x00-\x20\x7f]{1,64}")
_SIZE = re.compile("[0-9]{1,18}")


def removing(claim: str) -> str:
    """Return the paths of a report, quoted, for ``rm``.

    Args:
        claim: path of the submission's claim.
    """
    return " ".join(shlex.quote(f"{claim}{suffix}") for suffix in (SUFFIX, ".list", ".part"))


def reporting(claim: str, directory: str, reference: str) -> Iterator[str]:
    """Yield the commands that make a report, inside a function that ends the script.

    Args:
        claim: path of the submission's claim.
        directory: the stage directory.
        reference: a file that is older than the test's first command, quoted.
    """
    report, listing, part = (shlex.quote(f"{claim}{suffix}") for suffix in (SUFFIX, ".list", ".part"))
    claims, _, token = claim.rpartition("/")
    yield '[ "${SLURM_JOB_NUM_NODES-}" = 1 ] || return 0'
    yield '[ -z "${SLURM_ARRAY_JOB_ID-}${SLURM_HET_JOB_ID-}${SLURM_PACK_JOB_ID-}" ] || return 0'
    # Slurm's own process may lead the session.
    yield "set -- $(exec pgrep -d ' ' -s 0 2>/dev/null)"
    yield '[ -n "${1-}" ] || return 0'
    yield "for __reframe_firecrest_word; do"
    yield '[ "$__reframe_firecrest_word" != "$$" ] && [ "$__reframe_firecrest_word" != "$PPID" ] || continue'
    yield "__reframe_firecrest_found="
    yield "read -r __reframe_firecrest_found < /proc/$__reframe_firecrest_word/stat || :"
    # It has ended, or is a zombie.
    yield "case \"$__reframe_firecrest_found\" in '' | *') Z '*) ;; *) return 0 ;; esac"
    yield "done 2>/dev/null"
    yield "( unset LD_PRELOAD LD_LIBRARY_PATH TZ TAR_OPTIONS; LC_ALL=C; export LC_ALL"
    yield f"command rm -f {report}; cd {shlex.quote(directory)} || exit"
    # The search ends where the listing is too large. An error makes it invalid.
    yield f"{{ command timeout {TIMEOUT} find . -mindepth 1 -printf '{_FORMAT}' || printf invalid; }} |"
    yield f"command head -c {LARGEST_LISTING + 1} > {listing}"
    yield f'[ -s {listing} ] && [ "$(command wc -c < {listing})" -le {LARGEST_LISTING} ] || exit'
    yield (
        rf"command timeout {TIMEOUT} find . -type f -size -{LARGEST_FILE + 1}c "
        rf"\( -cnewer {reference} -o -size 0 \) -print0 |"
    )
    yield (
        f"command timeout {TIMEOUT} tar -czf {part} -C {shlex.quote(claims)} {token}.list "
        f"-C {shlex.quote(directory)} --null --no-recursion -T - || exit"
    )
    yield f'[ "$(command wc -c < {part})" -le {LARGEST} ] && command mv -f {part} {report}'
    yield f") >/dev/null 2>&1; command rm -f {listing} {part} 2>/dev/null"


def read_listing(report: Path, token: str) -> list[RemoteFile]:
    """Return the listing in a report.

    Args:
        report: the report.
        token: token of the submission.

    Raises:
        StagingError: it has no valid listing.
    """
    name = f"{token}.list"
    local = report.parent / name
    try:
        if name not in unpack(report, {name: Destination(str(local.parent), name, LARGEST_LISTING)}).placed:
            raise _damaged("a job's report has no listing")
        return _parse(local.read_bytes())
    finally:
        local.unlink(missing_ok=True)


def _parse(listing: bytes) -> list[RemoteFile]:
    fields = listing.decode("utf-8", "surrogateescape").split("\0")
    if fields.pop() or len(fields) % _FIELDS:
        raise _damaged("the listing in a job's report is invalid")
    return [_entry(fields[at : at + _FIELDS]) for at in range(0, len(fields), _FIELDS)]


def _entry(fields: Sequence[str]) -> RemoteFile:
    kind, mode, size, mtime, owner, target, path = fields
    time, permissions = mtime[:19], mode[1:10]
    valid = (
        _SIZE.fullmatch(size)
        and _TIME.fullmatch(time)
        and _PERMISSIONS.fullmatch(permissions)
        and _OWNER.fullmatch(owner)
        and path
    )
    if not valid:
        raise _damaged("the listing in a job's report is invalid")
    return RemoteFile(
        path=from_wire(path),
        kind=_KINDS.get(kind, FileKind.OTHER),
        size=int(size),
        mtime=time,
        target=from_wire(target) if kind == "l" else None,
        permissions=permissions,
        owner=owner,
    )


def _damaged(problem: str) -> DamagedArchiveError:
    return DamagedArchiveError(f"an archive from the remote side is damaged: {problem}")
