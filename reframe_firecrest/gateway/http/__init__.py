"""HTTP requests to a gateway: retries, throttling and error translation."""
