"""Check whether tests can run on a system; if not, explain what to do."""
