"""Replays: drafts of rules to be tried on recorded cards, as jobs: asked for, taken up, told of, cancelled.

Asked for by web and CLI, carried out by `app/pipeline/replay.py` in a worker. Whoever takes a replay up counts an
attempt; everything he writes names it, so that one who was thought dead writes no more. The tally grows page by page
with the place up to which it reaches, so that another goes on from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import case, delete, func, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from app.store.database import ReadSession, WriteSession
from app.store.json_text import storable_text
from app.store.models import CardRow, ReplayCardRow, ReplayRow
from app.store.recorded_cards import START, Period, Place
from app.store.records import Record

ReplayState = Literal["waiting", "running", "done", "cancelled", "failed"]

KEPT = 20
"""Replays of a portal that are kept; older ones go with their cards when a new one is asked for."""
MOST_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One replay. `draft` is a ruleset document; runs opened from `since` on and before `until` are looked at.

    `total` and `looked` count cards that may have such a run. `tally` is a `domain.replay.Tally` of those up to the
    place (`entity_type_id`, `card_id`).
    """

    id: int
    portal_id: int
    draft: dict[str, Any]
    since: datetime
    until: datetime
    asked_by: str
    asked_at: datetime
    state: ReplayState
    attempt: int
    started_at: datetime | None
    finished_at: datetime | None
    total: int | None
    looked: int
    entity_type_id: int
    card_id: int
    tally: dict[str, Any]
    error: str | None

    @property
    def period(self) -> Period:
        return Period(self.portal_id, self.since, self.until)

    @property
    def place(self) -> Place:
        return Place(self.entity_type_id, self.card_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayCard:
    """A card whose label changes from `before` to `after`, or that cannot be compared because of `gap`."""

    entity_type_id: int
    card_id: int
    run_id: int
    before: str
    after: str | None
    gap: str | None
    truth: str | None


@dataclass(frozen=True, slots=True)
class Pages:
    """The cards to look at in pages: the last place of each and how many cards there are up to it."""

    ends: tuple[tuple[Place, int], ...]

    @property
    def total(self) -> int:
        return self.ends[-1][1] if self.ends else 0


_RECORD = Record(Replay, ReplayRow)
_CARD = Record(ReplayCard, ReplayCardRow)
_UNFINISHED = ("waiting", "running")
_INSERT_CARDS = text("""
    INSERT INTO replay_cards (replay_id, entity_type_id, card_id, run_id, before, after, gap, truth)
    SELECT :replay_id, * FROM unnest(CAST(:types AS int[]), CAST(:cards AS bigint[]), CAST(:runs AS bigint[]),
        CAST(:befores AS text[]), CAST(:afters AS text[]), CAST(:gaps AS text[]), CAST(:truths AS text[]))
    ON CONFLICT DO NOTHING
""")


async def ask(
    session: WriteSession, *, portal_id: int, draft: Mapping[str, Any], since: datetime, until: datetime, by: str
) -> Replay:
    """Ask for a replay; the portal's oldest finished ones make room for it."""
    kept = select(ReplayRow.id).where(ReplayRow.portal_id == portal_id).order_by(ReplayRow.id.desc()).limit(KEPT - 1)
    await session.execute(
        delete(ReplayRow).where(
            ReplayRow.portal_id == portal_id, ReplayRow.state.not_in(_UNFINISHED), ReplayRow.id.not_in(kept)
        )
    )
    values = {"portal_id": portal_id, "draft": dict(draft), "since": since, "until": until, "asked_by": by}
    asked = await _RECORD.one(session, _RECORD.returning(insert(ReplayRow).values(values)))
    assert asked is not None
    return asked


async def get(session: ReadSession, replay_id: int) -> Replay | None:
    return await _RECORD.one(session, _RECORD.query().where(ReplayRow.id == replay_id))


async def latest(session: ReadSession, portal_id: int, *, limit: int = KEPT) -> list[Replay]:
    """The portal's replays, the newest first."""
    query = _RECORD.query().where(ReplayRow.portal_id == portal_id)
    return await _RECORD.all(session, query.order_by(ReplayRow.id.desc()).limit(limit))


async def unfinished(session: ReadSession, portal_id: int) -> int:
    """How many replays of the portal wait or are under way."""
    query = select(func.count()).where(ReplayRow.portal_id == portal_id, ReplayRow.state.in_(_UNFINISHED))
    return await session.scalar(query) or 0


async def cards(
    session: ReadSession,
    replay_id: int,
    *,
    entity_type_id: int | None = None,
    before: str | None = None,
    after: str | None = None,
    gap: str | None = None,
    truth: str | None = None,
    beyond: Place = START,
    limit: int = 100,
) -> list[ReplayCard]:
    """The replay's changed and not comparable cards after a place, in the order of their key."""
    equal = {
        ReplayCardRow.entity_type_id: entity_type_id,
        ReplayCardRow.before: before,
        ReplayCardRow.after: after,
        ReplayCardRow.gap: gap,
        ReplayCardRow.truth: truth,
    }
    query = _CARD.query().where(
        ReplayCardRow.replay_id == replay_id,
        tuple_(ReplayCardRow.entity_type_id, ReplayCardRow.card_id) > beyond,
        *(column == value for column, value in equal.items() if value is not None),
    )
    return await _CARD.all(session, query.order_by(ReplayCardRow.entity_type_id, ReplayCardRow.card_id).limit(limit))


async def cancel(session: WriteSession, replay_id: int) -> bool:
    """End a replay that waits or is under way; whoever works on it sees that within a second."""
    statement = update(ReplayRow).where(ReplayRow.id == replay_id, ReplayRow.state.in_(_UNFINISHED))
    ended = statement.values(state="cancelled", finished_at=func.now()).returning(ReplayRow.id)
    return await session.scalar(ended) is not None


async def take(session: WriteSession, *, stalled_after: timedelta, only: int | None = None) -> Replay | None:
    """Take up the oldest replay that waits or whose worker died; None when there is none. `only`: no other one."""
    dead = ReplayRow.heartbeat_at < func.now() - stalled_after
    wanted = select(ReplayRow.id).where(
        ReplayRow.state.in_(_UNFINISHED), or_(ReplayRow.state == "waiting", ReplayRow.heartbeat_at.is_(None), dead)
    )
    if only is not None:
        wanted = wanted.where(ReplayRow.id == only)
    oldest = wanted.order_by(ReplayRow.id).limit(1).with_for_update(skip_locked=True)
    statement = (
        update(ReplayRow)
        .where(ReplayRow.id == oldest.scalar_subquery())
        .values(
            state="running",
            attempt=ReplayRow.attempt + 1,
            heartbeat_at=func.now(),
            started_at=func.coalesce(ReplayRow.started_at, func.now()),
        )
    )
    return await _RECORD.one(session, _RECORD.returning(statement))


async def beat(session: WriteSession, replay: Replay) -> bool:
    """Show that this attempt lives; False when it has ended: cancelled, or taken up by another."""
    return await _ours(session, replay, heartbeat_at=func.now())


async def set_total(session: WriteSession, replay: Replay, total: int) -> bool:
    """How many cards there are to look at, those looked at before included."""
    return await _ours(session, replay, total=total, heartbeat_at=func.now())


async def advance(
    session: WriteSession,
    replay: Replay,
    *,
    place: Place,
    looked: int,
    tally: Mapping[str, Any],
    found: Sequence[ReplayCard],
) -> bool:
    """Keep one page: the tally up to `place` and the page's cards. False, and nothing kept, when this attempt ended."""
    ours = await _ours(
        session,
        replay,
        entity_type_id=place.entity_type_id,
        card_id=place.card_id,
        looked=looked,
        tally=dict(tally),
        heartbeat_at=func.now(),
    )
    if ours and found:
        await session.execute(
            _INSERT_CARDS,
            {
                "replay_id": replay.id,
                "types": [card.entity_type_id for card in found],
                "cards": [card.card_id for card in found],
                "runs": [card.run_id for card in found],
                "befores": [card.before for card in found],
                "afters": [card.after for card in found],
                "gaps": [card.gap for card in found],
                "truths": [card.truth for card in found],
            },
        )
    return ours


async def finish(session: WriteSession, replay: Replay, *, error: str | None = None) -> bool:
    """This attempt ended by itself: done, or failed for good."""
    state = "done" if error is None else "failed"
    said = None if error is None else storable_text(error)
    return await _ours(session, replay, state=state, error=said, finished_at=func.now())


async def give_back(session: WriteSession, replay: Replay) -> bool:
    """This attempt ends unfinished; another goes on at once, unless that was tried too often."""
    spent = replay.attempt >= MOST_ATTEMPTS
    return await _ours(
        session,
        replay,
        state="failed" if spent else "waiting",
        error=f"Broken off {replay.attempt} times." if spent else None,
        finished_at=case((ReplayRow.attempt >= MOST_ATTEMPTS, func.now())),
    )


async def pages(session: ReadSession, period: Period, *, after: Place, size: int) -> Pages:
    """The cards to look at beyond a place: leads and deals that were judged in the period or later."""
    numbered = (
        select(
            CardRow.entity_type_id,
            CardRow.card_id,
            func.row_number().over(order_by=(CardRow.entity_type_id, CardRow.card_id)).label("number"),
            func.count().over().label("total"),
        )
        .where(
            CardRow.portal_id == period.portal_id,
            CardRow.entity_type_id.in_((1, 2)),
            or_(CardRow.judged_at >= period.since, CardRow.judged_at.is_(None)),
            tuple_(CardRow.entity_type_id, CardRow.card_id) > after,
        )
        .subquery()
    )
    columns = numbered.c
    ends = select(columns.entity_type_id, columns.card_id, columns.number).where(
        or_(columns.number % size == 0, columns.number == columns.total)
    )
    rows = await session.execute(ends.order_by(columns.number))
    return Pages(tuple((Place(row[0], row[1]), row[2]) for row in rows))


async def _ours(session: WriteSession, replay: Replay, **values: Any) -> bool:
    statement = (
        update(ReplayRow)
        .where(ReplayRow.id == replay.id, ReplayRow.attempt == replay.attempt, ReplayRow.state == "running")
        .values(**values)
        .returning(ReplayRow.id)
    )
    return await session.scalar(statement) is not None
