"""Start the server: `python -m firecrest_sandbox`."""

from firecrest_sandbox.cli import main

main()
