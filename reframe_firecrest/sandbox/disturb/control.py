"""Reads and resets the counts: not delayed, not counted, no token, loopback only."""

import ipaddress

from fastapi import APIRouter, Request

from reframe_firecrest.sandbox.disturb.counts import Stats
from reframe_firecrest.sandbox.errors import GatewayError
from reframe_firecrest.sandbox.gateway import AnyGateway

router = APIRouter(prefix="/__sandbox", include_in_schema=False)


def _local_only(request: Request) -> None:
    if request.client is None or not ipaddress.ip_address(request.client.host).is_loopback:
        raise GatewayError(403, "Only from this machine.")


@router.get("/stats")
async def get_stats(request: Request, gateway: AnyGateway) -> Stats:
    """Return the counts."""
    _local_only(request)
    return gateway.counts.read()


@router.post("/reset", status_code=204)
async def post_reset(request: Request, gateway: AnyGateway) -> None:
    """Start counting anew."""
    _local_only(request)
    gateway.counts.reset()
