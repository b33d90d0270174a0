"""Second looks: the weekly draw of rejected leads for a person to look at again, and what people said.

Drawn and read by `app/pipeline/second_looks.py`, remembered by `memory.py` so that the plan of the lead asks, answered
and listed by the API. When a person was asked is not kept here: the to-do is an action like any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import case, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.second_look import LOOKED_AT, drawn
from app.store import calendar, journal
from app.store.database import ReadSession, WriteSession
from app.store.json_text import storable_text
from app.store.models import SecondLookRow, SecondLookWeekRow
from app.store.records import Record

Answer = Literal["right", "wrong"]
Way = Literal["api", "portal"]

LEAD = 1
EVENT = "SECOND_LOOK"
_BACKGROUND = 2
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """One draw: `size` leads were to be drawn with `seed` from `population`, a count of leads by outcome."""

    portal_id: int
    week: date
    drawn_at: datetime
    seed: int
    size: int
    population: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLook:
    """One lead that was drawn. `week` is the Monday of the week in which it was rejected, `outcome` how, by `run_id`.

    `completed_at`: when its to-do was first seen completed. `answered_how`: told to the API, or read from what people
    did in the portal.
    """

    id: int
    portal_id: int
    week: date
    card_id: int
    outcome: str
    run_id: int
    facts_digest: str
    completed_at: datetime | None
    answer: Answer | None
    answered_at: datetime | None
    answered_by: str | None
    answered_how: Way | None
    why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A lead whose to-do waits for an answer, and how it stands since it was last judged."""

    look: SecondLook
    activity_id: int
    asked_at: datetime
    outcome: str | None
    facts_digest: str | None
    semantics: str | None
    moved_by: int | None
    moved_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookFilter:
    """Which looks; None asks for no condition. `since` and `until` are Mondays, both included."""

    portal_id: int
    outcome: str | None = None
    since: date | None = None
    until: date | None = None
    answer: Literal["right", "wrong", "none"] | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """Looks of one week and outcome: how many were drawn, and answered either way."""

    week: date
    outcome: str
    drawn: int
    right: int
    wrong: int


_WEEKS = Record(Week, SecondLookWeekRow)
_LOOK = Record(SecondLook, SecondLookRow)

# Rejected in the week, and not so before it: a lead that is only judged again belongs to the week of its rejection.
_POPULATION = text("""
    SELECT latest.card_id, latest.id, latest.outcome, latest.facts_digest
    FROM (
        SELECT DISTINCT ON (card_id) card_id, id, verdict ->> 'outcome' AS outcome, facts_digest FROM runs
        WHERE portal_id = :portal AND entity_type_id = 1 AND status = 'done'
          AND opened_at >= :starts AND opened_at < :ends
        ORDER BY card_id, id DESC
    ) AS latest
    JOIN cards ON cards.portal_id = :portal AND cards.entity_type_id = 1 AND cards.card_id = latest.card_id
        AND cards.state NOT IN ('deleted', 'parked') AND cards.outcome = latest.outcome
    LEFT JOIN LATERAL (
        SELECT verdict ->> 'outcome' AS outcome FROM runs
        WHERE portal_id = :portal AND entity_type_id = 1 AND card_id = latest.card_id
          AND opened_at < :starts AND verdict IS NOT NULL
        ORDER BY id DESC LIMIT 1
    ) AS before ON true
    WHERE latest.outcome = ANY(:outcomes) AND before.outcome IS DISTINCT FROM latest.outcome
""")

_ASKED = text("""
    SELECT look.id AS look, action.result ->> 'id' AS activity_id, action.finished_at AS asked_at,
           cards.outcome, run.facts_digest, run.seen ->> 'semantics' AS semantics, cards.moved_by, cards.moved_time
    FROM second_looks AS look
    JOIN actions AS action ON action.portal_id = look.portal_id AND action.kind = 'todo' AND action.state = 'done'
        AND action.key = format('lead-%s:second-look:%s', look.card_id, look.week)
    JOIN cards ON cards.portal_id = look.portal_id AND cards.entity_type_id = 1 AND cards.card_id = look.card_id
    JOIN runs AS run ON run.id = cards.last_run_id
    WHERE look.portal_id = :portal AND look.week >= :since AND look.answer IS NULL AND cards.state <> 'deleted'
    ORDER BY look.id
""")


