"""FirecREST v2, in modules named after the sections of its API."""
