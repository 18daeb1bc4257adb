"""Access to FirecREST: one protocol, with an implementation for each version of the API.

This is the only package that imports `firecrest` or `httpx`.
"""
