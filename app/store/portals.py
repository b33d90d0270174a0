"""Portals: the Bitrix24 accounts we serve, their limits, and their secrets (sealed at rest).

Called by roots, web and pipeline with a session. A `Portal` holds no secret; `PortalSecrets` are opened
on purpose. Nothing here talks to a portal.
"""

import contextlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.errors import OgonError
from app.settings import Settings, webhook_url
from app.store.database import ReadSession, WriteSession
from app.store.models import PortalRow
from app.store.records import Record
from app.store.secret_box import SecretBox, SecretUnreadable

T = TypeVar("T")


class PortalUnknown(OgonError):  # noqa: N818 - reads as the state it is
    """No portal has this number or name."""


class PortalExists(OgonError):  # noqa: N818 - reads as the state it is
    """A portal with this domain is already there."""


@dataclass(frozen=True, slots=True)
class Portal:
    """One portal, without its secrets. `domain` is host[:port] in lower case; rate and burst are its plan's;
    `time_zone` is its present distance from UTC as `+0300`; `former_domain` the one it had before it was renamed.
    `trouble` says why it takes no call of ours at all; None while it does. `clocks_since`: nobody is told of a first
    response that was asked for before; None until clocks are watched."""

    id: int
    name: str
    domain: str
    member_id: str | None
    requests_per_second: float
    burst: int
    language: str
    enabled: bool
    created_at: datetime
    integration_user_id: int | None
    time_zone: str | None
    former_domain: str | None
    trouble: str | None
    trouble_since: datetime | None
    clocks_since: datetime | None


@dataclass(frozen=True, slots=True)
class PortalSecrets:
    """The inbound webhook's address (one trailing slash) and the outbound webhook's application tokens."""

    webhook_url: SecretStr
    application_tokens: tuple[SecretStr, ...]

    def has_token(self, token: str) -> bool:
        """Whether this is one of the application tokens. How long the answer takes tells nothing of them."""
        given = token.encode()
        return any(hmac.compare_digest(known.get_secret_value().encode(), given) for known in self.application_tokens)


_RECORD = Record(Portal, PortalRow)
_SEALED = (PortalRow.webhook_url_encrypted, PortalRow.application_tokens_encrypted)


async def add(
    session: WriteSession,
    box: SecretBox,
    *,
    webhook: SecretStr,
    application_tokens: Sequence[SecretStr] = (),
    name: str | None = None,
    member_id: str | None = None,
    requests_per_second: float = 2.0,
    burst: int = 50,
    language: str = "ru",
) -> Portal:
    """Add the portal that the inbound webhook leads to. Raises PortalExists, or ValueError for a wrong address."""
    values = _sealed(box, webhook, application_tokens) | {
        "member_id": member_id,
        "requests_per_second": requests_per_second,
        "burst": burst,
        "language": language,
    }
    values["name"] = name or values["domain"]
    statement = insert(PortalRow).values(values).on_conflict_do_nothing(index_elements=["domain"])
    added = await _RECORD.one(session, _RECORD.returning(statement))
    if added is None:
        raise PortalExists(f"The portal {values['domain']} is already there: change its secrets instead.")
    return added


async def watch_clocks(session: WriteSession, *, now: datetime) -> None:
    """Clocks of all portals are watched, from now on at the latest."""
    await session.execute(update(PortalRow).where(PortalRow.clocks_since.is_(None)).values(clocks_since=now))


async def ensure_env_portal(session: WriteSession, box: SecretBox, settings: Settings) -> Portal | None:
    """The portal named by the two BITRIX24_* secrets, made or brought up to date; None unless both are set.

    A portal that was renamed is known by its webhook's user and code, and keeps the address that it moved to.
    """
    webhook = settings.bitrix24_webhook_url
    if webhook is None or not settings.bitrix24_application_token:
        return None
    values = _sealed(box, webhook, settings.bitrix24_application_token) | {
        "requests_per_second": settings.bitrix24_requests_per_second,
        "burst": settings.bitrix24_burst,
    }
    renamed = await _renamed(session, box, webhook)
    if renamed is not None:
        if renamed.former_domain == values["domain"]:
            del values["domain"], values["webhook_url_encrypted"]
        return await _change(session, renamed.id, values)
    statement = (
        insert(PortalRow)
        .values(values | {"name": values["domain"], "language": settings.ui_language})
        .on_conflict_do_update(index_elements=["domain"], set_=values)
    )
    return await _RECORD.one(session, _RECORD.returning(statement))


async def _renamed(session: ReadSession, box: SecretBox, webhook: SecretStr) -> Portal | None:
    """The portal that has this webhook under another domain, if none has it under this one."""
    if await find_by_domain(session, domain_of(webhook)) is not None:
        return None
    wanted = urlsplit(webhook.get_secret_value()).path.rstrip("/")
    for portal in await list_portals(session):
        with contextlib.suppress(SecretUnreadable):
            known = (await secrets_of(session, box, portal.id)).webhook_url.get_secret_value()
            if hmac.compare_digest(urlsplit(known).path.rstrip("/").encode(), wanted.encode()):
                return portal
    return None


async def moved(session: WriteSession, box: SecretBox, portal_id: int, *, webhook: SecretStr) -> Portal:
    """The portal was renamed: keep its new address, and the domain it had. Raises PortalUnknown, ValueError."""
    address = webhook_url(webhook.get_secret_value())
    values = {
        "domain": domain_of(webhook),
        "webhook_url_encrypted": box.seal(address),
        "former_domain": PortalRow.domain,
    }
    return await _change(session, portal_id, values)


