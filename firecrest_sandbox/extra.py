"""The optional dependencies of the server."""

from __future__ import annotations

import importlib

MODULES = ("fastapi", "jwt", "python_multipart", "uvicorn")
"""Modules that the extra `sandbox` installs."""


def missing_extra() -> str | None:
    """Return an error message if the extra `sandbox` is not installed, else None."""
    try:
        for module in MODULES:
            importlib.import_module(module)
    except ModuleNotFoundError as error:
        return (
            f"the sandbox needs the module {error.name!r}; "
            "install it with: pip install 'reframe-firecrest[sandbox]'"
        )
    return None
