"""Benchmark of the product: `python -m bench` prints its costs with their targets."""
