"""Reactions: how each card was answered, round by round, as worked out by `domain/reaction.py`.

Written by runs and by the background that recomputes; read by the API, the pages and analysts. Rows of rounds that
turn out to be none, e.g. when an older lead becomes known, go.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, text

from app.domain.reaction import Allowance, Reaction, TargetChange
from app.store.cards import CardKey
from app.store.database import ReadSession, WriteSession
from app.store.json_text import json_text
from app.store.models import CardRow, PortalRow, ReactionHolderRow, ReactionRow, ReactionTargetRow
from app.store.records import Record

_MET: Final = {True: "yes", False: "no", None: "unknown"}
_COLUMNS: Final = {
    "entity_type_id": "int",
    "card_id": "bigint",
    "arrived_at": "timestamptz",
    "deal_id": "bigint",
    "assigned_at": "timestamptz",
    "responded_at": "timestamptz",
    "responded_by": "bigint",
    "kind": "text",
    "source_id": "text",
    "made_from_call": "boolean",
    "closed_at": "timestamptz",
    "running": "boolean",
    "holder": "bigint",
    "holder_since": "timestamptz",
    "holder_due_at": "timestamptz",
    "target": "text",
    "minutes": "int",
    "due_at": "timestamptz",
    "system_seconds": "bigint",
    "person_seconds": "bigint",
    "working_seconds": "bigint",
    "state": "text",
    "met": "text",
    "missing": "jsonb",
    "doubtful": "jsonb",
}
_HOLDER_COLUMNS: Final = {
    "entity_type_id": "int",
    "card_id": "bigint",
    "arrived_at": "timestamptz",
    "since": "timestamptz",
    "user_id": "bigint",
    "until": "timestamptz",
    "due_at": "timestamptz",
    "working_seconds": "bigint",
}
_KEY: Final = ("entity_type_id", "card_id", "arrived_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round of one card, to be kept. `deal_id`: the deal that goes on with it."""

    card: CardKey
    reaction: Reaction
    deal_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReaction:
    """One row of `reactions`, as the dictionary of the tables tells its columns (docs/data.md)."""

    portal_id: int
    entity_type_id: int
    card_id: int
    arrived_at: datetime
    deal_id: int | None
    assigned_at: datetime | None
    responded_at: datetime | None
    responded_by: int | None
    kind: str | None
    source_id: str | None
    made_from_call: bool
    closed_at: datetime | None
    running: bool
    holder: int | None
    holder_since: datetime | None
    holder_due_at: datetime | None
    target: str
    minutes: int
    due_at: datetime | None
    system_seconds: int | None
    person_seconds: int | None
    working_seconds: int | None
    state: str
    met: str
    missing: list[str]
    doubtful: list[str]
    warned_at: datetime | None
    breached_at: datetime | None
    computed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptHolder:
    """One row of `reaction_holders`."""

    arrived_at: datetime
    since: datetime
    user_id: int | None
    until: datetime | None
    due_at: datetime | None
    working_seconds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTarget:
    """One row of `reaction_targets`."""

    arrived_at: datetime
    since: datetime
    target: str
    minutes: int
    from_target: str | None
    from_minutes: int | None
    run_id: int | None


@dataclass(frozen=True, slots=True)
class Story:
    """All that is kept of one card's reactions, the last round first; holders and targets in order of time."""

    rounds: tuple[KeptReaction, ...]
    holders: tuple[KeptHolder, ...]
    targets: tuple[KeptTarget, ...]


_REACTION = Record(KeptReaction, ReactionRow)
_HOLDER = Record(KeptHolder, ReactionHolderRow)
_TARGET = Record(KeptTarget, ReactionTargetRow)


