"""Clients that disconnect before they have sent the complete request."""

from fastapi import Request, Response


async def client_closed_request(request: Request, error: Exception) -> Response:  # noqa: ARG001  FastAPI's signature
    """End the request. The status is nginx's for this case, and appears in logs only."""
    return Response(status_code=499)
