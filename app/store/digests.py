"""Digests: who switched them on or off, and which went out; a row for each, so that one goes out once.

Switches are changed by the API, the page and the CLI, and note themselves in the audit log. What goes out is claimed by
`app/pipeline/digests.py` before it is sent, by whichever worker comes first.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.digest import Due, Kind, Led, Switch, led_by, own_cards
from app.domain.team import Person
from app.store import audit, people, pools
from app.store.database import ReadSession, WriteSession
from app.store.json_text import storable_text
from app.store.models import DigestRow, DigestSwitchRow
from app.store.records import Record

State = Literal["started", "done", "failed"]

TRY_AGAIN_AFTER: Final = timedelta(minutes=5)
"""After so long a digest that was begun and not sent is taken up again: its worker died, or the portal was away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A digest that was begun. `sent_at` None: it did not go out; `error` says why where that is known."""

    user_id: int
    kind: str
    day: date
    since: date
    until: date
    state: State
    attempts: int
    started_at: datetime
    sent_at: datetime | None
    said: str | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody who could get digests. `leads`: what they are about; `heads`: whether anybody there has cards, so that
    digests are on unless switched off; `kinds`: those he gets."""

    person: Person
    leads: tuple[Led, ...]
    heads: bool
    switch: Switch
    kinds: tuple[Kind, ...]


_SENT = Record(Sent, DigestRow)

# Open cards by the index of who has how many; rounds by the one of their holders.
_HAVING_CARDS = text("""
    SELECT someone FROM unnest(CAST(:users AS bigint[])) AS someone
    WHERE EXISTS (SELECT FROM cards WHERE portal_id = :portal AND entity_type_id IN (1, 2) AND assigned_by_id = someone
                  AND state = 'open')
       OR EXISTS (SELECT FROM reactions WHERE portal_id = :portal AND holder = someone)
""")


async def readers(session: ReadSession, portal_id: int) -> list[Reader]:
    """Everybody who works in the portal, with what he leads and which digests he gets."""
    known = await people.people(session, portal_id)
    departments = await people.departments(session, portal_id)
    shared = [kept.pool for kept in await pools.live(session, portal_id)]
    chosen = await switches(session, portal_id)
    led = {user: led_by(user, known, departments, shared) for user, one in known.items() if one.active}
    members = {member for parts in led.values() for part in parts for member in part.people}
    having = set(await session.scalars(_HAVING_CARDS, {"portal": portal_id, "users": sorted(members)}))
    return [_reader(known[user], leads, chosen.get(user, Switch()), having) for user, leads in led.items()]


def _reader(person: Person, leads: tuple[Led, ...], switch: Switch, having: Collection[int]) -> Reader:
    heads = any(not part.people.isdisjoint(having) for part in leads)
    told = leads or (own_cards(person.user_id),)
    return Reader(person=person, leads=told, heads=heads, switch=switch, kinds=switch.on(leads=heads))


async def switches(session: ReadSession, portal_id: int) -> Mapping[int, Switch]:
    """What was chosen, by user id."""
    columns = DigestSwitchRow.user_id, DigestSwitchRow.daily, DigestSwitchRow.weekly
    rows = await session.execute(select(*columns).where(DigestSwitchRow.portal_id == portal_id))
    return {user: Switch(daily=daily, weekly=weekly) for user, daily, weekly in rows}


async def switch(
    session: WriteSession, portal_id: int, user_id: int, wanted: Switch, *, who: str, now: datetime
) -> None:
    """Choose for a person in the place of what was chosen before."""
    before = (await switches(session, portal_id)).get(user_id, Switch())
    values = {"daily": wanted.daily, "weekly": wanted.weekly, "changed_by": who, "changed_at": now}
    statement = insert(DigestSwitchRow).values(portal_id=portal_id, user_id=user_id, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["portal_id", "user_id"], set_=values))
    detail = {"from": _to_json(before), "to": _to_json(wanted)}
    subject = f"person {user_id}"
    await audit.note(session, who=who, what="digest.switched", subject=subject, detail=detail, portal_id=portal_id)


async def claim(session: WriteSession, portal_id: int, user_id: int, due: Due, *, now: datetime) -> bool:
    """Whether this digest is ours to send now; True for one worker only.

    One that was begun `TRY_AGAIN_AFTER` ago and did not end is given again: its notification takes the place of the
    first one, if that went out after all.
    """
    key = {"portal_id": portal_id, "user_id": user_id, "kind": due.kind.value, "day": due.day}
    statement = insert(DigestRow).values(**key, since=due.since, until=due.until, started_at=now)
    again = statement.on_conflict_do_update(
        index_elements=list(key),
        set_={"started_at": now, "attempts": DigestRow.attempts + 1, "since": due.since, "until": due.until},
        where=(DigestRow.state == "started") & (DigestRow.started_at <= now - TRY_AGAIN_AFTER),
    )
    return (await session.execute(again.returning(DigestRow.day))).scalar_one_or_none() is not None


async def ended(
    session: WriteSession,
    portal_id: int,
    user_id: int,
    due: Due,
    *,
    state: State,
    said: str | None = None,
    error: str | None = None,
    now: datetime,
) -> None:
    """How sending ended: `done`; `failed`, which is not tried again; `started`, which is."""
    values: dict[str, Any] = {"state": state, "error": storable_text(error) if error else None}
    if state == "done":
        values |= {"sent_at": now, "said": storable_text(said or "")}
    this = (*_whose(portal_id, user_id), DigestRow.kind == due.kind.value, DigestRow.day == due.day)
    await session.execute(update(DigestRow).where(*this, DigestRow.state != "done").values(values))


async def begun(session: ReadSession, portal_id: int, *, since: date) -> list[Sent]:
    """Digests of days from `since` on, the newest last."""
    query = _SENT.query().where(DigestRow.portal_id == portal_id, DigestRow.day >= since)
    return await _SENT.all(session, query.order_by(DigestRow.started_at, DigestRow.user_id, DigestRow.kind))


async def newest(session: ReadSession, portal_id: int) -> Mapping[tuple[int, str], Sent]:
    """The last digest of each person and kind."""
    last = select(DigestRow.user_id, DigestRow.kind, func.max(DigestRow.day)).where(DigestRow.portal_id == portal_id)
    these = tuple_(DigestRow.user_id, DigestRow.kind, DigestRow.day).in_(
        last.group_by(DigestRow.user_id, DigestRow.kind)
    )
    found = await _SENT.all(session, _SENT.query().where(DigestRow.portal_id == portal_id, these))
    return {(one.user_id, one.kind): one for one in found}


def _whose(portal_id: int, user_id: int) -> tuple[Any, ...]:
    return DigestRow.portal_id == portal_id, DigestRow.user_id == user_id


def _to_json(one: Switch) -> dict[str, bool | None]:
    return {"daily": one.daily, "weekly": one.weekly}
