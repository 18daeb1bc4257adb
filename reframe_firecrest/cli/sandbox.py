"""The subcommand `reframe-firecrest sandbox`, which the package `firecrest_sandbox` provides."""

from firecrest_sandbox.cli import sandbox

__all__ = ["sandbox"]
