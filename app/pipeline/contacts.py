"""Contacts read fresh from the portal: before anybody is told that nobody called, and as soon as the portal hints.

Called by `clocks.py` when a step of a clock is due, and by the worker for hints of activities. It reads and keeps;
what it brings asks for the reactions of its cards by itself (`store/stale_reactions.py`). All reads of one occasion
travel in one batch, or two where calls want their statistics.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from app.bitrix24.client import PortalClient
from app.bitrix24.errors import Bitrix24Error
from app.bitrix24.lanes import Lane
from app.domain.activity_kind import FIELDS, REACHING, Activity, Call, WhyUnknown, activity_of, bindings_of, call_of
from app.domain.snapshot import Entity
from app.pipeline.connections import Connections
from app.pipeline.portal_lists import CALLS
from app.pipeline.reads import every_row, listing, mapping, number, optional
from app.store import activities, card_origins, contact_hints
from app.store.cards import CardKey
from app.store.database import Database, DatabaseAway
from app.store.portals import PortalUnknown
from app.store.secret_box import SecretUnreadable

_log = structlog.get_logger()
_PAGE: Final = 50
_JUDGED: Final = (Entity.LEAD, Entity.DEAL)
_BEFORE: Final = timedelta(hours=1)
"""What was last touched so long before a round began is not of it: a talk from before belongs to it for minutes."""


async def read_fresh(
    client: PortalClient, database: Database, cards: Sequence[CardKey], *, since: datetime, lane: Lane, now: datetime
) -> None:
    """Read and keep what was done on these cards of one portal since the round began, calls with their statistics.

    What the portal does not let us read stays unread, and is told so with the reaction. Raises Temporary errors.
    """
    portal_id = cards[0].portal_id
    asked = [(card, kind) for card in cards for kind in ("owner", "bound")]
    read = await asyncio.gather(*(optional(_of_card(client, card, kind, since, lane)) for card, kind in asked))
    rows = [row for listed in read for row in listed or ()]
    told = [
        (card, row) for (card, kind), listed in zip(asked, read, strict=True) for row in listed or () if kind == "bound"
    ]
    bound, sure = await really_bound(client, told, cards, lane)
    found = list({one.activity_id: one for one in map(activity_of, rows)}.values())
    calls = await _statistics(client, database, portal_id, found, lane)
    async with database.writing() as session:
        await activities.keep(session, portal_id, found)
        await activities.add_bindings(session, portal_id, bound)
        await activities.keep_calls(session, portal_id, calls or ())
        all_read = sure and all(listed is not None for listed in read)
        await card_origins.contacts_read(
            session, cards, activities=now if all_read else None, calls=now if calls is not None else None
        )


async def _of_card(
    client: PortalClient, card: CardKey, kind: str, since: datetime, lane: Lane
) -> list[Mapping[str, Any]]:
    which: dict[str, Any] = {"OWNER_TYPE_ID": card.entity_type_id, "OWNER_ID": card.card_id}
    wanted = which if kind == "owner" else {"BINDINGS": [which]}
    touched = (since - _BEFORE).isoformat(timespec="seconds")
    params = {
        "filter": {**wanted, ">=LAST_UPDATED": touched},
        "select": list(FIELDS),
        "order": {"ID": "ASC"},
    }
    return await every_row(client, "crm.activity.list", params, lane=lane)


async def really_bound(
    client: PortalClient,
    told: Sequence[tuple[CardKey, Mapping[str, Any]]],
    family: Sequence[CardKey],
    lane: Lane,
) -> tuple[list[tuple[CardKey, int]], bool]:
    """Which activities are bound to these cards as the list told; the flag: whether all could be made sure of.

    A filter that a portal does not understand is passed over, and a stranger's call would count as a response. So
    where the owner is another lead or deal, the activity's own bindings are asked for.
    """
    own = {(one.entity_type_id, one.card_id) for one in family}
    rows = {number(row.get("ID")): row for _, row in told}
    owners = {one: (number(row.get("OWNER_TYPE_ID")), number(row.get("OWNER_ID"))) for one, row in rows.items()}
    doubted = [one for one, owner in owners.items() if owner[0] in _JUDGED and owner not in own]
    asked = await asyncio.gather(*(_bindings(client, one, lane) for one in doubted))
    known = {one: bindings_of(bindings) for one, bindings in zip(doubted, asked, strict=True)}
    bound = [
        (card, one)
        for card, one in ((card, number(row.get("ID"))) for card, row in told)
        if one not in known or (card.entity_type_id, card.card_id) in (known[one] or ())
    ]
    return bound, all(bindings is not None for bindings in known.values())


async def _statistics(
    client: PortalClient, database: Database, portal_id: int, found: Iterable[Activity], lane: Lane
) -> list[Call] | None:
    """Of those calls whose talk is not known yet; None where the portal does not let us read statistics."""
    unknown = [one.activity_id for one in found if one.why_unknown is WhyUnknown.NO_STATISTICS]
    if not unknown:
        return []
    async with database.reading() as session:
        wanted = await activities.without_statistics(session, portal_id, unknown)
    read = await asyncio.gather(
        *(optional(client.call(CALLS, {"FILTER": {"CRM_ACTIVITY_ID": one}}, lane=lane)) for one in wanted)
    )
    if any(listed is None for listed in read):
        return None
    calls = [call_of(mapping(row)) for listed in read for row in listing(listed)]
    # A filter that a portal does not understand is passed over: strangers' calls prove nothing.
    return [call for call in calls if call.activity_id in set(wanted)]


@dataclass(frozen=True, slots=True)
class Contacts:
    """The hints of all portals. `settle`: how long one waits for the rest of its burst."""

    database: Database
    connections: Connections
    now: Callable[[], datetime]
    settle: timedelta

    async def step(self) -> None:
        """Read what the portals hinted at. Raises DatabaseAway."""
        taken = self.now()
        async with self.database.writing() as session:
            hints = await contact_hints.take(session, now=taken, settle=self.settle)
        by_portal: dict[int, list[int]] = {}
        for portal_id, activity_id in hints:
            by_portal.setdefault(portal_id, []).append(activity_id)
        for portal_id, ids in by_portal.items():
            try:
                await self.read(portal_id, ids)
            except (Bitrix24Error, PortalUnknown, SecretUnreadable) as error:
                # Tried again in a minute; the sweep brings them all the same.
                _log.info("activities that were hinted at were not read", portal=portal_id, error=str(error))
            except DatabaseAway:
                raise
            else:
                async with self.database.writing() as session:
                    await contact_hints.done(session, portal_id, ids, taken=taken)

    async def read(self, portal_id: int, ids: Sequence[int]) -> None:
        """Read and keep these activities with their cards and calls. Raises as reads do, and DatabaseAway."""
        client = (await self.connections.of(portal_id)).client
        pages = [ids[start : start + _PAGE] for start in range(0, len(ids), _PAGE)]
        listed = await asyncio.gather(*(_by_id(client, page) for page in pages))
        rows = [row for page in listed for row in page]
        unbound = [one.activity_id for one in map(activity_of, rows) if one.kind in REACHING and one.bindings is None]
        bindings = await asyncio.gather(*(_bindings(client, one) for one in unbound))
        told = dict(zip(unbound, bindings, strict=True))
        found = [
            activity_of({**row, "BINDINGS": row.get("BINDINGS") or told.get(number(row.get("ID")))}) for row in rows
        ]
        calls = await _statistics(client, self.database, portal_id, found, Lane.NORMAL)
        async with self.database.writing() as session:
            await activities.keep(session, portal_id, found)
            await activities.keep_calls(session, portal_id, calls or ())


async def _by_id(client: PortalClient, ids: Sequence[int]) -> list[Mapping[str, Any]]:
    params = {"filter": {"@ID": list(ids)}, "select": list(FIELDS), "order": {"ID": "ASC"}}
    wanted = set(ids)
    rows = await every_row(client, "crm.activity.list", params, lane=Lane.NORMAL)
    return [row for row in rows if number(row.get("ID")) in wanted]


async def _bindings(client: PortalClient, activity_id: int, lane: Lane = Lane.NORMAL) -> Any:
    asked = {"activityId": activity_id}
    return await optional(client.call("crm.activity.binding.list", asked, lane=lane))
