"""Local results of a job: directories, links, deletions and placeholders, and the record of both sides."""

from __future__ import annotations

import logging
from collections import defaultdict
from pathlib import Path

from reframe_firecrest.model import errors
from reframe_firecrest.session.retrieval import RetrievalRequest
from reframe_firecrest.session.stage_directory import StageDirectory
from reframe_firecrest.staging.local_sync import place_link, relative_target, remove_deleted
from reframe_firecrest.staging.manifest import scan
from reframe_firecrest.staging.placeholder import create_placeholder, place_closed_directory
from reframe_firecrest.staging.placeholder_index import Index
from reframe_firecrest.staging.read_guard import forget
from reframe_firecrest.staging.retrieval_plan import Plan, remember
from reframe_firecrest.staging.safe_paths import safe_directory

_LOGGER = logging.getLogger(__name__)


def apply_results(request: RetrievalRequest, root: str) -> None:
    """Apply what archives do not carry, and record the state of both sides. The files have been fetched.

    Args:
        request: the job's retrieval.
        root: the run's remote directory.

    Raises:
        StagingError: the local stage directory can't be read or written.
    """
    directory, plan = request.directory, request.plan or Plan()
    _make_directories(directory, plan)
    _make_links(directory, plan, root)
    _place_placeholders(request, plan, root)
    _remove_deleted(directory, plan)
    directory.left = (directory.left - plan.files.keys()) | plan.left.keys()
    for path in plan.files.keys() - plan.suspects:
        directory.translated.pop(path, None)
    directory.remote.update(remember(request.listing))
    _record_fingerprints(directory, plan)


def _make_directories(directory: StageDirectory, plan: Plan) -> None:
    for path in plan.directories:
        try:
            safe_directory(directory.local, path)
        except (errors.HostileArchiveError, FileExistsError) as error:
            _LOGGER.warning("directory not created: %s: %s", path, error)


def _make_links(directory: StageDirectory, plan: Plan, root: str) -> None:
    remote = f"{root}/{directory.relative}"
    for path, target in plan.links.items():
        if not place_link(directory.local, path, relative_target(path, target, remote)):
            plan.left[path] = f"it is a link to {target}"


def _remove_deleted(directory: StageDirectory, plan: Plan) -> None:
    """Remove files that the job has removed, except for those that were changed here meanwhile."""
    here = scan(directory.local)
    unchanged = [
        path
        for path in plan.gone
        if path in here and here[path].fingerprint == directory.fingerprints.get(path)
    ]
    remove_deleted(directory.local, unchanged)
    for path in plan.gone:
        directory.remote.pop(path, None)
        directory.fingerprints.pop(path, None)


def _record_fingerprints(directory: StageDirectory, plan: Plan) -> None:
    alike = {*plan.files, *plan.directories, *plan.left, *plan.links}
    below_links = tuple(f"{path}/" for path in plan.links)
    directory.fingerprints.update(
        {
            path: entry.fingerprint
            for path, entry in scan(directory.local).items()
            if path in alike or path.startswith(below_links)
        }
    )


def _place_placeholders(request: RetrievalRequest, plan: Plan, root: str) -> None:
    """Put placeholders in place of files that stay on the system; make fetched files readable."""
    local = request.directory.local
    index = Index(local)
    for path in (*plan.files, *plan.directories):
        forget(Path(local, path))
    index.forget([*plan.files, *plan.directories, *plan.links, *plan.gone])
    sizes = {path: known.size for path, known in request.directory.remote.items()}
    sizes |= {entry.path: entry.size for entry in request.listing}
    remote = f"{root}/{request.directory.relative}"
    reasons: dict[str, list[str]] = defaultdict(list)
    for path, reason in (*plan.closed.items(), *plan.left.items()):
        content = f"{remote}/{path}: {reason}"
        try:
            if path in plan.closed:
                place_closed_directory(local, path, content, index)
                reasons[reason].insert(0, path)
            else:
                reasons[reason].append(path)
                create_placeholder(local, path, sizes.get(path, 0), content, index)
        except errors.HostileArchiveError as error:
            reasons[f"no placeholder could be created: {error}"].append(path)
    _save(index)
    for reason, paths in reasons.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        _LOGGER.warning("left on the system: %s/%s%s: %s", remote, paths[0], more, reason)


def _save(index: Index) -> None:
    try:
        index.save()
    except OSError as error:
        raise errors.StagingError(f"{error.filename}: {error.strerror or error}") from None
