"""Signing in and out of the pages: `/login`, `/logout`, and the dependencies that other pages need.

People paste a named token or ADMIN_TOKEN, or follow a link with a ticket that the console printed. The session stands
for that token and has its role.
"""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from app.domain.messages import message
from app.errors import OgonError
from app.store import audit
from app.web import rendering
from app.web.access import Caller, admitted, caller_of, demand, may_try, source_of
from app.web.problems import WebProblem
from app.web.sessions import COOKIE, SESSION_SECONDS
from app.web.state import Web, WebState, web_state

router = APIRouter(include_in_schema=False)


class SignInFirst(OgonError):  # noqa: N818 - what the reader is to do
    """The page is for people with a token, and nobody is signed in."""


async def signed_in(web: Web, request: Request) -> Caller:
    """A dependency: who reads the page. Raises SignInFirst without a session, or when its token has ended."""
    subject = web.doorkeeper.session_of(request.cookies.get(COOKIE))
    caller = await caller_of(web, subject) if subject is not None else None
    if caller is None:
        raise SignInFirst("Sign in first.")
    request.state.caller = caller
    return caller


SignedIn = Depends(signed_in)
Reader = Annotated[Caller, SignedIn]


def own_form(web: Web, request: Request, caller: Reader, csrf: Annotated[str, Form()] = "") -> Caller:
    """A dependency of every form: raises WebProblem unless the form was made for this very session."""
    if not web.doorkeeper.knows_csrf(request.cookies.get(COOKIE), csrf):
        raise _foreign_form()
    return caller


OwnForm = Depends(own_form)


def head_form(caller: Annotated[Caller, OwnForm]) -> Caller:
    """The same for a form that needs the role head."""
    demand(caller, "head")
    return caller


def admin_form(caller: Annotated[Caller, OwnForm]) -> Caller:
    """The same for a form that needs the role admin."""
    demand(caller, "admin")
    return caller


HeadForm = Annotated[Caller, Depends(head_form)]
AdminForm = Annotated[Caller, Depends(admin_form)]
ReaderForm = Annotated[Caller, OwnForm]


def _foreign_form() -> WebProblem:
    said = message("The form is not from this session: go back, reload the page, try again.")
    return WebProblem(403, "foreign_form", said)


async def to_login(request: Request, _error: Exception) -> Response:
    """Exception handler of SignInFirst."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    after = wanted if request.method == "GET" and wanted != "/" else ""
    answer = RedirectResponse("/login" + (f"?{urlencode({'next': after})}" if after else ""), status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


@router.get("/login")
async def login_form(web: Web, request: Request, ticket: str = "", next: str = "/") -> Response:  # noqa: A002 - in the address
    """The form; with a good ticket straight in."""
    if not ticket:
        return _form(request, next)
    try:
        may_try(web, request)
    except WebProblem as problem:
        return _refused(request, next, problem)
    subject = web.doorkeeper.takes_ticket(ticket)
    if subject is None:
        web.visits.failed(source_of(request))
        return _form(request, next, wrong="ticket", status=403)
    caller = await caller_of(web, subject)
    if caller is None:
        return _form(request, next, wrong="ended", status=403)
    return await _enter(web, request, caller, next)


@router.post("/login")
async def log_in(
    web: Web,
    request: Request,
    token: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - in the form
) -> Response:
    """Check the pasted token."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        # Nobody is to be signed in as somebody else by a form on another site.
        raise _foreign_form()
    try:
        caller = await admitted(web, request, token.strip())
    except WebProblem as problem:
        return _refused(request, next, problem)
    return await _enter(web, request, caller, next)


@router.post("/logout", dependencies=[OwnForm])
async def log_out() -> Response:
    """End the session of this browser."""
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


def _refused(request: Request, after: str, problem: WebProblem) -> Response:
    wrong = {"too_many_failures": "often", "token_ended": "ended"}.get(problem.code, "token")
    answer = _form(request, after, wrong=wrong, status=429 if problem.retry_after else 403)
    if problem.retry_after:
        answer.headers["Retry-After"] = str(problem.retry_after)
    return answer


def _form(request: Request, after: str, *, wrong: str = "", status: int = 200) -> Response:
    closed = web_state(request).settings.admin_token is None
    return rendering.page(request, "login.html", status=status, next=local(after), wrong=wrong, closed=closed)


async def _enter(web: WebState, request: Request, caller: Caller, after: str) -> Response:
    async with web.database.writing() as session:
        detail = {"role": caller.role, "source": source_of(request)}
        await audit.note(session, who=caller.name, what="session.opened", subject=caller.name, detail=detail)
    answer = RedirectResponse(local(after), status_code=303)
    outside = web.settings.public_url or str(request.base_url)
    answer.set_cookie(
        COOKIE,
        web.doorkeeper.new_session(caller.subject),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="lax",
        secure=outside.startswith("https:"),
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def local(after: str) -> str:
    """A path of ours, whatever was asked: a link to the login page must not lead elsewhere."""
    local = after.startswith("/") and not after.startswith(("//", "/\\")) and after.isprintable() and "\\" not in after
    return after if local else "/"
