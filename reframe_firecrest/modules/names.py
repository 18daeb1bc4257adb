"""Names of modules and directories: anything else from the remote side is refused.

Names are written into job scripts and become parts of the names of tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

MAX_NAMES = 200_000
"""Largest number of modules of one system."""

_MODULE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,+@%=~:/-]{0,511}")
_DIRECTORY = re.compile(r"/[\w.,+@%=~:/ -]{0,4095}")
_VERSION = re.compile(r"[A-Za-z0-9_.+-]{0,64}")


@lru_cache(MAX_NAMES)
def is_module(text: str) -> bool:
    """Return true if a text can be the name of a module, such as ``gcc/12.2.0`` or the directory ``gcc/``."""
    return bool(_MODULE.fullmatch(text))


def is_directory(text: str) -> bool:
    """Return true if a text can be a directory of a module path."""
    return bool(_DIRECTORY.fullmatch(text))


def is_version(text: str) -> bool:
    """Return true if a text can be the version of a modules system; an unknown one is empty."""
    return bool(_VERSION.fullmatch(text))


def same_module(first: str, second: str) -> bool:
    """Return true if two names mean the same module; without a version, a name means every version.

    ReFrame compares modules in this way (``Module.__eq__``, 4.10).
    """
    name, _, version = first.partition("/")
    other, _, other_version = second.partition("/")
    return name == other and (not version or not other_version or version == other_version)


def without(names: Iterable[str], module: str) -> list[str]:
    """Return the names that do not mean a module."""
    return [name for name in names if not same_module(name, module)]
