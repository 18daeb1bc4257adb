"""An object store that speaks the part of S3 that transfers need: presigned URLs and forms.

A client sends the parts of a file with PUT and joins them with POST, or sends the file in one form. GET
returns an object.
"""

PUBLIC_PREFIX = "/storage"
PRIVATE_PREFIX = "/__storage"
"""Prefix for the server's own transfer jobs. Their requests are not counted and get no faults."""
PREFIXES = (PUBLIC_PREFIX + "/", PRIVATE_PREFIX + "/")
METHODS = ("GET", "PUT", "POST")
