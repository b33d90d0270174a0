"""From when on what people did is known, source by source: told beside every figure of activity.

Used by the reports on activity and the API. What may not be read, or lies before the first day that is kept whole, is
missing, and is no zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from app.domain.messages import Message, message
from app.reports.scope import Scope
from app.store import calendar, histories, past_deals
from app.store.database import ReadSession

_TITLES: Final[Mapping[str, Message]] = {
    histories.ACTIVITIES: message("letters and meetings"),
    histories.CALLS: message("calls"),
    histories.CHATS: message("chats"),
    histories.QUOTES: message("proposals"),
    histories.INVOICES: message("invoices"),
    "sales": message("sales"),
}


@dataclass(frozen=True, slots=True)
class SourceKept:
    """One source. `whole_from`: the first day of which all is kept; None: of no day. `refused`: why it is not read."""

    source: str
    title: Message
    whole_from: date | None
    refused: str | None
    whole: bool


async def sources_kept(session: ReadSession, scope: Scope) -> list[SourceKept]:
    """Each source of activity; `whole`: all of the scope's period is kept."""
    known = {one.source: one for one in await histories.of_portal(session, scope.portal_id)}
    since = scope.filter.since
    kept: list[SourceKept] = []
    for source, title in _TITLES.items():
        if source == "sales":
            first, refused = await past_deals.whole_from(session, scope.portal_id), None
        else:
            history = known.get(source)
            whole_since = history.whole_since if history else None
            first = calendar.day_of(whole_since, scope.ahead) if whole_since else None
            refused = history.refused if history else None
        kept.append(SourceKept(source, title, first, refused, first is not None and first <= since and not refused))
    return kept


def missing_said(kept: Sequence[SourceKept]) -> tuple[Message, ...]:
    """What a reader must know of figures over the period."""
    lacking: dict[tuple[date | None, str | None], list[Message]] = {}
    for one in kept:
        if not one.whole:
            lacking.setdefault((None if one.refused else one.whole_from, one.refused), []).append(one.title)
    return tuple(_said(tuple(titles), day, refused) for (day, refused), titles in lacking.items())


def _said(titles: tuple[Message, ...], day: date | None, refused: str | None) -> Message:
    if refused:
        return message("Missing: {source}. The portal says: {why}", source=titles, why=refused)
    if day is None:
        return message("Missing so far: {source}. They come with the next sweep.", source=titles)
    return message(
        "Known from {day} on: {source}. What was before may be missing; `ogon backfill` reads it.",
        source=titles,
        day=day,
    )
