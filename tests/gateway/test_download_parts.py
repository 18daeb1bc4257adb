"""A file that is downloaded in parts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from reframe_firecrest.gateway.direct_transfer import PARTS_AT_A_TIME, download_parts
from reframe_firecrest.model import errors

PARTS = [
    (f"/run/split/0.aaa{letter}", size) for letter, size in zip("abcdefgh", (5,) * 7 + (2,), strict=True)
]


class Source:
    """Parts on the system; those asked for first come last."""

    def __init__(self, wrong: str = "") -> None:
        self.wrong = wrong
        self.open = self.most = 0

    async def get(self, path: str, size: int) -> bytes:
        self.open += 1
        self.most = max(self.most, self.open)
        for _ in range(10 - self.open):
            await asyncio.sleep(0)
        self.open -= 1
        return path[-1].encode() * (size + (path == self.wrong))


def test_the_parts_are_joined_in_order(tmp_path: Path) -> None:
    source, seen = Source(), []
    asyncio.run(
        download_parts(PARTS, tmp_path / "file", source.get, lambda done, total: seen.append((done, total)))
    )
    assert (tmp_path / "file").read_text() == "".join(letter * 5 for letter in "abcdefg") + "hh"
    assert seen[-1] == (37, 37)


def test_few_parts_are_in_memory_at_a_time(tmp_path: Path) -> None:
    source = Source()
    asyncio.run(download_parts(PARTS, tmp_path / "file", source.get, lambda _done, _total: None))
    assert source.most == PARTS_AT_A_TIME


@pytest.mark.parametrize("wrong", [PARTS[0][0], PARTS[-1][0]], ids=["first", "last"])
def test_a_part_of_another_size_leaves_no_file(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(errors.DamagedArchiveError, match="were received"):
        asyncio.run(download_parts(PARTS, tmp_path / "file", Source(wrong).get, lambda _done, _total: None))
    assert list(tmp_path.iterdir()) == []
