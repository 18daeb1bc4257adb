"""Completion of arguments in shells."""

from __future__ import annotations

import os

from reframe_firecrest.journal.runs import names_in
from reframe_firecrest.settings import journal_directory


def run_names(incomplete: str) -> list[str]:
    """Return the names of the runs that begin with a text, the newest first."""
    return names_in(journal_directory(os.environ), incomplete)
