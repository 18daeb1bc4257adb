"""FirecREST v2 behind the gateway protocol."""
