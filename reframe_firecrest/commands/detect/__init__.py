"""Detection of a system: a first site configuration, and the processors of its nodes."""
