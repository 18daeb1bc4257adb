"""FirecREST v1 behind the gateway's protocol."""
