"""Judging again: after a version of the rules is published, the open cards are judged by it, little by little.

`note_due` stands in the transaction that publishes; the worker calls `step` every second, the API reads `progress`.
A step asks through the journal for a few cards and goes on when those are judged, so the queue never holds more than
one portion of this kind, and what the portal's people do comes first. How far it is stands in one row, moved in the
transaction that asks: a crash at any instruction repeats a card at worst and passes none.

Cards at work are judged again, and parked ones too, since the rules may have been what stopped them. Closed and
deleted ones are not: what new rules would have made of those is the replay's question.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from app.store import journal
from app.store.database import Database, ReadSession, WriteSession
from app.store.models import RejudgingRow
from app.store.records import Record

EVENT = "RULES_PUBLISHED"
PORTION = 100
"""Cards asked for and not judged yet, at most: two batches of reads, and half of what a worker does at a time."""
SETTLE = timedelta(seconds=1.5)
"""How long after publishing to begin: a worker may judge by the version before for a second."""
_FORGOTTEN = timedelta(minutes=10)
_BACKGROUND = 2

State = Literal["due", "running", "finished", "superseded"]
CardId = tuple[int, int]
"""entityTypeId and id."""


@dataclass(frozen=True, slots=True)
class Change:
    """How many cards of a type went from one result to another: a lead's outcome, a deal's grade.

    A declined deal's result is its grade and the word, as in a replay: `CCC_declined`.
    """

    entity_type_id: int
    before: str
    after: str
    cards: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudging:
    """How far one version is. `total` counts the cards that were or will be judged again, as far as is known now.

    `judged` of them have a run under this version or a later one, of which `changes` tells the changed; `parked` could
    not be judged, `deleted` were gone.
    """

    portal_id: int
    version: int
    noted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    superseded_at: datetime | None
    total: int
    judged: int
    parked: int
    deleted: int
    changes: tuple[Change, ...]

    @property
    def done(self) -> int:
        return self.judged + self.parked + self.deleted

    @property
    def changed(self) -> int:
        return sum(change.cards for change in self.changes)

    @property
    def state(self) -> State:
        if self.finished_at is not None:
            return "finished"
        if self.superseded_at is not None:
            return "superseded"
        return "due" if self.started_at is None else "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """One row under way: the key of the last card asked for, and the cards asked for that are not judged yet."""

    portal_id: int
    version: int
    started_at: datetime | None
    asked_at: datetime | None
    entity_type_id: int
    card_id: int
    waiting: list[list[int]]
    judged: int
    parked: int
    deleted: int
    changes: list[list[Any]]


_PLACE = Record(_Place, RejudgingRow)

# What a run made of the card, as `Change` has it.
RESULT = """
    CASE WHEN {run}.verdict ->> 'stage' = 'lead_gate' THEN {run}.verdict ->> 'outcome'
         WHEN {run}.verdict ->> 'declined' = 'true' THEN ({run}.verdict ->> 'grade') || '_declined'
         ELSE {run}.verdict ->> 'grade' END
"""

# The newest runs of the card on either side of the version. A parked card is through when nothing tries it any more.
_FATES = text(f"""
    SELECT given.type, given.id,
        CASE WHEN after.result IS NOT NULL THEN 'judged'
             WHEN known.state = 'deleted' THEN 'deleted'
             WHEN known.state = 'parked' AND NOT (
                 EXISTS (SELECT FROM journal AS hint WHERE hint.portal_id = :portal
                         AND hint.entity_type_id = given.type AND hint.card_id = given.id
                         AND hint.dispatched_at IS NULL AND hint.rejected IS NULL)
                 OR EXISTS (SELECT FROM procrastinate_jobs AS job WHERE job.status IN ('todo', 'doing')
                            AND job.lock = format('card:%s:%s:%s', CAST(:portal AS int), given.type, given.id))
                 OR EXISTS (SELECT FROM timers AS timer WHERE timer.portal_id = :portal
                            AND timer.entity_type_id = given.type AND timer.card_id = given.id
                            AND timer.fired_at IS NULL)) THEN 'parked'
        END,
        before.result, after.result
    FROM unnest(CAST(:types AS int[]), CAST(:ids AS bigint[])) AS given (type, id)
    LEFT JOIN cards AS known
        ON known.portal_id = :portal AND known.entity_type_id = given.type AND known.card_id = given.id
    LEFT JOIN LATERAL (
        SELECT {RESULT.format(run="run")} AS result FROM runs AS run
        WHERE run.portal_id = :portal AND run.entity_type_id = given.type AND run.card_id = given.id
          AND run.ruleset_version >= :version AND run.status = 'done'
        ORDER BY run.id DESC LIMIT 1) AS after ON true
    LEFT JOIN LATERAL (
        SELECT {RESULT.format(run="run")} AS result FROM runs AS run
        WHERE run.portal_id = :portal AND run.entity_type_id = given.type AND run.card_id = given.id
          AND run.ruleset_version < :version AND run.verdict IS NOT NULL
        ORDER BY run.id DESC LIMIT 1) AS before ON true
