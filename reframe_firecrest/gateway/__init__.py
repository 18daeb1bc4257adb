"""The gateway room: a small protocol with an implementation per API version.

The only room that imports `firecrest` or `httpx`.
"""
