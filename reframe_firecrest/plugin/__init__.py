"""Everything that ReFrame calls, and every patch of ReFrame."""
