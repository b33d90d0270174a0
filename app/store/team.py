"""Calendars and absences of a portal: kept, changed by people, and put together for whoever reckons in working time.

Changes note themselves in the audit log.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, Final, Literal

from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.calendars import BUILT_IN, NO_COUNTRY, Calendars, Layer
from app.domain.team import Team
from app.domain.working_time import Interval
from app.errors import OgonError
from app.store import audit, people, portals
from app.store.calendar_document import layer_of, layer_to_json, zone_named
from app.store.country_holidays import holidays_of
from app.store.database import ReadSession, WriteSession
from app.store.json_text import storable_text
from app.store.models import AbsenceRow, CalendarRow, PersonRow
from app.store.records import Record

Scope = Literal["portal", "desk", "person"]
WHOLE_PORTAL: Final = 0
_YEARS_BACK, _YEARS_AHEAD = 3, 4
"""An allowance is looked for three years ahead."""
_ABSENCES_BACK: Final = timedelta(days=366 * _YEARS_BACK)


class AbsenceUnknown(OgonError):  # noqa: N818 - says what is the case
    """No absence has this number, or it was withdrawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCalendar:
    """One layer. `subject_id`: pool or user, 0 for the portal. `source`: `portal` was read there, `set` by a person."""

    scope: Scope
    subject_id: int
    source: Literal["portal", "set"]
    document: dict[str, Any]
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """One absence; the moment `ends_at` does not belong to it."""

    id: int
    portal_id: int
    user_id: int
    starts_at: datetime
    ends_at: datetime
    note: str | None
    added_by: str
    added_at: datetime
    withdrawn_by: str | None
    withdrawn_at: datetime | None


_CALENDAR = Record(KeptCalendar, CalendarRow)
_ABSENCE = Record(Absence, AbsenceRow)


async def calendars(session: ReadSession, portal_id: int, *, around: datetime) -> Calendars:
    """Everything about working time of the portal: holidays and absences from three years before `around` on."""
    portal = await portals.get(session, portal_id)
    kept = await all_calendars(session, portal_id)
    by_scope: dict[str, dict[int, Layer]] = {"portal": {}, "desk": {}, "person": {}}
    own = Layer(zone=zone_of_offset(portal.time_zone))
    layers: list[Layer] = [own]
    for one in sorted(kept, key=lambda one: one.source):
        layer = layer_of(one.document)
        if one.scope == "portal":
            layers.append(layer)
        else:
            by_scope[one.scope][one.subject_id] = layer
    known = (
        await session.execute(
            select(PersonRow.user_id, PersonRow.time_zone, PersonRow.active).where(
                PersonRow.portal_id == portal_id, or_(PersonRow.time_zone.is_not(None), ~PersonRow.active)
            )
        )
    ).all()
    zones = {user: zone for user, name, _ in known if name is not None and (zone := zone_named(name)) is not None}
    years = range(around.year - _YEARS_BACK, around.year + _YEARS_AHEAD + 1)
    said = (BUILT_IN, *layers, *by_scope["desk"].values(), *by_scope["person"].values())
    countries = {layer.country for layer in said} - {None, NO_COUNTRY}
    return Calendars(
        portal=tuple(layers),
        desks=by_scope["desk"],
        people=by_scope["person"],
        zones=zones,
        absences=await _absences_since(session, portal_id, around - _ABSENCES_BACK),
        dismissed=frozenset(user for user, _, active in known if not active),
        holidays={code: holidays_of(code, years, portal.language) for code in countries if code is not None},
        years=years,
    )


def zone_of_offset(offset: str | None) -> tzinfo | None:
    """The zone that keeps this distance from UTC, as `+0300`; None for none."""
    if not offset:
        return None
    sign = -1 if offset[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5])))


async def all_calendars(session: ReadSession, portal_id: int) -> list[KeptCalendar]:
    """Every layer that says something, the portal's first."""
    order = (CalendarRow.scope != "portal", CalendarRow.scope, CalendarRow.subject_id, CalendarRow.source)
    return await _CALENDAR.all(session, _CALENDAR.query().where(CalendarRow.portal_id == portal_id).order_by(*order))


async def keep(session: WriteSession, portal_id: int, read: Team, *, read_at: datetime) -> None:
    """Keep the team as it was read, and what the portal's own settings say of working time.

    Nobody of ours changed anything, so it is not in the audit log.
    """
    await people.keep(session, portal_id, read, read_at=read_at)
    if read.hours is not None:
        await _put(session, portal_id, "portal", WHOLE_PORTAL, "portal", read.hours, who="portal", now=read_at)


async def set_calendar(
    session: WriteSession, portal_id: int, scope: Scope, subject_id: int, layer: Layer, *, who: str, now: datetime
) -> KeptCalendar:
    """Put the layer in the place of the one that was set before. `subject_id` is 0 for the portal."""
    before = await _get_set(session, portal_id, scope, subject_id)
    kept = await _put(session, portal_id, scope, subject_id, "set", layer, who=who, now=now)
    detail = {"from": before.document if before else None, "to": kept.document}
    await _note(session, portal_id, "calendar.set", scope, subject_id, who=who, detail=detail)
    return kept


async def remove_calendar(
    session: WriteSession, portal_id: int, scope: Scope, subject_id: int, *, who: str
) -> KeptCalendar | None:
    """Take away the layer that was set; None where there was none. What the portal itself says stays."""
    found = await _get_set(session, portal_id, scope, subject_id)
    if found is not None:
        await session.execute(delete(CalendarRow).where(*_where(portal_id, scope, subject_id)))
        detail = {"from": found.document, "to": None}
        await _note(session, portal_id, "calendar.removed", scope, subject_id, who=who, detail=detail)
    return found


