"""Trouble on demand: latency, a rate limit, faults; and the count of what was asked."""
