"""Who calls, and what he may do: `Authorization: Bearer <token>`, a named token or ADMIN_TOKEN.

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
from app.web.state import Web, WebState
from app.web.throttle import source_of


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; `token_id` is None for ADMIN_TOKEN and for who came from the console."""

    name: str
    role: Role
    token_id: int | None = None

    def may(self, needed: Role) -> bool:
        """Whether his role reaches the one that is needed."""
        return reaches(self.role, needed)


ADMINISTRATOR = Caller("ADMIN_TOKEN", "admin")


async def admitted(web: WebState, request: Request, given: str) -> Caller:
    """Whose token this is. Raises WebProblem: 401 for a wrong or ended one, 429 after too many wrong ones."""
    source = source_of(request.client.host if request.client else None)
    _may_try(web, source)
    caller = await _caller_with(web, given)
    if caller is None:
        web.visits.failed(source)
        raise _unknown(web, given)
    # Once more: of many guesses sent side by side, all were let in before the first was found wrong.
    _may_try(web, source)
    return caller


def caller_of(token: Token | None, web: WebState) -> Caller | None:
    """The holder of a token, None where it has ended; notes that it is in use."""
    if token is None or not token.is_live(web.clock()):
        return None
    web.visits.used(token)
    return Caller(token.name, token.role, token.id)


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


def _may_try(web: WebState, source: str) -> None:
    seconds = web.visits.throttle.wait(source)
    if seconds:
        web.visits.refused()
        said = message("Too many wrong tokens came from your address: wait {seconds} s and try again.", seconds=seconds)
        raise WebProblem(429, "too_many_failures", said, retry_after=seconds)


async def _caller_with(web: WebState, given: str) -> Caller | None:
    if web.doorkeeper.knows_token(given):
        return ADMINISTRATOR
    if not tokens.is_token(given):
        return None
    async with web.database.reading() as session:
        token = await tokens.find(session, given)
    if token is None:
        return None
    caller = caller_of(token, web)
    if caller is None:
        # Only who has the secret reads this. It is no guess, so it does not count as one: a forgotten script of
        # his must not lock out his whole office.
        said = message(
            "The token {name} was revoked or has expired: ask an administrator for a new one.", name=token.name
        )
        raise WebProblem(401, "token_ended", said)
    return caller


def _unknown(web: WebState, given: str) -> WebProblem:
    if web.settings.admin_token is None and not tokens.is_token(given):
        said = message(
            "The API is closed because ADMIN_TOKEN is not set: set it in .env to a long random value and restart."
        )
        return WebProblem(503, "admin_token_not_set", said)
    said = message(
        "Send the header `Authorization: Bearer <token>` with a token made by `ogon token create`, "
        "or with the value of ADMIN_TOKEN that the service runs with."
    )
    return WebProblem(401, "not_authorized", said)
