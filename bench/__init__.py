"""The benchmark: `python -m bench` measures the product and prints what it needed beside what it may need."""