def last_week(today: date) -> date:
    """The Monday of the week before the one of `today`."""
    return today - timedelta(days=today.weekday()) - _WEEK


async def draw(
    session: WriteSession, portal_id: int, *, week: date, size: int, seed: int, now: datetime
) -> Week | None:
    """Draw the portal's leads of the week that begins on the Monday `week` and have them asked about.

    Once only: None when it was done before. The rows and the journal entries that lead to the to-dos are one
    transaction.
    """
    ahead = await calendar.offset(session, portal_id)
    span = {"starts": calendar.starts(week, ahead), "ends": calendar.starts(week + _WEEK, ahead)}
    values: dict[str, Any] = {"portal_id": portal_id, "week": week, "drawn_at": now, "seed": seed, "size": size}
    values["population"] = {}
    claim = insert(SecondLookWeekRow).values(values).on_conflict_do_nothing()
    if await _WEEKS.one(session, _WEEKS.returning(claim)) is None:
        return None
    outcomes = sorted(outcome.value for outcome in LOOKED_AT)
    rows = await session.execute(_POPULATION, {"portal": portal_id, "outcomes": outcomes, **span})
    rejected = {row.card_id: row for row in rows}
    population = {outcome: sum(row.outcome == outcome for row in rejected.values()) for outcome in outcomes}
    this = (SecondLookWeekRow.portal_id == portal_id, SecondLookWeekRow.week == week)
    counted = update(SecondLookWeekRow).where(*this).values(population=population)
    taken = drawn(rejected, size, seed)
    if taken:
        looks = [
            {
                "portal_id": portal_id,
                "week": week,
                "card_id": card_id,
                "outcome": rejected[card_id].outcome,
                "run_id": rejected[card_id].id,
                "facts_digest": rejected[card_id].facts_digest,
            }
            for card_id in taken
        ]
        await session.execute(insert(SecondLookRow).values(looks))
        await _judge_again(session, portal_id, taken)
    return await _WEEKS.one(session, _WEEKS.returning(counted))


async def is_drawn(session: ReadSession, portal_id: int, week: date) -> bool:
    """Whether the portal's week was drawn before."""
    query = select(SecondLookWeekRow.week).where(
        SecondLookWeekRow.portal_id == portal_id, SecondLookWeekRow.week == week
    )
    return await session.scalar(query) is not None


async def newest_of_lead(session: ReadSession, portal_id: int, card_id: int) -> SecondLook | None:
    """The lead's last look."""
    query = _LOOK.query().where(SecondLookRow.portal_id == portal_id, SecondLookRow.card_id == card_id)
    return await _LOOK.one(session, query.order_by(SecondLookRow.week.desc()).limit(1))


async def asked(session: ReadSession, portal_id: int, *, since: date) -> list[Asked]:
    """Looks of the weeks from `since` on that have their to-do and no answer."""
    rows = {
        row["look"]: row for row in (await session.execute(_ASKED, {"portal": portal_id, "since": since})).mappings()
    }
    looks = await _LOOK.all(session, _LOOK.query().where(SecondLookRow.id.in_(rows)).order_by(SecondLookRow.id))
    return [_asked(look, rows[look.id]) for look in looks]


async def note_completed(session: WriteSession, ids: Sequence[int], *, now: datetime) -> None:
    """The to-dos of these looks are completed; the first time it is seen counts."""
    these = (SecondLookRow.id.in_(ids), SecondLookRow.completed_at.is_(None))
    await session.execute(update(SecondLookRow).where(*these).values(completed_at=now))


async def answer_from_portal(session: WriteSession, look: SecondLook, answer: Answer, *, now: datetime) -> bool:
    """Keep what people said by what they did; False when somebody has answered meanwhile."""
    values = {"answer": answer, "answered_at": now, "answered_how": "portal"}
    these = (SecondLookRow.id == look.id, SecondLookRow.answer.is_(None))
    kept = await _LOOK.one(session, _LOOK.returning(update(SecondLookRow).where(*these).values(values)))
    if kept is not None and kept.completed_at is None:
        await _judge_again(session, look.portal_id, [look.card_id])
    return kept is not None