async def absences(
    session: ReadSession,
    portal_id: int,
    *,
    user_id: int | None = None,
    since: datetime | None = None,
    with_withdrawn: bool = False,
    limit: int = 1000,
) -> list[Absence]:
    """Absences in the order of their beginning; `since`: only those that end later."""
    query = _ABSENCE.query().where(AbsenceRow.portal_id == portal_id)
    if user_id is not None:
        query = query.where(AbsenceRow.user_id == user_id)
    if since is not None:
        query = query.where(AbsenceRow.ends_at > since)
    if not with_withdrawn:
        query = query.where(AbsenceRow.withdrawn_at.is_(None))
    return await _ABSENCE.all(session, query.order_by(AbsenceRow.starts_at, AbsenceRow.id).limit(limit))


async def absent(session: ReadSession, portal_id: int, users: Collection[int], *, at: datetime) -> frozenset[int]:
    """Those of `users` who are away at that moment or dismissed: what `Calendars.absent` says, without all the rest."""
    away = select(AbsenceRow.user_id).where(
        AbsenceRow.portal_id == portal_id,
        AbsenceRow.user_id.in_(users),
        AbsenceRow.withdrawn_at.is_(None),
        AbsenceRow.starts_at <= at,
        AbsenceRow.ends_at > at,
    )
    gone = select(PersonRow.user_id).where(
        PersonRow.portal_id == portal_id, PersonRow.user_id.in_(users), ~PersonRow.active
    )
    return frozenset((await session.scalars(away.union(gone))).all())


async def add_absence(
    session: WriteSession,
    portal_id: int,
    user_id: int,
    *,
    starts_at: datetime,
    ends_at: datetime,
    note: str | None,
    who: str,
    now: datetime,
) -> Absence:
    """Note that the person is away; absences may overlap. `ends_at` is after `starts_at`."""
    values = {
        "portal_id": portal_id,
        "user_id": user_id,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "note": storable_text(note) if note else None,
        "added_by": who,
        "added_at": now,
    }
    added = await _ABSENCE.one(session, _ABSENCE.returning(insert(AbsenceRow).values(values)))
    assert added is not None
    await _note_absence(session, added, "absence.added", who=who)
    return added


async def withdraw_absence(session: WriteSession, absence_id: int, *, who: str, now: datetime) -> Absence:
    """The person is not away after all. Raises AbsenceUnknown."""
    open_one = AbsenceRow.id == absence_id, AbsenceRow.withdrawn_at.is_(None)
    statement = update(AbsenceRow).where(*open_one).values(withdrawn_by=who, withdrawn_at=now)
    withdrawn = await _ABSENCE.one(session, _ABSENCE.returning(statement))
    if withdrawn is None:
        raise AbsenceUnknown(f"There is no absence {absence_id}, or it was withdrawn already.")
    await _note_absence(session, withdrawn, "absence.withdrawn", who=who)
    return withdrawn


async def _absences_since(session: ReadSession, portal_id: int, since: datetime) -> Mapping[int, Sequence[Interval]]:
    columns = AbsenceRow.user_id, AbsenceRow.starts_at, AbsenceRow.ends_at
    valid = AbsenceRow.portal_id == portal_id, AbsenceRow.ends_at > since, AbsenceRow.withdrawn_at.is_(None)
    found: dict[int, list[Interval]] = {}
    for user, start, end in await session.execute(select(*columns).where(*valid).order_by(AbsenceRow.id)):
        found.setdefault(user, []).append((start, end))
    return found


def _where(portal_id: int, scope: str, subject_id: int, source: str = "set") -> tuple[Any, ...]:
    return (
        CalendarRow.portal_id == portal_id,
        CalendarRow.scope == scope,
        CalendarRow.subject_id == subject_id,
        CalendarRow.source == source,
    )


async def _get_set(session: ReadSession, portal_id: int, scope: str, subject_id: int) -> KeptCalendar | None:
    return await _CALENDAR.one(session, _CALENDAR.query().where(*_where(portal_id, scope, subject_id)))


async def _put(
    session: WriteSession,
    portal_id: int,
    scope: Scope,
    subject_id: int,
    source: Literal["portal", "set"],
    layer: Layer,
    *,
    who: str,
    now: datetime,
) -> KeptCalendar:
    key = {"portal_id": portal_id, "scope": scope, "subject_id": subject_id, "source": source}
    values = {"document": layer_to_json(layer), "changed_by": who, "changed_at": now}
    statement = insert(CalendarRow).values(**key, **values).on_conflict_do_update(index_elements=list(key), set_=values)
    kept = await _CALENDAR.one(session, _CALENDAR.returning(statement))
    assert kept is not None
    return kept


async def _note(
    session: WriteSession,
    portal_id: int,
    what: str,
    scope: str,
    subject_id: int,
    *,
    who: str,
    detail: Mapping[str, Any],
) -> None:
    subject = scope if scope == "portal" else f"{scope} {subject_id}"
    await audit.note(session, who=who, what=what, subject=subject, detail=detail, portal_id=portal_id)


async def _note_absence(session: WriteSession, absence: Absence, what: str, *, who: str) -> None:
    detail = {
        "id": absence.id,
        "from": absence.starts_at.isoformat(),
        "until": absence.ends_at.isoformat(),
        "note": absence.note,
    }
    subject = f"person {absence.user_id}"
    await audit.note(session, who=who, what=what, subject=subject, detail=detail, portal_id=absence.portal_id)
