"""Latency, a rate limit and faults on demand, and the counts of requests."""
