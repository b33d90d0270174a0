"""The web process: one FastAPI app, with the webhook address in front of the framework.

`app/serve.py` runs it under uvicorn. A root: it reads the clock and hands it down. It must not know the pipeline.
"""

import contextlib
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from app.settings import Settings
from app.store.database import Database
from app.store.secret_box import secret_box
from app.web import health, pages, problems, reference, sign_in
from app.web.api import routes as api
from app.web.bare import Receive, Scope, Send
from app.web.headers import SecurityHeaders
from app.web.intake import PATH
from app.web.intake_run import IntakeRun, build_intake
from app.web.intake_store import IntakeStore
from app.web.keys import signing_secret
from app.web.measures import Measures
from app.web.pages.frame import NoPortalYet, no_portal_page
from app.web.sessions import Doorkeeper
from app.web.short_bodies import ShortBodies
from app.web.state import WebState
from app.web.throttle import Throttle
from app.web.visits import Visits

_DESCRIPTION = "Qualifies Bitrix24 leads and deals by rules a sales team can change, and says why."
_STATIC = Path(__file__).parent / "web" / "static"

# FastAPI works an included route out at the first request that passes it, a third of a second for all of ours. Included
# here once, and not by each app anew, they are worked out once a process, however many apps a test run makes.
_EVERYTHING = APIRouter()
for _part in (health, api, sign_in, pages, reference):
    _EVERYTHING.include_router(_part.router)


class OgonApp(FastAPI):
    """FastAPI, except that deliveries of the portal go straight to the intake: most requests are theirs."""

    intake_run: IntakeRun

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and scope["path"].startswith(PATH):
            await self.intake_run.intake(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(settings: Settings, database: Database, *, clock: Callable[[], datetime] | None = None) -> FastAPI:
    """The app on an open, migrated database, which must stay open as long as the app runs.

    `clock` gives the time of day, with offset. Run it with its lifespan: the end of it commits what still waits.
    """
    now = clock or _now
    secret_key = signing_secret(settings)
    measures = Measures()
    store = IntakeStore(database, secret_box(settings), secret_key, now)
    app = OgonApp(
        title="Ogon",
        version=_version(),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        routes=[*_EVERYTHING.routes],
    )
    app.intake_run = build_intake(store, measures)
    app.state.web = WebState(
        settings=settings,
        database=database,
        doorkeeper=Doorkeeper(
            secret_key=secret_key,
            admin_token=settings.admin_token.get_secret_value() if settings.admin_token else None,
            clock=lambda: now().timestamp(),
        ),
        visits=Visits(database, app.intake_run.intake.tally, Throttle(clock=lambda: now().timestamp()), clock=now),
        measures=measures,
        clock=now,
    )
    _furnish(app)
    return app


def _furnish(app: FastAPI) -> None:
    problems.install(app)
    app.add_middleware(ShortBodies)  # pyright: ignore[reportArgumentType]  # its own, looser ASGI types
    app.add_middleware(SecurityHeaders)  # pyright: ignore[reportArgumentType]  # its own, looser ASGI types
    app.add_exception_handler(sign_in.SignInFirst, sign_in.to_login)
    app.add_exception_handler(NoPortalYet, no_portal_page)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")


@contextlib.asynccontextmanager
async def _lifespan(app: Any) -> AsyncGenerator[None]:
    async with app.intake_run.running(), app.state.web.visits.running():
        yield


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a root reads the clock and hands it down


def _version() -> str:
    try:
        return version("ogon")
    except PackageNotFoundError:
        return "0"
