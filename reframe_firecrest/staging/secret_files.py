"""Files that are never sent unless a user maps them: they may hold secrets.

The rules are strict: a file that is left here costs a warning, while others may read a key on the system.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection
from pathlib import Path

_SUSPICIOUS = re.compile(
    r"""
    .*\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk|gpg|asc|crt|cer|der)
    | (?:id_|ssh_host_)(?:rsa|dsa|ecdsa|ed25519).*
    | .*(?:credential|secret|passw|token(?!i[sz])|apikey|api_key|netrc|htpasswd).*
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Names of files with keys, passwords or tokens."""

_MARKER = b"PRIVATE KEY-----"
_BEGINNING = 65_536
"""Bytes in which a private key is looked for; PEM files start with the key, or with a certificate."""


def reason_to_keep(root: str, path: str, private: Collection[str]) -> str | None:
    """Return why a file or directory must stay here; None if it may be sent.

    Args:
        root: directory of the tests' code that contains it.
        path: its path below the root; empty for the root itself.
        private: files that must stay here, with links resolved.

    Raises:
        OSError: it can't be read.
    """
    local = f"{root}/{path}".rstrip("/")
    real, real_root = os.path.realpath(local), os.path.realpath(root)
    if real != real_root and not real.startswith(f"{real_root}/"):
        return f"a link leads from {root} to {real}"
    parts = {*path.split("/"), *real[len(real_root) :].split("/")}
    if any(part.startswith(".") for part in parts):
        return "hidden files may hold secrets"
    if any(_SUSPICIOUS.fullmatch(part) for part in parts):
        return "its name suggests a secret"
    if real in private:
        return "it belongs to the settings"
    mode = Path(real).stat().st_mode
    if stat.S_ISREG(mode):
        return "it contains a private key" if _has_key(real) else None
    return None if stat.S_ISDIR(mode) else "it is neither a file nor a directory"


def _has_key(path: str) -> bool:
    with Path(path).open("rb") as file:
        return _MARKER in file.read(_BEGINNING)
