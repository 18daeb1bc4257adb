"""Files that appear complete or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class KeepTarget(Exception):  # noqa: N818 - not an error
    """Raised in the block of `atomic_file` to keep the target as it is."""


@contextmanager
def atomic_file(target: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Open a new file for writing and reading, and replace the target with it when the block ends.

    If the block raises, the target stays as it is. Links are not followed: a link in the target's place is
    replaced, and the new file never writes through one.

    Args:
        target: the file to write.
        mode: permission bits of the new file before the umask is applied.

    Raises:
        OSError: the file can't be written.
    """
    partial = partial_path(target)
    # O_EXCL also refuses a link (open(2)). Path.open has no opener.
    with open(partial, "x+b", opener=lambda path, flags: os.open(path, flags, mode)) as file:
        try:
            yield file
            # Report errors of delayed writes before the target is replaced.
            file.close()
            partial.replace(target)
        except KeepTarget:
            pass
        finally:
            partial.unlink(missing_ok=True)


def atomic_write(target: Path, text: str) -> None:
    """Write a text file atomically.

    Raises:
        OSError: the file can't be written.
    """
    with atomic_file(target) as file:
        file.write(text.encode())


def partial_path(target: Path) -> Path:
    """Return a new name in the target's directory, of a length that any target allows."""
    return target.parent / f".{secrets.token_hex(8)}.part"
