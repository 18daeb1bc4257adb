"""Large files by way of an object storage."""
