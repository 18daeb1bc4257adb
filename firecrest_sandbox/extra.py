"""The optional dependencies of the server."""

from __future__ import annotations

import importlib

MODULES = ("fastapi", "jwt", "python_multipart", "uvicorn")
"""What the extra ``sandbox`` installs."""


def missing_extra() -> str | None:
    """Tell what the sandbox lacks, in one line; None if it has all."""
    try:
        for module in MODULES:
            importlib.import_module(module)
    except ModuleNotFoundError as error:
        return (
            f"the sandbox needs the module {error.name!r}; "
            "install it with: pip install 'reframe-firecrest[sandbox]'"
        )
    return None
