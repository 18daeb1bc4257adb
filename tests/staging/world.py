"""A stage directory beside what must never change, and archives that try to change it."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

from reframe_firecrest.staging.unpack import Destination, Unpacked, unpack

Change = Callable[[tarfile.TarInfo], object]


def entries(top: Path) -> list[Path]:
    """List what lies below a directory; links are not followed, wherever they lead."""
    found = []
    for directory, subdirectories, files in os.walk(top):
        found += [Path(directory, name) for name in (*subdirectories, *files)]
    return sorted(found)


class World:
    """A stage directory, something beside it that must never change, and an archive."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stage = root / "stage"
        self.archive = root / "archive.tgz"
        (self.stage / "sub").mkdir(parents=True)
        (root / "outside").mkdir()
        (root / "outside" / "precious").write_text("mine")
        self.members: list[tuple[tarfile.TarInfo, bytes]] = []

    def member(self, name: str, content: bytes = b"new", change: Change | None = None) -> None:
        """Add a member to the archive."""
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = len(content), 1_700_000_000, 0o644
        if change is not None:
            change(info)
        self.members.append((info, content))

    def tar(self) -> bytes:
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for info, content in self.members:
                tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
        return plain.getvalue()

    def unpack(self, *paths: str, size: int = 10, packed: bytes | None = None) -> Unpacked:
        """Unpack the archive; what it holds of these paths is wanted under their own names."""
        self.archive.write_bytes(gzip.compress(self.tar()) if packed is None else packed)
        return self.take({f"t/{path}": Destination(str(self.stage), path, size) for path in paths})

    def take(self, wanted: dict[str, Destination]) -> Unpacked:
        """Unpack the archive as it lies there."""
        before = self.outside()
        try:
            return unpack(self.archive, wanted)
        finally:
            self.check(before)

    def check(self, before: object) -> None:
        """Check that nothing has changed outside, and that nothing half-made lies inside."""
        assert self.outside() == before, "something outside the stage directory has changed"
        left = [path.name for path in entries(self.stage) if path.name.endswith(".part")]
        assert not left, "a partial file was left behind"

    def outside(self) -> dict[str, tuple[object, ...]]:
        """Describe everything beside the stage directory."""
        found: dict[str, tuple[object, ...]] = {
            # The archive and the stage directory lie here too, and so its own time may change.
            "names": tuple(sorted(entry.name for entry in self.root.iterdir() if entry != self.archive))
        }
        for path in entries(self.root):
            if path not in (self.archive, self.stage) and self.stage not in path.parents:
                info = path.lstat()
                content = path.read_bytes() if path.is_file() and not path.is_symlink() else None
                found[str(path)] = (info.st_mode, info.st_nlink, info.st_mtime_ns, content)
        return found
