"""Journals: a record on disk of each session, which outlives its process."""
