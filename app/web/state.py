"""What the web process holds while it runs, and how a request handler gets at it. Made by `app/main.py`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from app.settings import Settings
from app.store.database import Database
from app.web.measures import Measures
from app.web.sessions import Doorkeeper
from app.web.visits import Visits


@dataclass(frozen=True, slots=True)
class WebState:
    """Handed to handlers as `Web`; nothing of it changes after the start."""

    settings: Settings
    database: Database
    doorkeeper: Doorkeeper
    visits: Visits
    measures: Measures
    clock: Callable[[], datetime]


def web_state(request: Request) -> WebState:
    """The state of the app that handles `request`."""
    state: WebState = request.app.state.web
    return state


Web = Annotated[WebState, Depends(web_state)]
