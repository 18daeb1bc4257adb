"""State of a run as its journal shows it, for people and scripts."""
