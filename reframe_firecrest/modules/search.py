"""Select available modules as the modules systems do. Pure functions.

Seen with Lmod 8.6.19 and Environment Modules 5.2.0: ``module -t avail TEXT`` of Lmod finds TEXT anywhere, in
lower or upper case, and then omits directories such as ``gcc/``. Environment Modules compares the beginning,
in lower or upper case since 5.0 (its ``icase`` option). ``spack find TEXT`` takes TEXT as the name of a
package, or as its name and version.
"""

from __future__ import annotations

from collections.abc import Iterable

from reframe_firecrest.modules.snapshot import ENVMOD, LMOD


def search(names: Iterable[str], text: str, kind: str, version: str) -> list[str]:
    """Return the names that a modules system lists for a text.

    Args:
        names: all available modules.
        text: the text; an empty one selects all.
        kind: the modules system.
        version: its version.
    """
    if not text:
        return [*names]
    if kind == LMOD:
        lower = text.lower()
        return [name for name in names if lower in name.lower() and not name.endswith("/")]
    if kind == ENVMOD:
        if _major(version) < 5:
            return [name for name in names if name.startswith(text)]
        return [name for name in names if name.lower().startswith(text.lower())]
    package, _, wanted = text.partition("@")
    return [name for name in names if _matches(name, package, wanted)]


def _major(version: str) -> int:
    number = version.partition(".")[0]
    return int(number) if number.isdecimal() else 5


def _matches(name: str, package: str, version: str) -> bool:
    own, _, rest = name.partition("/")
    return own == package and (not version or rest.rpartition("-")[0] == version)
