"""Remove what runs have left on a system: their jobs and their directories."""
