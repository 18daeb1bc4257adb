"""Finds out whether tests could run on a system and, if not, why and what to do."""
