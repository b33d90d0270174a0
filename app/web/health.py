"""`/healthz`, `/readyz`, `/metrics`: for whoever watches the process.

`/metrics` holds figures only, no names; it is open to the machine itself and to the bearer of a token. Behind a
reverse proxy on the same machine, have the proxy set X-Forwarded-For, or everybody comes from the machine itself.
"""

import asyncio
from ipaddress import ip_address
from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from app.domain.messages import message
from app.store import journal
from app.store.database import DatabaseAway
from app.store.migrate import is_current
from app.web.access import admitted
from app.web.bearer import bearer_of
from app.web.problems import ProblemAnswer, WebProblem
from app.web.state import Web

router = APIRouter(tags=["service"])
_PATIENCE = 3.0


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether deliveries can be taken, and how far behind the dispatcher is."""

    ready: bool
    message: str = Field(description="What is the matter, and what to do about it.")
    undispatched: int | None = Field(default=None, description="Journal rows that wait for dispatch.")
    oldest_seconds: float | None = Field(default=None, description="Age of the oldest of them.")


@router.get("/healthz")
async def healthz() -> Alive:
    """The process is alive. Says nothing of the database."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Readiness}})
async def readyz(web: Web, request: Request, response: Response) -> Readiness:
    """Deliveries can be stored: the database is there and has the newest schema.

    A long queue does not make it unready: taking deliveries is what must go on then.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            readiness = await _look(web, request)
    except TimeoutError:
        readiness = Readiness(ready=False, message="The database takes too long to answer: look at its load.")
    except DatabaseAway as error:
        readiness = Readiness(ready=False, message=str(error))
    response.status_code = 200 if readiness.ready else 503
    return readiness


async def _look(web: Web, request: Request) -> Readiness:
    # Reading the migrations takes long enough to hold up deliveries, and a schema once new stays so.
    seen = request.app.state
    seen.schema_is_current = getattr(seen, "schema_is_current", False) or await is_current(web.database)
    if not seen.schema_is_current:
        return Readiness(ready=False, message="The database has another schema than this release: run `ogon migrate`.")
    async with web.database.reading() as session:
        backlog = await journal.backlog(session)
    age = (web.clock() - backlog.oldest).total_seconds() if backlog.oldest else 0.0
    late = age > 60
    message = "Deliveries wait for over a minute: is a worker running (`ogon worker`)?" if late else "Ready."
    return Readiness(ready=True, message=message, undispatched=backlog.waiting, oldest_seconds=round(max(age, 0.0), 1))


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {}}},
        401: {"model": ProblemAnswer},
        403: {"model": ProblemAnswer},
        429: {"model": ProblemAnswer},
    },
)
async def metrics(web: Web, request: Request) -> Response:
    """Figures in the text format of Prometheus."""
    if not _from_here(request):
        given = bearer_of(request)
        if given is None:
            raise WebProblem(
                403, "not_for_you", message("Ask from the machine itself, or with `Authorization: Bearer <token>`.")
            )
        await admitted(web, request, given)
    return Response(await web.measures.exposition(web.database, now=web.clock()), media_type=CONTENT_TYPE_LATEST)


def _from_here(request: Request) -> bool:
    # A proxy that nobody told us to believe makes everybody look local; its header gives it away.
    if request.client is None or "x-forwarded-for" in request.headers:
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