async def set_trouble(session: WriteSession, portal_id: int, trouble: str | None, *, now: datetime) -> None:
    """Keep why the portal takes no calls, and since when; None when it takes them again."""
    values = {
        "trouble": trouble,
        "trouble_since": None if trouble is None else func.coalesce(PortalRow.trouble_since, now),
    }
    news = PortalRow.trouble.is_distinct_from(trouble)
    await session.execute(update(PortalRow).where(PortalRow.id == portal_id, news).values(values))


async def replace_secrets(
    session: WriteSession,
    box: SecretBox,
    portal_id: int,
    *,
    webhook: SecretStr,
    application_tokens: Sequence[SecretStr],
) -> Portal:
    """Give the portal a new webhook and new tokens. Raises PortalUnknown, or ValueError for a wrong address."""
    return await _change(session, portal_id, _sealed(box, webhook, application_tokens))


async def learned(
    session: WriteSession,
    portal_id: int,
    *,
    member_id: str | None = None,
    integration_user_id: int | None = None,
    time_zone: str | None = None,
) -> Portal:
    """Keep what the portal told of itself; None leaves what is known. Raises PortalUnknown."""
    told = {"member_id": member_id, "integration_user_id": integration_user_id, "time_zone": time_zone}
    known = {name: value for name, value in told.items() if value is not None}
    if not known:
        return await get(session, portal_id)
    return await _change(session, portal_id, known)


async def rename(session: WriteSession, portal_id: int, name: str) -> Portal:
    """What people read of the portal; its domain stays. Raises PortalUnknown."""
    return await _change(session, portal_id, {"name": name})


async def set_enabled(session: WriteSession, portal_id: int, *, enabled: bool) -> Portal:
    """Stop or resume serving the portal. Raises PortalUnknown."""
    return await _change(session, portal_id, {"enabled": enabled})


async def get(session: ReadSession, portal_id: int) -> Portal:
    """Raises PortalUnknown."""
    return _known(portal_id, await _RECORD.one(session, _RECORD.query().where(PortalRow.id == portal_id)))


async def list_portals(session: ReadSession, *, enabled_only: bool = False) -> list[Portal]:
    """All portals in the order they were added."""
    query = _RECORD.query().order_by(PortalRow.id)
    if enabled_only:
        query = query.where(PortalRow.enabled)
    return await _RECORD.all(session, query)


async def find_by_member_id(session: ReadSession, member_id: str) -> Portal | None:
    return await _RECORD.one(session, _RECORD.query().where(PortalRow.member_id == member_id))


async def find_by_domain(session: ReadSession, domain: str) -> Portal | None:
    return await _RECORD.one(session, _RECORD.query().where(PortalRow.domain == domain.strip().lower()))


async def find_by_token(session: ReadSession, box: SecretBox, token: str) -> Portal | None:
    """The enabled portal that has this application token. Opens every portal's: keep the answer for a while."""
    for portal, known in await list_with_secrets(session, box):
        if known.has_token(token):
            return portal
    return None


async def secrets_of(session: ReadSession, box: SecretBox, portal_id: int) -> PortalSecrets:
    """Raises PortalUnknown, SecretUnreadable."""
    rows = (await session.execute(select(*_SEALED).where(PortalRow.id == portal_id))).all()
    return _known(portal_id, next((_opened(box, url, tokens) for url, tokens in rows), None))


async def list_with_secrets(session: ReadSession, box: SecretBox) -> list[tuple[Portal, PortalSecrets]]:
    """The enabled portals with their secrets, for the intake to compare tokens with. Raises SecretUnreadable."""
    portals = await list_portals(session, enabled_only=True)
    rows = (await session.execute(select(PortalRow.id, *_SEALED))).all()
    opened = {portal_id: _opened(box, url, tokens) for portal_id, url, tokens in rows}
    return [(portal, opened[portal.id]) for portal in portals if portal.id in opened]


def domain_of(webhook: SecretStr) -> str:
    """host[:port] of the inbound webhook, in lower case. Raises ValueError."""
    return urlsplit(webhook_url(webhook.get_secret_value())).netloc.rpartition("@")[2].lower()


def _sealed(box: SecretBox, webhook: SecretStr, tokens: Sequence[SecretStr]) -> dict[str, Any]:
    return {
        "domain": domain_of(webhook),
        "webhook_url_encrypted": box.seal(webhook_url(webhook.get_secret_value())),
        "application_tokens_encrypted": box.seal(json.dumps([token.get_secret_value() for token in tokens])),
    }


def _opened(box: SecretBox, webhook_url: bytes, application_tokens: bytes) -> PortalSecrets:
    tokens: list[str] = json.loads(box.open(application_tokens).get_secret_value())
    return PortalSecrets(
        webhook_url=box.open(webhook_url),
        application_tokens=tuple(SecretStr(token) for token in tokens),
    )


async def _change(session: WriteSession, portal_id: int, values: dict[str, Any]) -> Portal:
    statement = update(PortalRow).where(PortalRow.id == portal_id).values(values)
    return _known(portal_id, await _RECORD.one(session, _RECORD.returning(statement)))


def _known(portal_id: int, found: T | None) -> T:
    if found is None:
        raise PortalUnknown(f"There is no portal {portal_id}: see `ogon portal list`.")
    return found
