"""Who calls, and what the caller may do: `Authorization: Bearer <token>`, a named token or ADMIN_TOKEN.

An endpoint that only reads needs nothing: the router asks for a viewer. One that changes something declares
`caller: AsHead` or `caller: AsAdmin`, and notes `caller.name` in the audit log. The token is looked up anew for each
request: one that was revoked is refused at once, by every process. ADMIN_TOKEN is not in the database and cannot be
revoked, so the last administrator cannot lock himself out.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.domain.messages import message
from app.store import tokens
from app.store.tokens import Role, Token, reaches
from app.web.bearer import bearer_of
from app.web.problems import WebProblem
from app.web.sessions import ADMIN, CONSOLE
from app.web.state import Web, WebState
from app.web.throttle import source


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `subject` is what a session of the caller says: the number of a token, or a word of `sessions.py`.

    `person`: portal and user, where the token is one person's.
    """

    name: str
    role: Role
    subject: str
    person: tuple[int, int] | None = None

    def may(self, needed: Role) -> bool:
        """Whether the role reaches the one that is needed."""
        return reaches(self.role, needed)


_BEYOND_GUESSING = 20
"""Characters; every named token is longer, an ADMIN_TOKEN should be."""
_UNNAMED = {ADMIN: Caller("ADMIN_TOKEN", "admin", ADMIN), CONSOLE: Caller("console", "admin", CONSOLE)}


async def admitted(web: WebState, request: Request, given: str) -> Caller:
    """Whose token this is. Raises WebProblem: 401 for a wrong or ended one, 429 after too many wrong ones.

    A right token that nobody can find by trying opens even while its address has to wait: one forgotten script must
    not lock out the office whose address it shares.
    """
    beyond_guessing = len(given) >= _BEYOND_GUESSING
    if not beyond_guessing:
        may_try(web, request)
    caller = await _caller_with(web, given)
    if caller is not None and beyond_guessing:
        return caller
    # Once more before the answer: of many guesses sent side by side, all were let in before the first was found wrong.
    may_try(web, request)
    if caller is None:
        web.visits.failed(source_of(request))
        raise _unknown(web, given)
    return caller


def may_try(web: WebState, request: Request) -> None:
    """Raises WebProblem 429 while the request's address has to wait."""
    seconds = web.visits.throttle.wait(source_of(request))
    if seconds:
        web.visits.refused()
        said = message("Too many wrong tokens came from your address: wait {seconds} s and try again.", seconds=seconds)
        raise WebProblem(429, "too_many_failures", said, retry_after=seconds)


def source_of(request: Request) -> str:
    """Where the request comes from, as the throttle counts it; behind a proxy see TRUSTED_PROXIES."""
    return source(request.client.host if request.client else "")


async def caller_of(web: WebState, subject: str) -> Caller | None:
    """Who a session was opened for, as of now; None when the token has ended."""
    if not subject.isdecimal():
        return _UNNAMED.get(subject)
    async with web.database.reading() as session:
        token = await tokens.get(session, int(subject))
    return _holder(web, token) if token is not None else None


def demand(caller: Caller, needed: Role) -> None:
    """Raises WebProblem 403 unless the caller's role reaches the one that is needed."""
    if not caller.may(needed):
        said = message(
            "This needs the role {needed}, and {name} has the role {role}: ask an administrator.",
            needed=needed,
            name=caller.name,
            role=caller.role,
        )
        raise WebProblem(403, "role_too_low", said)


async def _bearer(web: Web, request: Request) -> Caller:
    given = bearer_of(request)
    if given is None:
        raise _unknown(web, "")
    return await admitted(web, request, given)


def _with_role(needed: Role) -> Callable[[Caller], Awaitable[Caller]]:
    async def dependency(caller: Annotated[Caller, Depends(_bearer)]) -> Caller:
        demand(caller, needed)
        return caller

    return dependency


as_viewer = _with_role("viewer")
"""For a router as a whole, where nobody wants to know who it is."""
AsViewer = Annotated[Caller, Depends(as_viewer)]
AsHead = Annotated[Caller, Depends(_with_role("head"))]
AsAdmin = Annotated[Caller, Depends(_with_role("admin"))]


async def _caller_with(web: WebState, given: str) -> Caller | None:
    if web.doorkeeper.knows_token(given):
        return _UNNAMED[ADMIN]
    if not tokens.is_token(given):
        return None
    async with web.database.reading() as session:
        token = await tokens.find(session, given)
    if token is None:
        return None
    caller = _holder(web, token)
    if caller is None:
        # Only who has the secret reads this. It is no guess, so it does not count as one: a forgotten script must not
        # lock out the whole office it runs in.
        said = message(
            "The token {name} was revoked or has expired: ask an administrator for a new one.", name=token.name
        )
        raise WebProblem(401, "token_ended", said)
    return caller


def _holder(web: WebState, token: Token) -> Caller | None:
    if not token.is_live(web.clock()):
        return None
    web.visits.used(token)
    person = None if token.portal_id is None or token.user_id is None else (token.portal_id, token.user_id)
    return Caller(token.name, token.role, str(token.id), person)


def _unknown(web: WebState, given: str) -> WebProblem:
    if web.settings.admin_token is None and not tokens.is_token(given):
        said = message(
            "ADMIN_TOKEN is not set: set it in .env to a long random value and restart, "
            "or send a token made by `ogon token create`."
        )
        return WebProblem(503, "admin_token_not_set", said)
    said = message(
        "Send the header `Authorization: Bearer <token>` with a token made by `ogon token create`, "
        "or with the value of ADMIN_TOKEN that the service runs with."
    )
    return WebProblem(401, "not_authorized", said)
