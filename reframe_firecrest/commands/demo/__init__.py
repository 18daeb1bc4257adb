"""Run the sample checks through the sandbox."""
