"""Implementation of the gateway protocol for FirecREST v1."""
