"""Clients that have gone before their request was whole."""

from fastapi import Request, Response


async def client_closed_request(request: Request, error: Exception) -> Response:  # noqa: ARG001  FastAPI's form
    """End a request that nobody waits for; the status, which is nginx's, shows in logs only."""
    return Response(status_code=499)