""")  # noqa: S608 - put together from constants

_BEYOND = """
    FROM cards WHERE portal_id = :portal AND entity_type_id IN (1, 2) AND state IN ('open', 'parked')
      AND (entity_type_id, card_id) > (:type, :card)
"""
# A card that an event has brought under this version meanwhile need not be asked for.
_NEXT = text(f"""
    SELECT entity_type_id, card_id,
           EXISTS (SELECT FROM runs WHERE runs.id = cards.last_run_id AND ruleset_version >= :version)
    {_BEYOND} ORDER BY entity_type_id, card_id LIMIT :room
""")  # noqa: S608 - as above
_LEFT = text(f"SELECT count(*) {_BEYOND}")

_UNDER_WAY = (RejudgingRow.finished_at.is_(None), RejudgingRow.superseded_at.is_(None))


async def note_due(session: WriteSession, portal_id: int, version: int) -> None:
    """Have the portal's open cards judged again by this version, which takes the place of earlier ones."""
    earlier = update(RejudgingRow).where(
        RejudgingRow.portal_id == portal_id, RejudgingRow.version < version, *_UNDER_WAY
    )
    await session.execute(earlier.values(superseded_at=func.now(), waiting=[]))
    await session.execute(insert(RejudgingRow).values(portal_id=portal_id, version=version).on_conflict_do_nothing())


async def step(database: Database, *, settle: timedelta = SETTLE, portion: int = PORTION) -> bool:
    """Go on with every portal that has a version to judge by: see what was judged, ask for the next cards.

    False when there is nothing to do for now. Any number of workers may call it; one of them does it.
    """
    ripe = RejudgingRow.noted_at <= func.now() - settle
    async with database.reading() as session:
        if not await session.scalar(select(func.count()).select_from(RejudgingRow).where(*_UNDER_WAY, ripe)):
            return False
    async with database.writing() as session:
        query = _PLACE.query().where(*_UNDER_WAY, ripe).order_by(RejudgingRow.portal_id)
        places = await _PLACE.all(session, query.with_for_update(skip_locked=True))
        now = (await session.execute(select(func.now()))).scalar_one()
        for place in places:
            await _go_on(session, place, now=now, portion=portion)
    return True


async def progress(session: ReadSession, portal_id: int, version: int | None = None) -> Rejudging | None:
    """How far the version is, the newest without a number. None for one published before this was kept."""
    query = select(RejudgingRow).where(RejudgingRow.portal_id == portal_id)
    if version is not None:
        query = query.where(RejudgingRow.version == version)
    row = (await session.scalars(query.order_by(RejudgingRow.version.desc()).limit(1))).one_or_none()
    if row is None:
        return None
    told = Rejudging(
        portal_id=row.portal_id,
        version=row.version,
        noted_at=row.noted_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        superseded_at=row.superseded_at,
        total=row.total,
        judged=row.judged,
        parked=row.parked,
        deleted=row.deleted,
        changes=tuple(Change(*change) for change in row.changes),
    )
    match told.state:
        case "finished" | "superseded":
            return replace(told, total=max(told.total, told.done))
        case "due" | "running":
            beyond = await _left(session, portal_id, (row.entity_type_id, row.card_id))
            return replace(told, total=told.done + len(row.waiting) + beyond)


