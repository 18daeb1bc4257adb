"""The command line: options and output of the subcommands, whose work is done in `commands`."""
