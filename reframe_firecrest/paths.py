"""The mapping of local to remote paths, and the translation of scripts. Pure functions.

Scripts that ReFrame generates name local stage paths: of the test's own stage directory and, through
fixtures, of others. On the remote side these paths mean nothing, so each is replaced by where the same
thing lies there.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

OUTSIDE = "_outside"
"""Directory for what lies outside the stage prefix, such as ReFrame's own detection job."""


@dataclass(frozen=True)
class PathMap:
    """Maps everything below the stage prefix to below the run's remote directory.

    Attributes:
        local: the stage prefix, absolute, without a slash at the end.
        remote: where its contents lie on the system, absolute, without a slash at the end.
        aliases: other spellings of the stage prefix, such as the one with symbolic links resolved.
    """

    local: str
    remote: str
    aliases: tuple[str, ...] = ()

    def relative(self, directory: str) -> str:
        """Return where a local directory lies below the remote root, as a relative path.

        A function of the path alone, so that whoever asks later finds the same place.
        """
        for root in (self.local, *self.aliases):
            if directory == root or directory.startswith(f"{root}/"):
                return str(PurePosixPath(directory).relative_to(root))
        digest = hashlib.sha256(directory.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        return f"{OUTSIDE}/{digest}/{PurePosixPath(directory).name}"

    def remote_directory(self, directory: str) -> str:
        """Return the remote path of a local directory."""
        return str(PurePosixPath(self.remote) / self.relative(directory))

    def translate(self, text: str, own_directory: str) -> str:
        """Replace local stage paths in a text by the remote ones.

        Args:
            text: a script.
            own_directory: the test's stage directory, which may lie outside the stage prefix.
        """
        roots = dict.fromkeys((self.local, *self.aliases), self.remote)
        if not any(own_directory == root or own_directory.startswith(f"{root}/") for root in roots):
            roots[own_directory] = self.remote_directory(own_directory)
        found = re.compile("|".join(re.escape(root) for root in sorted(roots, key=len, reverse=True)))

        def replace(match: re.Match[str]) -> str:
            if _is_whole_path(text, match.start(), match.end()):
                return roots[match.group()]
            return match.group()

        return found.sub(replace, text)


_PATH_TAIL = re.compile(r"[\w.+~/@-]*\Z")
_END_OF_A_WORD = "})]*?"
"""After one of these a path goes on, as in ``${HOME}/x``, ``$(pwd)/x`` or ``*/x``."""
_MORE_OF_A_NAME = re.compile(r"[\w.+~@-]")
_LOOK_BACK = 200


def _is_whole_path(text: str, start: int, end: int) -> bool:
    """Tell whether what stands at a place is a path of its own and not a piece of a longer one."""
    if _MORE_OF_A_NAME.match(text, end):
        return False
    before = _PATH_TAIL.search(text[max(0, start - _LOOK_BACK) : start])
    tail = before.group() if before else ""
    if not tail and text[start - 1 : start] and text[start - 1] in _END_OF_A_WORD:
        return False
    # A flag may stick to its path, as in -I/path; any other word before it makes it part of another path.
    return not tail or (tail.startswith("-") and "/" not in tail)
