"""API tokens: named, with a role, and of each secret only a hash. Every change notes itself in the audit log.

Called by the web on each request, and by the command line. ADMIN_TOKEN of the environment is not among them.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import SecretStr
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.errors import OgonError
from app.store import audit
from app.store.database import ReadSession, WriteSession
from app.store.models import ROLES, ApiTokenRow
from app.store.records import Record

Role = Literal["viewer", "head", "admin"]
"""What a caller may do; each may all that the ones before it may."""

NAME = r"[^\W_]([\w .@-]{0,62}[\w.@-])?"
"""What a token may be called, as a regular expression. A colon is left out: `console:` is who works at a terminal."""
MOST_DAYS = 3650
USED_EVERY = timedelta(minutes=1)
"""`last_used_at` is at most so much too old."""

_TOKEN = re.compile(r"ogon_([1-9][0-9]{0,8})_([A-Za-z0-9_-]{43})", re.ASCII)
# Callers that are no token of ours; nobody may take their names in the audit log.
_TAKEN = {"admin_token", "console", "environment", "ogon"}
_NO_DIGEST = bytes(32)


class TokenExists(OgonError):  # noqa: N818 - reads as the state it is
    """The name is taken by another token that is not revoked, or is one of ours."""


class TokenUnknown(OgonError):  # noqa: N818 - reads as the state it is
    """No token with this name is in use."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token, without its secret. `portal_id`, `user_id`: the one person of that portal whose token it is."""

    id: int
    name: str
    role: Role
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    last_used_at: datetime | None
    portal_id: int | None = None
    user_id: int | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether it opens anything: neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def wants_touch(self, now: datetime) -> bool:
        """Whether `last_used_at` is so old that a use should be noted."""
        return self.last_used_at is None or now - self.last_used_at >= USED_EVERY


_RECORD = Record(Token, ApiTokenRow)


def reaches(role: Role, needed: Role) -> bool:
    """Whether `role` may do what `needed` may."""
    return ROLES.index(role) >= ROLES.index(needed)


async def create(
    session: WriteSession,
    *,
    name: str,
    role: Role,
    by: str,
    expires_at: datetime | None = None,
    person: tuple[int, int] | None = None,
) -> tuple[Token, SecretStr]:
    """A new token and its text, which is kept nowhere. `person`: portal and user whose token it is.

    Raises TokenExists, or ValueError for a wrong name.
    """
    if not re.fullmatch(NAME, name):
        raise ValueError("letters, digits, spaces and . _ @ - only, at most 64, a letter or digit first")
    if name.casefold() in _TAKEN:
        raise TokenExists(f"{name} is a name that Ogon uses itself: choose another.")
    secret = secrets.token_urlsafe(32)
    values: dict[str, object] = {
        "name": name,
        "role": role,
        "digest": _digest(secret),
        "created_by": by,
        "expires_at": expires_at,
    }
    if person is not None:
        values |= {"portal_id": person[0], "user_id": person[1]}
    made = await _RECORD.one(session, _RECORD.returning(insert(ApiTokenRow).values(values).on_conflict_do_nothing()))
    if made is None:
        raise TokenExists(f"There is a token {name} already: revoke it first, or choose another name.")
    detail: dict[str, object] = {"id": made.id, "role": role}
    detail["expires_at"] = expires_at.isoformat() if expires_at else None
    if person is not None:
        detail |= {"portal": person[0], "user": person[1]}
    await audit.note(session, who=by, what="token.created", subject=name, detail=detail)
    return made, SecretStr(f"ogon_{made.id}_{secret}")


async def revoke(session: WriteSession, name: str, *, by: str) -> Token:
    """End the token of that name at once, with all its sessions. Raises TokenUnknown."""
    statement = (
        update(ApiTokenRow)
        .where(ApiTokenRow.name == name, ApiTokenRow.revoked_at.is_(None))
        .values(revoked_at=func.now(), revoked_by=by)
    )
    ended = await _RECORD.one(session, _RECORD.returning(statement))
    if ended is None:
        raise TokenUnknown(f"There is no token {name} in use: see `ogon token list`.")
    await audit.note(session, who=by, what="token.revoked", subject=name, detail={"id": ended.id, "role": ended.role})
    return ended


async def list_tokens(session: ReadSession, *, revoked_too: bool = False) -> list[Token]:
    """Tokens in the order they were made."""
    query = _RECORD.query().order_by(ApiTokenRow.id)
    if not revoked_too:
        query = query.where(ApiTokenRow.revoked_at.is_(None))
    return await _RECORD.all(session, query)


async def get(session: ReadSession, token_id: int) -> Token | None:
    return await _RECORD.one(session, _RECORD.query().where(ApiTokenRow.id == token_id))


def is_token(given: str) -> bool:
    """Whether it looks like one of ours, so that asking the database makes sense."""
    return _TOKEN.fullmatch(given) is not None


async def find(session: ReadSession, given: str) -> Token | None:
    """The token with this text, live or not; None for a wrong one."""
    parts = _TOKEN.fullmatch(given)
    if parts is None:
        return None
    rows = await session.execute(select(*_RECORD.columns, ApiTokenRow.digest).where(ApiTokenRow.id == int(parts[1])))
    row = rows.mappings().one_or_none()
    # The number is public, so looking for it may take what it takes; the secret is compared even where there is none.
    genuine = hmac.compare_digest(_digest(parts[2]), row["digest"] if row else _NO_DIGEST)
    return _RECORD.made([row])[0] if row and genuine else None


async def touch(session: WriteSession, token_id: int, *, now: datetime) -> None:
    """Keep that the token was used, unless another process has just done so."""
    used = ApiTokenRow.last_used_at
    await session.execute(
        update(ApiTokenRow)
        .where(ApiTokenRow.id == token_id, used.is_(None) | (used < now - USED_EVERY / 2))
        .values(last_used_at=now)
    )


def _digest(secret: str) -> bytes:
    # 256 random bits cannot be found by trying, whatever a try costs: a slow password hash would only slow requests
    # down, and a salt tells equal secrets apart, of which there are none.
    return hashlib.sha256(secret.encode()).digest()