async def still_to_judge(session: ReadSession) -> dict[int, int]:
    """Cards by portal that the newest version has not judged yet, 0 where it has judged all."""
    portals = (await session.scalars(select(RejudgingRow.portal_id).distinct())).all()
    told = [await progress(session, portal_id) for portal_id in portals]
    return {
        one.portal_id: one.total - one.done if one.state in {"due", "running"} else 0 for one in told if one is not None
    }


async def _go_on(session: WriteSession, place: _Place, *, now: datetime, portion: int) -> None:
    waiting, counts, changes = await _settled(session, place)
    position = (place.entity_type_id, place.card_id)
    following, asked = await _following(session, place, room=portion - len(waiting))
    if following:
        position = following[-1]
    elif waiting and place.asked_at is not None and now - place.asked_at > _FORGOTTEN:
        # Whatever became of the asking, a second one does no harm.
        asked = waiting
    await _ask(session, place.portal_id, asked)
    waiting = [*waiting, *following]
    values: dict[str, Any] = {
        "entity_type_id": position[0],
        "card_id": position[1],
        "waiting": [list(card) for card in waiting],
        "judged": place.judged + counts["judged"],
        "parked": place.parked + counts["parked"],
        "deleted": place.deleted + counts["deleted"],
        "changes": [[*key, cards] for key, cards in sorted(changes.items())],
    }
    if asked:
        values["asked_at"] = now
    if place.started_at is None:
        values["started_at"] = now
        values["total"] = len(waiting) + await _left(session, place.portal_id, position)
    if not waiting:
        values["finished_at"] = now
        values["total"] = values["judged"] + values["parked"] + values["deleted"]
    this = (RejudgingRow.portal_id == place.portal_id, RejudgingRow.version == place.version)
    await session.execute(update(RejudgingRow).where(*this).values(values))


async def _settled(
    session: WriteSession, place: _Place
) -> tuple[list[CardId], Mapping[str, int], Counter[tuple[int, str, str]]]:
    """The cards still waited for; how the others ended; and all changes so far."""
    changes = Counter({(kind, before, after): cards for kind, before, after, cards in place.changes})
    counts: Counter[str] = Counter()
    waiting: list[CardId] = []
    values = {
        "portal": place.portal_id,
        "version": place.version,
        "types": [card[0] for card in place.waiting],
        "ids": [card[1] for card in place.waiting],
    }
    rows = await session.execute(_FATES, values) if place.waiting else ()
    for kind, card_id, fate, before, after in rows:
        if fate is None:
            waiting.append((kind, card_id))
            continue
        counts[fate] += 1
        if fate == "judged" and before is not None and before != after:
            changes[kind, before, after] += 1
    return waiting, counts, changes


async def _following(session: WriteSession, place: _Place, *, room: int) -> tuple[list[CardId], list[CardId]]:
    """The next cards in order; and those of them that must be asked for."""
    if room <= 0:
        return [], []
    values = {
        "portal": place.portal_id,
        "type": place.entity_type_id,
        "card": place.card_id,
        "version": place.version,
        "room": room,
    }
    rows = [((row[0], row[1]), row[2]) for row in await session.execute(_NEXT, values)]
    return [card for card, _ in rows], [card for card, judged in rows if not judged]


async def _ask(session: WriteSession, portal_id: int, cards: Iterable[CardId]) -> Sequence[int]:
    entries = [
        journal.NewEntry(
            source="rules",
            event=EVENT,
            portal_id=portal_id,
            entity_type_id=kind,
            card_id=card_id,
            lane=_BACKGROUND,
        )
        for kind, card_id in cards
    ]
    return await journal.append(session, entries)


async def _left(session: ReadSession, portal_id: int, position: CardId) -> int:
    values = {"portal": portal_id, "type": position[0], "card": position[1]}
    return int(await session.scalar(_LEFT, values) or 0)