async def answer(
    session: WriteSession, look_id: int, answer: Answer, *, who: str, why: str, now: datetime
) -> SecondLook | None:
    """Keep what a person told us, in place of an earlier answer; None when there is no such look."""
    values = {
        "answer": answer,
        "answered_at": now,
        "answered_by": storable_text(who),
        "answered_how": "api",
        "why": storable_text(why),
    }
    told = update(SecondLookRow).where(SecondLookRow.id == look_id).values(values)
    kept = await _LOOK.one(session, _LOOK.returning(told))
    if kept is not None and kept.completed_at is None:
        # Its to-do is open: the lead's next run completes it.
        await _judge_again(session, kept.portal_id, [kept.card_id])
    return kept


async def get(session: ReadSession, look_id: int) -> SecondLook | None:
    return await _LOOK.one(session, _LOOK.query().where(SecondLookRow.id == look_id))


async def page(session: ReadSession, wanted: LookFilter, *, limit: int, offset: int) -> list[SecondLook]:
    """Looks, those of the newest week first."""
    query = _LOOK.query().where(*_conditions(wanted)).order_by(SecondLookRow.week.desc(), SecondLookRow.id)
    return await _LOOK.all(session, query.limit(limit).offset(offset))


async def count(session: ReadSession, wanted: LookFilter) -> int:
    return await session.scalar(select(func.count()).select_from(SecondLookRow).where(*_conditions(wanted))) or 0


async def counts(session: ReadSession, wanted: LookFilter) -> list[Count]:
    """By week and outcome, the newest week first."""
    said = [func.count(case((SecondLookRow.answer == one, literal(1)))) for one in ("right", "wrong")]
    query = select(SecondLookRow.week, SecondLookRow.outcome, func.count(), *said).where(*_conditions(wanted))
    query = query.group_by(SecondLookRow.week, SecondLookRow.outcome)
    rows = await session.execute(query.order_by(SecondLookRow.week.desc(), SecondLookRow.outcome))
    return [Count(row[0], row[1], row[2], row[3], row[4]) for row in rows]


async def weeks(session: ReadSession, wanted: LookFilter) -> list[Week]:
    """The draws, the newest first; only portal and weeks of the filter count."""
    query = _WEEKS.query().where(SecondLookWeekRow.portal_id == wanted.portal_id)
    if wanted.since is not None:
        query = query.where(SecondLookWeekRow.week >= wanted.since)
    if wanted.until is not None:
        query = query.where(SecondLookWeekRow.week <= wanted.until)
    return await _WEEKS.all(session, query.order_by(SecondLookWeekRow.week.desc()))


async def _judge_again(session: WriteSession, portal_id: int, card_ids: Sequence[int]) -> None:
    entries = [
        journal.NewEntry(
            source="timer", event=EVENT, portal_id=portal_id, entity_type_id=LEAD, card_id=card_id, lane=_BACKGROUND
        )
        for card_id in card_ids
    ]
    await journal.append(session, entries)


def _conditions(wanted: LookFilter) -> list[Any]:
    conditions: list[Any] = [SecondLookRow.portal_id == wanted.portal_id]
    if wanted.outcome is not None:
        conditions.append(SecondLookRow.outcome == wanted.outcome)
    if wanted.since is not None:
        conditions.append(SecondLookRow.week >= wanted.since)
    if wanted.until is not None:
        conditions.append(SecondLookRow.week <= wanted.until)
    if wanted.answer == "none":
        conditions.append(SecondLookRow.answer.is_(None))
    elif wanted.answer is not None:
        conditions.append(SecondLookRow.answer == wanted.answer)
    return conditions


def _asked(look: SecondLook, row: Mapping[Any, Any]) -> Asked:
    return Asked(
        look=look,
        activity_id=int(row["activity_id"]),
        asked_at=row["asked_at"],
        outcome=row["outcome"],
        facts_digest=row["facts_digest"],
        semantics=row["semantics"],
        moved_by=row["moved_by"],
        moved_time=row["moved_time"],
    )
