"""FirecREST v2; the modules follow the sections of its API."""
