"""The command line: thin; every subcommand calls a function that a test can call."""