def _listed(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


def _upsert(table: str, columns: dict[str, str], key: Sequence[str], *, more: str = "", value: str = "") -> str:
    """Keep rows that differ; the keys of those come back."""
    names = [name for name in columns if name not in key]
    told = ", ".join(f"excluded.{name}" for name in names)
    return f"""
        INSERT INTO {table} AS known (portal_id, {", ".join(columns)}{more})
        SELECT :portal, {", ".join(columns)}{value}
        FROM json_to_recordset(CAST(:rows AS json)) AS told ({_listed(columns)})
        ON CONFLICT (portal_id, {", ".join(key)}) DO UPDATE
        SET ({", ".join(names)}{more}) = ROW ({told}{", excluded.computed_at" if more else ""})
        WHERE ({", ".join(f"known.{name}" for name in names)}) IS DISTINCT FROM ({told})
        RETURNING entity_type_id, card_id
    """  # noqa: S608 - put together from constants


_KEEP = text(_upsert("reactions", _COLUMNS, _KEY, more=", computed_at", value=", CAST(:now AS timestamptz)"))
_KEEP_HOLDERS = text(_upsert("reaction_holders", _HOLDER_COLUMNS, (*_KEY, "since")))


def _drop_others(table: str, key: Sequence[str]) -> str:
    named = ", ".join(key)
    columns = {name: _COLUMNS.get(name, "timestamptz") for name in key}
    return f"""
        DELETE FROM {table} WHERE portal_id = :portal
          AND (entity_type_id, card_id) IN (
              SELECT * FROM unnest(CAST(:types AS int[]), CAST(:cards AS bigint[])))
          AND ({named}) NOT IN (
              SELECT {named} FROM json_to_recordset(CAST(:rows AS json)) AS told ({_listed(columns)}))
    """  # noqa: S608 - as above


_DROP = text(_drop_others("reactions", _KEY))
_DROP_HOLDERS = text(_drop_others("reaction_holders", (*_KEY, "since")))
_CHANGE_TARGET = text("""
    INSERT INTO reaction_targets
        (portal_id, entity_type_id, card_id, arrived_at, since, target, minutes, from_target, from_minutes, run_id)
    VALUES (:portal_id, :entity_type_id, :card_id, :arrived, :since, :target, :minutes, :before, :before_minutes, :run)
    ON CONFLICT DO NOTHING
""")
_TOLD = text("""
    UPDATE reactions SET warned_at = CASE WHEN :warned THEN coalesce(warned_at, :at) ELSE warned_at END,
                         breached_at = CASE WHEN :breached THEN coalesce(breached_at, :at) ELSE breached_at END
    WHERE portal_id = :portal_id AND entity_type_id = :entity_type_id AND card_id = :card_id AND arrived_at = :arrived
""")


async def keep(
    session: WriteSession, portal_id: int, cards: Sequence[CardKey], rounds: Sequence[Round], *, now: datetime
) -> set[CardKey]:
    """Keep these rounds as all the rounds of these cards of one portal; the cards of which something changed."""
    rows = [_row(one) for one in rounds]
    holders = [row for one in rounds for row in _holder_rows(one)]
    which = {
        "portal": portal_id,
        "types": [card.entity_type_id for card in cards],
        "cards": [card.card_id for card in cards],
    }
    changed = await session.execute(_KEEP, {"portal": portal_id, "rows": json_text(rows), "now": now})
    found = {CardKey(portal_id, *row) for row in changed}
    await session.execute(_DROP, which | {"rows": json_text(rows)})
    await session.execute(_KEEP_HOLDERS, {"portal": portal_id, "rows": json_text(holders)})
    await session.execute(_DROP_HOLDERS, which | {"rows": json_text(holders)})
    return found


async def change_target(
    session: WriteSession, card: CardKey, arrived_at: datetime, change: TargetChange, *, before: Allowance | None
) -> None:
    """Write down that from now on the round has another target; `before` None: its first one."""
    values = {
        "arrived": arrived_at,
        "since": change.since,
        "target": change.allowance.target.value,
        "minutes": change.allowance.minutes,
        "before": before.target.value if before else None,
        "before_minutes": before.minutes if before else None,
        "run": change.run_id,
    }
    await session.execute(_CHANGE_TARGET, card._asdict() | values)


async def told(
    session: WriteSession, card: CardKey, arrived_at: datetime, *, warned: bool, breached: bool, at: datetime
) -> None:
    """Somebody was told of the round; the first time of each kind stays."""
    values = {"arrived": arrived_at, "warned": warned, "breached": breached, "at": at}
    await session.execute(_TOLD, card._asdict() | values)


async def of_card(session: ReadSession, card: CardKey) -> Story:
    """The card's rounds, who had it in them, and how its targets changed."""

    async def every(record: Any, table: Any, *order: Any) -> tuple[Any, ...]:
        query = record.query().where(
            table.portal_id == card.portal_id,
            table.entity_type_id == card.entity_type_id,
            table.card_id == card.card_id,
        )
        return tuple(await record.all(session, query.order_by(*order)))

    return Story(
        await every(_REACTION, ReactionRow, ReactionRow.arrived_at.desc()),
        await every(_HOLDER, ReactionHolderRow, ReactionHolderRow.since),
        await every(_TARGET, ReactionTargetRow, ReactionTargetRow.since),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionFilter:
    """Which rounds to list; None asks for no condition. Rounds that a deal goes on with are told with the deal."""

    portal_id: int
    running: bool | None = None
    at_work: bool = False
    state: str | None = None
    holder: int | None = None
    holders: Collection[int] | None = None
    due_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Clients who wait for a first response: in all, those whose time is over, those whose cards are hot, and those
    whose cards nobody has."""

    total: int
    overdue: int
    hot: int
    nobodys: int


def _at_work(portal_id: int) -> ColumnElement[bool]:
    """Rounds of cards at work. One that no run has seen must have come since clocks are watched: a backfill brings
    cards that were closed long ago, of which nobody told."""
    same = (
        CardRow.portal_id == ReactionRow.portal_id,
        CardRow.entity_type_id == ReactionRow.entity_type_id,
        CardRow.card_id == ReactionRow.card_id,
    )
    since = select(PortalRow.clocks_since).where(PortalRow.id == portal_id).scalar_subquery()
    return or_(
        exists().where(*same, CardRow.state.in_(["open", "parked"])),
        and_(~exists().where(*same), ReactionRow.arrived_at >= func.coalesce(since, ReactionRow.arrived_at)),
    )


async def listed(
    session: ReadSession, wanted: ReactionFilter, *, limit: int = 50, offset: int = 0
) -> list[KeptReaction]:
    """Rounds, the one whose time ran out or runs out first at the top."""
    equal = {
        ReactionRow.running: wanted.running,
        ReactionRow.state: wanted.state,
        ReactionRow.holder: wanted.holder,
    }
    query = _REACTION.query().where(ReactionRow.portal_id == wanted.portal_id, ReactionRow.deal_id.is_(None))
    for column, value in equal.items():
        if value is not None:
            query = query.where(column == value)
    if wanted.holders is not None:
        query = query.where(ReactionRow.holder.in_(wanted.holders))
    if wanted.at_work:
        query = query.where(_at_work(wanted.portal_id))
    if wanted.due_before is not None:
        query = query.where(ReactionRow.due_at < wanted.due_before)
    order = (ReactionRow.due_at.asc().nulls_last(), ReactionRow.entity_type_id, ReactionRow.card_id)
    return await _REACTION.all(session, query.order_by(*order).limit(limit).offset(offset))


async def waiting(
    session: ReadSession, portal_id: int, *, now: datetime, holders: Collection[int] | None = None
) -> Waiting:
    """Who waits now, as `listed` lists those at work whose clock runs. `holders`: with these people only."""
    where: list[ColumnElement[bool]] = [
        ReactionRow.portal_id == portal_id,
        ReactionRow.deal_id.is_(None),
        # Not "is true": only as it stands in the condition of the index does the planner know it.
        ReactionRow.running.expression,
        _at_work(portal_id),
    ]
    if holders is not None:
        where.append(ReactionRow.holder.in_(holders))
    counts = select(
        func.count(),
        func.count().filter(ReactionRow.due_at <= now),
        func.count().filter(ReactionRow.target == "hot"),
        func.count().filter(ReactionRow.holder.is_(None)),
    )
    return Waiting(*(await session.execute(counts.where(*where))).one())


def _row(one: Round) -> dict[str, Any]:
    reaction, response, holder = one.reaction, one.reaction.response, one.reaction.holder
    over = not reaction.running
    return {
        "entity_type_id": one.card.entity_type_id,
        "card_id": one.card.card_id,
        "arrived_at": response.arrived_at.isoformat(),
        "deal_id": one.deal_id,
        "assigned_at": _printed(response.assigned_at),
        "responded_at": _printed(response.responded_at),
        "responded_by": response.responded_by,
        "kind": response.kind.value if response.kind else None,
        "source_id": response.source_id,
        "made_from_call": response.made_from_call,
        "closed_at": _printed(reaction.closed_at),
        "running": reaction.running,
        "holder": holder.user if holder else None,
        "holder_since": _printed(holder.since) if holder else None,
        "holder_due_at": _printed(holder.due_at) if holder else None,
        "target": reaction.allowance.target.value,
        "minutes": reaction.allowance.minutes,
        "due_at": _printed(reaction.due_at),
        "system_seconds": _seconds(reaction.system) if over else None,
        "person_seconds": _seconds(reaction.person) if over else None,
        "working_seconds": _seconds(reaction.system + reaction.person) if over else None,
        "state": reaction.state.value,
        "met": _MET[reaction.met],
        "missing": sorted(source.value for source in reaction.unread),
        "doubtful": list(response.doubtful),
    }


def _holder_rows(one: Round) -> list[dict[str, Any]]:
    return [
        {
            "entity_type_id": one.card.entity_type_id,
            "card_id": one.card.card_id,
            "arrived_at": one.reaction.response.arrived_at.isoformat(),
            "since": stretch.since.isoformat(),
            "user_id": stretch.user,
            "until": _printed(stretch.until),
            "due_at": _printed(stretch.due_at),
            "working_seconds": None if stretch.until is None else _seconds(stretch.worked),
        }
        for stretch in one.reaction.stretches
    ]


def _printed(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _seconds(time: Any) -> int:
    return int(time.total_seconds())
