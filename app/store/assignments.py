"""Assignments: whom a pool chose for a card, when, why, and who was passed over. Written by `pipeline/assigning.py`.

A row is written in the transaction that takes the turn, with the pool's row locked, and before the plan is made: so
after a crash the next run carries it out and does not choose anew.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, func, insert, select, text, update

from app.store.cards import CardKey
from app.store.database import ReadSession, WriteSession
from app.store.models import AssignmentRow
from app.store.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAssignment:
    """One choice. `user_id` None: nobody could; `pool_id` None: the card is of no pool.

    `from_user`: whose the card was. `reason`: arrival, or what made it pass on; `occasion` names that one time, so
    that it is answered once. `barred`: who could not and why, `shares`: what each had, by user id as text.
    """

    pool_id: int | None
    user_id: int | None
    from_user: int | None
    reason: str
    occasion: str | None
    why: str | None
    barred: Mapping[str, str]
    shares: Mapping[str, str]
    cost_turn: bool
    chosen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment(NewAssignment):
    """One choice as it is kept."""

    id: int
    portal_id: int
    entity_type_id: int
    card_id: int
    given_back_at: datetime | None
    given_back_why: str | None

    @property
    def owes_turn(self) -> bool:
        """Whether it cost a turn that was not given back."""
        return self.cost_turn and self.given_back_at is None


@dataclass(frozen=True, slots=True)
class Counted:
    """What reports know of a card; `lead_id` is the lead that a deal was made of."""

    created_at: datetime
    source: str | None
    outcome: str | None
    grade: str | None
    pipeline: int | None
    lead_id: int | None


UNSEEN: Final = timedelta(hours=1)
"""An assignment is carried out within seconds; one that is not after an hour does not count for a cap any more."""

_RECORD = Record(Assignment, AssignmentRow)

_CARRIED_OUT = text("""
    SELECT EXISTS (
        SELECT FROM actions WHERE portal_id = :portal AND key = :key AND state = 'done'
    ) OR EXISTS (
        SELECT FROM owner_changes
        WHERE portal_id = :portal AND entity_type_id = :type AND card_id = :card
          AND user_id = :user AND seen_at >= :chosen
    )
""")

# A card's owner is what its last run left, but for cards assigned since then: these count for whom they go to.
_OPEN_CARDS = text("""
    WITH fresh AS (
        SELECT DISTINCT ON (entity_type_id, card_id) entity_type_id, card_id, user_id, chosen_at FROM assignments
        WHERE portal_id = :portal AND chosen_at > :recently
        ORDER BY entity_type_id, card_id, id DESC
    ), unseen AS (
        SELECT fresh.entity_type_id, fresh.card_id, fresh.user_id FROM fresh
        LEFT JOIN cards ON cards.portal_id = :portal AND cards.entity_type_id = fresh.entity_type_id
            AND cards.card_id = fresh.card_id
        WHERE fresh.user_id IS NOT NULL AND (cards.judged_at IS NULL OR cards.judged_at < fresh.chosen_at)
    )
    SELECT user_id, count(*) FROM (
        SELECT user_id FROM unseen WHERE user_id = ANY(:users)
        UNION ALL
        SELECT assigned_by_id FROM cards
        WHERE portal_id = :portal AND entity_type_id IN (1, 2) AND state = 'open' AND assigned_by_id = ANY(:users)
          AND NOT EXISTS (
              SELECT FROM unseen WHERE unseen.entity_type_id = cards.entity_type_id AND unseen.card_id = cards.card_id)
    ) AS held (user_id) GROUP BY user_id
""")

_COUNTED = {
    1: text("""
        SELECT created_at, source, outcome, NULL, NULL, NULL FROM lead_figures
        WHERE portal_id = :portal AND card_id = :card
    """),
    2: text("""
        SELECT created_at, source, NULL, grade, pipeline, lead_id FROM deal_figures
        WHERE portal_id = :portal AND card_id = :card
    """),
}

_HAD = text("""
    SELECT user_id FROM assignments
    WHERE portal_id = :portal AND entity_type_id = :type AND card_id = :card AND user_id IS NOT NULL
    UNION
    SELECT user_id FROM owner_changes
    WHERE portal_id = :portal AND entity_type_id = :type AND card_id = :card AND user_id IS NOT NULL
      AND seen_at > coalesce(
          (SELECT min(chosen_at) FROM assignments
           WHERE portal_id = :portal AND entity_type_id = :type AND card_id = :card), '-infinity')
