"""Who may see the pages and the API: the administrator's token, session cookies, login tickets, CSRF tokens.

Used by the pages and the API; the command line makes tickets. There is one role, the administrator. Nothing is
stored: sessions and tickets are signed values; the tickets already used are remembered in memory for as long as
they would be valid, so after a restart of the web process a used ticket of the last ten minutes works again.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from app.web.signing import SigningKey, same

COOKIE = "ogon_session"
SESSION_SECONDS = 12 * 3600
TICKET_SECONDS = 600
_FAILURES_A_MINUTE = 10


def login_ticket(secret_key: str, *, now: int) -> str:
    """A value for `/login?ticket=`, good once and for ten minutes; `now` in unix seconds.

    `secret_key` is the SECRET_KEY that the web process runs with. Made for the person at the console.
    """
    return _ticket_key(secret_key).seal(secrets.token_urlsafe(12), expires=now + TICKET_SECONDS)


def _ticket_key(secret_key: str) -> SigningKey:
    return SigningKey.derive(secret_key, "login-ticket")


@dataclass(slots=True)
class Doorkeeper:
    """Checks and hands out what proves an administrator. One per web process; `clock` gives unix seconds."""

    secret_key: str = field(repr=False)
    admin_token: str | None = field(repr=False)
    clock: Callable[[], float]
    _used: dict[str, int] = field(default_factory=dict[str, int])
    _failures: list[float] = field(default_factory=list[float])

    def knows_token(self, given: str | None) -> bool:
        """Whether `given` is ADMIN_TOKEN; never when ADMIN_TOKEN is not set."""
        return given is not None and self.admin_token is not None and same(given, self.admin_token)

    def guessing(self) -> bool:
        """Whether the login form failed so often in the last minute that it is closed for a while."""
        now = self.clock()
        self._failures = [at for at in self._failures if now - at < 60]
        return len(self._failures) >= _FAILURES_A_MINUTE

    def note_failure(self) -> None:
        """Remember one wrong token in the login form."""
        self._failures.append(self.clock())

    def takes_ticket(self, ticket: str) -> bool:
        """Whether a ticket is genuine, in time and used for the first time."""
        now = int(self.clock())
        nonce = _ticket_key(self.secret_key).open(ticket, now=now)
        self._used = {used: until for used, until in self._used.items() if until > now}
        if nonce is None or nonce in self._used:
            return False
        self._used[nonce] = now + TICKET_SECONDS
        return True

    def new_session(self) -> str:
        """The value of a session cookie, good for twelve hours."""
        return self._session_key().seal(secrets.token_urlsafe(12), expires=int(self.clock()) + SESSION_SECONDS)

    def knows_session(self, cookie: str | None) -> bool:
        """Whether the cookie is ours and still good."""
        return cookie is not None and self._session_key().open(cookie, now=int(self.clock())) is not None

    def csrf_token(self, cookie: str) -> str:
        """The token that a form of this session must bring."""
        return SigningKey.derive(self.secret_key, "csrf").tag(cookie)

    def knows_csrf(self, cookie: str | None, given: str) -> bool:
        """Whether a form was made for this session."""
        return cookie is not None and same(given, self.csrf_token(cookie))

    def _session_key(self) -> SigningKey:
        # A changed ADMIN_TOKEN ends the sessions that the old one opened.
        return SigningKey.derive(self.secret_key, f"session:{self.admin_token or ''}")
