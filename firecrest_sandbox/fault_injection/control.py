"""Routes that read and reset the counts. They need a token, but are not counted and get no faults."""

from fastapi import APIRouter, Depends

from firecrest_sandbox.auth import authenticated
from firecrest_sandbox.fault_injection.counts import Stats
from firecrest_sandbox.state import AnyServer

router = APIRouter(prefix="/__sandbox", include_in_schema=False, dependencies=[Depends(authenticated)])


@router.get("/stats")
async def get_stats(server: AnyServer) -> Stats:
    """Return the counts."""
    return server.counts.read()


@router.post("/reset", status_code=204)
async def post_reset(server: AnyServer) -> None:
    """Set all counts to zero."""
    server.counts.reset()
