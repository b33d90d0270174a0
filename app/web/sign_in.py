"""Signing in and out of the pages: `/login`, `/logout`, and the dependencies that other pages need.

The administrator pastes ADMIN_TOKEN, or follows a link with a ticket that the console printed.
"""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from app.domain.messages import message
from app.errors import OgonError
from app.web import rendering
from app.web.problems import WebProblem
from app.web.sessions import COOKIE, SESSION_SECONDS
from app.web.state import Web, WebState, web_state

router = APIRouter(include_in_schema=False)


class SignInFirst(OgonError):  # noqa: N818 - what the reader is to do
    """The page is for the administrator, and nobody is signed in."""


def signed_in(web: Web, request: Request) -> None:
    """A dependency: raises SignInFirst without a session."""
    if not web.doorkeeper.knows_session(request.cookies.get(COOKIE)):
        raise SignInFirst("Sign in first.")


def own_form(web: Web, request: Request, csrf: Annotated[str, Form()] = "") -> None:
    """A dependency of every form: raises WebProblem unless the form was made for this very session."""
    signed_in(web, request)
    if not web.doorkeeper.knows_csrf(request.cookies.get(COOKIE), csrf):
        raise WebProblem(
            403, "foreign_form", message("The form is not from this session: go back, reload the page, try again.")
        )


SignedIn = Depends(signed_in)
OwnForm = Depends(own_form)


async def to_login(request: Request, _error: Exception) -> Response:
    """Exception handler of SignInFirst."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    after = wanted if request.method == "GET" and wanted != "/" else ""
    return RedirectResponse("/login" + (f"?{urlencode({'next': after})}" if after else ""), status_code=303)


@router.get("/login")
async def login_form(web: Web, request: Request, ticket: str = "", next: str = "/") -> Response:  # noqa: A002 - in the address
    """The form; with a good ticket straight in."""
    if ticket:
        if web.doorkeeper.takes_ticket(ticket):
            return _enter(web, request, next)
        return _form(request, next, wrong="ticket", status=403)
    return _form(request, next)


@router.post("/login")
async def log_in(
    web: Web,
    request: Request,
    token: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - in the form
) -> Response:
    """Check the pasted token."""
    if web.doorkeeper.guessing():
        return _form(request, next, wrong="often", status=429)
    if not web.doorkeeper.knows_token(token.strip()):
        web.doorkeeper.note_failure()
        return _form(request, next, wrong="token", status=403)
    return _enter(web, request, next)


@router.post("/logout", dependencies=[OwnForm])
async def log_out() -> Response:
    """End the session of this browser."""
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


def _form(request: Request, after: str, *, wrong: str = "", status: int = 200) -> Response:
    closed = web_state(request).settings.admin_token is None
    return rendering.page(request, "login.html", status=status, next=_local(after), wrong=wrong, closed=closed)


def _enter(web: WebState, request: Request, after: str) -> Response:
    answer = RedirectResponse(_local(after), status_code=303)
    outside = web.settings.public_url or str(request.base_url)
    answer.set_cookie(
        COOKIE,
        web.doorkeeper.new_session(),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="lax",
        secure=outside.startswith("https:"),
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _local(after: str) -> str:
    """A path of ours, whatever was asked: a link to the login page must not lead elsewhere."""
    local = after.startswith("/") and not after.startswith(("//", "/\\")) and after.isprintable() and "\\" not in after
    return after if local else "/"
