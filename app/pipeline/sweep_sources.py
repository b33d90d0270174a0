"""What a sweep reads, one source for each way in which a change could have gone unheard, and what its rows mean.

    lead.new, deal.new            by id: imported cards, too, whose dates lie in the past
    lead.changed, deal.changed    by `updatedTime`, with an overlap; the first window is the first sight of a portal
    company.new                   by id, all of them at first: to know them by name
    company.changed               the open cards of a company are judged on its fields
    lead.moves, deal.moves        stage history by id: a change of pipeline raises no event for webhooks, and hops
                                  between two readings stand nowhere else
    activity.new, .changed        by id and by LAST_UPDATED; kept in a table for whoever measures reactions
    call.new                      call statistics by id: only they tell whether anybody talked
    quote.*, invoice.*            proposals and invoices, new and changed: kept for figures

Read by `sweep.py`. Fields are named in `select`, so custom names must stay as the portal gives them: never add
`useOriginalUfNames` here (see `app/bitrix24/loader.py`). To add a source, add it to SOURCES.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from app.domain.activity_kind import FIELDS, REACHING, activity_of, call_of
from app.domain.difference import link
from app.domain.figures import LISTED
from app.domain.printed import moment
from app.domain.snapshot import Entity
from app.pipeline.card import listed
from app.pipeline.papers import params_of, read_papers
from app.pipeline.portal_lists import CALLS
from app.pipeline.reads import number, optional
from app.pipeline.sweep_round import BACKGROUND, Round, Told, identity
from app.store import (
    activities,
    card_figures,
    card_origins,
    companies,
    histories,
    news,
    owner_changes,
    papers,
    stage_moves,
    stale_reactions,
)
from app.store.card_origins import Origin
from app.store.companies import Company
from app.store.database import WriteSession
from app.store.news import SeenCard
from app.store.owner_changes import SeenOwner
from app.store.papers import PaperKind

Row = Mapping[str, Any]
Keep = Callable[[Round, WriteSession, Sequence[Row], bool], Awaitable[Told]]
"""Writes down what the rows tell. The flag: this is the portal's first sight."""
Complete = Callable[[Round, Sequence[Row]], Awaitable[Sequence[Row]]]
"""Reads what the list did not print, before anything is written down. Raises Bitrix24Error."""

