"""One file that can't be packed does not keep the others from being packed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import pytest

from reframe_firecrest.gateway import partial_packing
from reframe_firecrest.gateway.partial_packing import pack_what_can_be
from reframe_firecrest.model import errors
from reframe_firecrest.model.remote_file import Archive

FILES = [f"t/{number}" for number in range(100)]


class Remote:
    """Packs, unless one of the culprits is among the files."""

    def __init__(self, *culprits: str, error: errors.GatewayError | None = None) -> None:
        self.culprits = set(culprits)
        self.error = error or errors.ForbiddenError("Permission denied")
        self.packed: set[str] = set()
        self.calls = 0

    async def __call__(self, files: Sequence[str]) -> Archive:
        self.calls += 1
        if self.culprits.intersection(files):
            raise self.error
        self.packed.update(files)
        return Archive(f"/x/{self.calls}.tgz")


def pack(remote: Remote, files: Sequence[str] = FILES) -> list[Archive]:
    return asyncio.run(pack_what_can_be([files], remote))


def test_where_all_can_be_packed_there_is_one_archive() -> None:
    remote = Remote()
    assert pack(remote) == [Archive("/x/1.tgz")]


@pytest.mark.parametrize(
    "error",
    [errors.ForbiddenError("no"), errors.NotFoundError("no"), errors.RejectedError("no")],
    ids=lambda error: type(error).__name__,
)
def test_the_culprits_are_found_in_few_attempts(error: errors.GatewayError) -> None:
    culprits = [FILES[3], FILES[77]]
    remote = Remote(*culprits, error=error)
    archives = pack(remote)
    assert remote.packed == set(FILES) - set(culprits)
    assert archives[0].refused == dict.fromkeys(culprits, "no")
    assert remote.calls <= 1 + 2 * len(culprits) * math.ceil(math.log2(len(FILES)))


def test_attempts_are_bounded_and_what_is_unclear_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_packing, "ATTEMPTS", 20)
    remote = Remote(*FILES[1:99:24])
    archives = pack(remote)
    assert remote.calls <= 20
    assert remote.packed | archives[0].refused.keys() == set(FILES)
    assert not remote.packed & archives[0].refused.keys()


def test_if_nothing_can_be_packed_the_reason_is_raised() -> None:
    with pytest.raises(errors.ForbiddenError):
        pack(Remote("a", "b"), ["a", "b"])


@pytest.mark.parametrize(
    "error",
    [errors.NoSpaceError("full"), errors.UncertainError("away"), errors.AuthError("who?")],
    ids=lambda error: type(error).__name__,
)
def test_what_no_file_is_to_blame_for_is_raised_at_once(error: errors.GatewayError) -> None:
    remote = Remote(FILES[0], error=error)
    with pytest.raises(type(error)):
        pack(remote)
    assert remote.calls == 1
