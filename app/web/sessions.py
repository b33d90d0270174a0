"""Session cookies, login tickets, CSRF tokens: signed values that say for whom they were made.

Used by the pages; the command line makes tickets. A session names its subject: ADMIN_TOKEN, the console, or the number
of a named token, whose name, role and end are looked up at each request, so that a revoked token has no sessions.
Nothing is stored: the tickets already used are remembered in memory for as long as they would be valid, so after a
restart of the web process a used ticket of the last ten minutes works again.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from app.web.signing import SigningKey, same

COOKIE = "ogon_session"
SESSION_SECONDS = 12 * 3600
TICKET_SECONDS = 600
ADMIN = "admin"
CONSOLE = "console"


def login_ticket(secret_key: str, *, now: int, subject: str = CONSOLE) -> str:
    """A value for `/login?ticket=`, good once and for ten minutes; `now` in unix seconds.

    `secret_key` is the SECRET_KEY that the web process runs with. `subject`: the number of a named token, or the
    person at the console, an administrator.
    """
    return _ticket_key(secret_key).seal(_named(subject), expires=now + TICKET_SECONDS)


def _named(subject: str) -> str:
    return f"{subject}-{secrets.token_urlsafe(12)}"


def _ticket_key(secret_key: str) -> SigningKey:
    return SigningKey.derive(secret_key, "login-ticket")


@dataclass(slots=True)
class Doorkeeper:
    """Checks and hands out what proves somebody. One per web process; `clock` gives unix seconds."""

    secret_key: str = field(repr=False)
    admin_token: str | None = field(repr=False)
    clock: Callable[[], float]
    _used: dict[str, int] = field(default_factory=dict[str, int])

    def knows_token(self, given: str | None) -> bool:
        """Whether `given` is ADMIN_TOKEN; never when ADMIN_TOKEN is not set."""
        return given is not None and self.admin_token is not None and same(given, self.admin_token)

    def takes_ticket(self, ticket: str) -> str | None:
        """The subject of a ticket that is genuine, in time and used for the first time."""
        now = int(self.clock())
        named = _ticket_key(self.secret_key).open(ticket, now=now)
        self._used = {used: until for used, until in self._used.items() if until > now}
        if named is None or named in self._used:
            return None
        self._used[named] = now + TICKET_SECONDS
        return named.partition("-")[0]

    def new_session(self, subject: str) -> str:
        """The value of a session cookie, good for twelve hours."""
        return self._session_key().seal(_named(subject), expires=int(self.clock()) + SESSION_SECONDS)

    def session_of(self, cookie: str | None) -> str | None:
        """Whose session it is; None when the cookie is not ours or not good any more."""
        named = self._session_key().open(cookie, now=int(self.clock())) if cookie else None
        return named.partition("-")[0] if named is not None else None

    def csrf_token(self, cookie: str) -> str:
        """The token that a form of this session must bring."""
        return SigningKey.derive(self.secret_key, "csrf").tag(cookie)

    def knows_csrf(self, cookie: str | None, given: str) -> bool:
        """Whether a form was made for this session."""
        return cookie is not None and same(given, self.csrf_token(cookie))

    def _session_key(self) -> SigningKey:
        # A changed ADMIN_TOKEN ends the sessions that the old one opened; the others sign in again.
        return SigningKey.derive(self.secret_key, f"session:{self.admin_token or ''}")