LEAD, DEAL, COMPANY = 1, 2, 4
CLOSED_SINCE: Final = timedelta(days=1)
"""At first sight a closed card is judged only when it changed this recently; open ones by SWEEP_SINCE_DAYS."""
_COMPANIES: Final[Mapping[str, Any]] = {
    "entityTypeId": COMPANY,
    "select": ["id", "title", "assignedById", "createdTime", "updatedTime"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One list method, walked by id; with `time` only through what changed in a window of that field.

    `from_start`: the first sight looks back, by id to the list's beginning, instead of only noting where it ends.
    `history`: which of `store.histories` is whole once this source is read to its end.
    """

    name: str
    method: str
    params: Mapping[str, Any]
    keep: Keep
    time: str | None = None
    from_start: bool = False
    history: str | None = None
    complete: Complete | None = None

    @property
    def id_name(self) -> str:
        return "id" if self.method == "crm.item.list" else "ID"


def seen_card(row: Row) -> SeenCard:
    updated = moment(row.get("updatedTime"))
    return SeenCard(
        card_id=identity(row),
        updated_time=updated,
        moved_time=moment(row.get("movedTime")),
        stage_id=str(row["stageId"]) if row.get("stageId") else None,
        day=updated.date() if updated else None,
    )


def cards_of(entity_type_id: int, event: str) -> Keep:
    """Leads or deals: those that no run has judged as they stand go into the journal."""

    async def keep(sweep: Round, session: WriteSession, rows: Sequence[Row], first_sight: bool) -> Told:
        await note_origins(session, sweep.portal_id, entity_type_id, rows)
        wanted = [row for row in rows if not first_sight or _worth_a_first_look(sweep, row)]
        seen = [seen_card(row) for row in wanted]
        await news.note_changed(session, sweep.portal_id, entity_type_id, seen)
        owners = [_owner(sweep, row) for row in rows]
        await owner_changes.note(session, sweep.portal_id, entity_type_id, owners)
        stands = [listed(Entity(entity_type_id), row, sweep.now()) for row in rows]
        await card_figures.listed(session, sweep.portal_id, entity_type_id, stands)
        return await sweep.ask(session, entity_type_id, seen, event)

    return keep


async def note_origins(session: WriteSession, portal_id: int, entity_type_id: int, rows: Sequence[Row]) -> None:
    """When the listed cards were made, and deals out of which leads."""
    told = [Origin(identity(row), moment(row.get("createdTime")), link(row.get("leadId"))) for row in rows]
    new = await card_origins.note(session, portal_id, entity_type_id, told)
    await stale_reactions.ask(session, portal_id, [(entity_type_id, card_id) for card_id in new])


def _owner(sweep: Round, row: Row) -> SeenOwner:
    # Read since the round began: what a run has read meanwhile is not taken for older.
    began = sweep.clock.now + sweep.clock.skew
    return SeenOwner(identity(row), link(row.get("assignedById")), moment(row.get("updatedTime")), began)


def _worth_a_first_look(sweep: Round, row: Row) -> bool:
    """A portal may hold years of closed cards: those are judged when something happens to them."""
    if row.get("stageSemanticId", "P") == "P":
        return True
    updated = moment(row.get("updatedTime"))
    return updated is None or updated >= sweep.clock.now - CLOSED_SINCE


def company_of(row: Row) -> Company:
    return Company(
        company_id=identity(row),
        title=str(row["title"]) if row.get("title") else None,
        assigned_by_id=link(row.get("assignedById")),
        created_at=moment(row.get("createdTime")),
        updated_at=moment(row.get("updatedTime")),
    )


async def _new_companies(sweep: Round, session: WriteSession, rows: Sequence[Row], _first_sight: bool) -> Told:
    """Kept by name; no card has been judged on a company that is new."""
    await companies.keep(session, sweep.portal_id, [company_of(row) for row in rows])
    return Told()


async def _companies(sweep: Round, session: WriteSession, rows: Sequence[Row], _first_sight: bool) -> Told:
    """A company counts when one of its open cards was last read before the company changed."""
    await companies.keep(session, sweep.portal_id, [company_of(row) for row in rows])
    seen = [card for card in map(seen_card, rows) if card.updated_time is not None]
    found = await news.of_companies(session, sweep.portal_id, seen, margin=sweep.clock.margin)
    return Told(await sweep.append(session, COMPANY, found, "SWEEP_CHANGED"))


def moves_of(entity_type_id: int) -> Keep:
    """Each hop is kept once; a card whose last hop no run has seen goes into the journal."""

    async def keep(sweep: Round, session: WriteSession, rows: Sequence[Row], _first_sight: bool) -> Told:
        moves = [stage_move(sweep.portal_id, entity_type_id, row) for row in rows]
        new = await stage_moves.keep(session, [move for move in moves if move.card_id])
        last = {move.card_id: move for move in new}
        seen = [
            SeenCard(card_id=card_id, moved_time=move.created_time, stage_id=move.stage_id)
            for card_id, move in last.items()
        ]
        return await sweep.ask(session, entity_type_id, seen, "SWEEP_MOVED")

    return keep


def stage_move(portal_id: int, entity_type_id: int, row: Row) -> stage_moves.StageMove:
    """Leads say STATUS_* where others say STAGE_* (docs: api-reference/crm/crm-stage-history-list)."""
    kind = "STATUS" if entity_type_id == LEAD else "STAGE"
    return stage_moves.StageMove(
        portal_id=portal_id,
        entity_type_id=entity_type_id,
        history_id=identity(row),
        card_id=number(row.get("OWNER_ID")),
        type_id=number(row.get("TYPE_ID")),
        stage_id=str(row.get(f"{kind}_ID") or ""),
        category_id=None if row.get("CATEGORY_ID") is None else number(row.get("CATEGORY_ID")),
        semantics=str(row.get(f"{kind}_SEMANTIC_ID") or "") or None,
        created_time=moment(row.get("CREATED_TIME")),
    )


async def _activities(sweep: Round, session: WriteSession, rows: Sequence[Row], _first_sight: bool) -> Told:
    """Each activity is kept as it is now; nothing is judged by it."""
    return Told(await activities.keep(session, sweep.portal_id, [activity_of(row) for row in rows]))


async def _with_bindings(sweep: Round, rows: Sequence[Row]) -> Sequence[Row]:
    """Asks for every card that a contact belongs to, where the list tells only its owner.

    Fifty to a request, once for each state of an activity; to-dos and tasks are not asked about.
    """
    listed = [one for one in map(activity_of, rows) if one.kind in REACHING]
    async with sweep.database.reading() as session:
        wanted = await activities.without_bindings(session, sweep.portal_id, listed)
    told = dict(zip(wanted, await asyncio.gather(*(_bindings(sweep, one) for one in wanted)), strict=True))
    return [{**row, "BINDINGS": told[identity(row)]} if identity(row) in told else row for row in rows]


async def _bindings(sweep: Round, activity_id: int) -> Any:
    asked = {"activityId": activity_id}
    return await optional(sweep.client.call("crm.activity.binding.list", asked, lane=BACKGROUND))


async def _calls(sweep: Round, session: WriteSession, rows: Sequence[Row], _first_sight: bool) -> Told:
    return Told(await activities.keep_calls(session, sweep.portal_id, [call_of(row) for row in rows]))


def _cards(entity_type_id: int, name: str) -> tuple[Source, Source, Source]:
    asked = {"entityTypeId": entity_type_id, "select": list(LISTED[Entity(entity_type_id)])}
    method = "crm.item.list"
    return (
        Source(name=f"{name}.new", method=method, params=asked, keep=cards_of(entity_type_id, "SWEEP_NEW")),
        Source(
            name=f"{name}.changed",
            method=method,
            params=asked,
            keep=cards_of(entity_type_id, "SWEEP_CHANGED"),
            time="updatedTime",
            from_start=True,
            history=f"{name}_owners",
        ),
        Source(
            name=f"{name}.moves",
            method="crm.stagehistory.list",
            params={"entityTypeId": entity_type_id},
            keep=moves_of(entity_type_id),
            history=f"{name}_moves",
        ),
    )


def _keep_papers(kind: PaperKind) -> Keep:
    async def keep(sweep: Round, session: WriteSession, rows: Sequence[Row], _first_sight: bool) -> Told:
        return Told(await papers.keep(session, sweep.portal_id, kind, [row["paper"] for row in rows]))

    return keep


def _as_papers(kind: PaperKind) -> Complete:
    async def complete(sweep: Round, rows: Sequence[Row]) -> Sequence[Row]:
        made = await read_papers(sweep.client, sweep.database, sweep.portal_id, kind, rows)
        return [{**row, "paper": paper} for row, paper in zip(rows, made, strict=True)]

    return complete


def _papers(kind: PaperKind, history: str) -> tuple[Source, Source]:
    keep, complete, method = _keep_papers(kind), _as_papers(kind), "crm.item.list"
    return (
        Source(
            name=f"{kind}.new", method=method, params=params_of(kind), keep=keep, history=history, complete=complete
        ),
        Source(
            name=f"{kind}.changed",
            method=method,
            params=params_of(kind),
            keep=keep,
            time="updatedTime",
            complete=complete,
        ),
    )


SOURCES: Final = (
    *_cards(LEAD, "lead"),
    *_cards(DEAL, "deal"),
    Source(name="company.new", method="crm.item.list", params=_COMPANIES, keep=_new_companies, from_start=True),
    Source(
        name="company.changed",
        method="crm.item.list",
        params=_COMPANIES,
        keep=_companies,
        time="updatedTime",
    ),
    Source(
        name="activity.new",
        method="crm.activity.list",
        params={"select": list(FIELDS)},
        keep=_activities,
        history=histories.ACTIVITIES,
        complete=_with_bindings,
    ),
    Source(
        name="activity.changed",
        method="crm.activity.list",
        params={"select": list(FIELDS)},
        keep=_activities,
        time="LAST_UPDATED",
        complete=_with_bindings,
    ),
    Source(name="call.new", method=CALLS, params={}, keep=_calls, history=histories.CALLS),
    *_papers("quote", histories.QUOTES),
    *_papers("invoice", histories.INVOICES),
)