""")

_LAST_DEALS = text("""
    SELECT user_id FROM (
        SELECT assigned_by_id, created_time FROM cards
        WHERE portal_id = :portal AND entity_type_id = 2 AND company_id = :company AND state <> 'deleted'
        UNION ALL
        SELECT responsible, created_at FROM past_deals WHERE portal_id = :portal AND company_id = :company
    ) AS deal (user_id, created) WHERE user_id IS NOT NULL AND created < :before
    GROUP BY user_id ORDER BY max(created) DESC LIMIT 20
""")


async def of_card(session: ReadSession, card: CardKey) -> list[Assignment]:
    """The card's assignments, the first one first; the last one stands."""
    return await _RECORD.all(session, _RECORD.query().where(_of(card)).order_by(AssignmentRow.id))


async def for_occasion(session: ReadSession, card: CardKey, occasion: str) -> Assignment | None:
    """What was chosen that one time."""
    return await _RECORD.one(session, _RECORD.query().where(_of(card), AssignmentRow.occasion == occasion))


async def carried_out(session: ReadSession, one: Assignment, key: str) -> bool:
    """Whether our write of `key` was done, or the card was since seen with whom it was assigned to."""
    values = {
        "portal": one.portal_id,
        "type": one.entity_type_id,
        "card": one.card_id,
        "user": one.user_id,
        "chosen": one.chosen_at,
        "key": key,
    }
    return bool(await session.scalar(_CARRIED_OUT, values))


async def keep(session: WriteSession, card: CardKey, new: NewAssignment) -> Assignment:
    """Keep a choice, in place of an earlier one of the same occasion that found nobody."""
    if new.occasion is not None:
        nobody = (AssignmentRow.occasion == new.occasion, AssignmentRow.user_id.is_(None))
        await session.execute(delete(AssignmentRow).where(_of(card), *nobody))
    values = card._asdict() | asdict(new)
    rows = await session.execute(insert(AssignmentRow).values(values).returning(*_RECORD.columns))
    (kept,) = _RECORD.made(rows.mappings())
    return kept


async def give_back(session: WriteSession, number: int, *, at: datetime, why: str) -> bool:
    """Note that the turn was given back; False when it was before, or there was none."""
    owing = (AssignmentRow.id == number, AssignmentRow.cost_turn, AssignmentRow.given_back_at.is_(None))
    noted = update(AssignmentRow).where(*owing).values(given_back_at=at, given_back_why=why)
    return bool((await session.scalars(noted.returning(AssignmentRow.id))).all())


async def open_cards(session: ReadSession, portal_id: int, users: Collection[int], *, at: datetime) -> dict[int, int]:
    """How many open leads and deals each user has, those just assigned to him among them.

    Both, since a lead that is converted is closed and its deal goes on.
    """
    values = {"portal": portal_id, "users": list(users), "recently": at - UNSEEN}
    return {row[0]: row[1] for row in await session.execute(_OPEN_CARDS, values)}


async def had(session: ReadSession, card: CardKey) -> frozenset[int]:
    """Who has had the card, whether a pool or a person gave it to him.

    Whose it was before a pool shared it out does not count: mostly that is whom the portal names for a new card.
    """
    values = {"portal": card.portal_id, "type": card.entity_type_id, "card": card.card_id}
    return frozenset((await session.scalars(_HAD, values)).all())


async def as_counted(session: ReadSession, card: CardKey) -> Counted | None:
    """What was last told of the lead or deal; None where nothing was yet."""
    rows = await session.execute(_COUNTED[card.entity_type_id], {"portal": card.portal_id, "card": card.card_id})
    row = rows.one_or_none()
    return None if row is None else Counted(*row)


async def sellers_of(session: ReadSession, portal_id: int, company_id: int, *, before: datetime) -> list[int]:
    """Who had the company's deals made before that moment, the latest first."""
    values = {"portal": portal_id, "company": company_id, "before": before}
    return list((await session.scalars(_LAST_DEALS, values)).all())


async def count_by_user(session: ReadSession, pool_id: int, *, since: datetime) -> dict[int, int]:
    """How many cards each user was chosen for by the pool since then."""
    rows = await session.execute(
        select(AssignmentRow.user_id, func.count())
        .where(AssignmentRow.pool_id == pool_id, AssignmentRow.user_id.is_not(None), AssignmentRow.chosen_at >= since)
        .group_by(AssignmentRow.user_id)
    )
    return {user: count for user, count in rows if user is not None}


def _of(card: CardKey) -> ColumnElement[bool]:
    return and_(
        AssignmentRow.portal_id == card.portal_id,
        AssignmentRow.entity_type_id == card.entity_type_id,
        AssignmentRow.card_id == card.card_id,
    )
