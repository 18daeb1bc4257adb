"""Files of the documentation that are written from the code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn


def update(directory: Path, files: Mapping[str, Callable[[], str]], *, check: bool) -> list[str]:
    """Write files, or only check them; return the names of those that were not up to date.

    Args:
        directory: the directory of the files.
        files: names of the files, with the functions that return their content.
        check: write nothing.
    """
    stale = []
    for name, content_of in files.items():
        path, content = directory / name, content_of()
        if path.exists() and path.read_text(encoding="utf-8") == content:
            continue
        stale.append(name)
        if not check:
            path.write_text(content, encoding="utf-8")
    return stale


def run(directory: Path, files: Mapping[str, Callable[[], str]]) -> NoReturn:
    """Update files as a script does; with ``--check``, fail if one is not up to date."""
    check = "--check" in sys.argv[1:]
    stale = update(directory, files, check=check)
    for name in stale:
        print("not up to date:" if check else "written:", f"docs/{directory.name}/{name}")
    sys.exit(check and bool(stale))
