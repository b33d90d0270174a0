"""One question to a pool, answered by whoever holds the pool's row: who gets the card now; and turns given back.

Called by `assigning.py`, in a transaction: what was chosen is written down with the turn that it cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from app.domain.assignment import Pool
from app.domain.shares import Choice, Why
from app.domain.shares import choose as choose_by_share
from app.domain.shares import give_back as turn_back
from app.store import assignments, pools, team
from app.store.assignments import Assignment, NewAssignment
from app.store.cards import CardKey
from app.store.database import ReadSession, WriteSession

_COSTS = frozenset({Why.TURN, Why.FREE_TURN})
"""A free turn is a turn given back earlier: used up, it is owed again when this card turns out to be junk too."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to a pool: who gets this card now."""

    card: CardKey
    reason: str
    occasion: str | None
    from_user: int | None
    knows_client: int | None
    had_it: frozenset[int]


async def choose(session: WriteSession, pool_id: int, asked: Asked, *, at: datetime) -> Assignment | None:
    """Choose by the pool as it stands now; None when it was closed meanwhile."""
    kept = await pools.lock(session, pool_id)
    if kept is None:
        return None
    before = None
    if asked.occasion is not None:
        before = await assignments.for_occasion(session, asked.card, asked.occasion)
    if before is not None and before.user_id is not None:
        return before
    pool = kept.pool
    choice, turns = choose_by_share(
        pool.members,
        kept.standing,
        absent=await team.absent(session, kept.portal_id, pool.users, at=at),
        open_cards=await _open_cards(session, pool, asked.card, at),
        had_it=asked.had_it,
        knows_client=asked.knows_client,
    )
    if choice.user is None and before is not None:
        return before
    await pools.keep_turns(session, pool.id, turns)
    return await assignments.keep(session, asked.card, _written(pool, asked, choice, at))


def _written(pool: Pool, asked: Asked, choice: Choice, at: datetime) -> NewAssignment:
    return NewAssignment(
        pool_id=pool.id,
        user_id=choice.user,
        from_user=asked.from_user,
        reason=asked.reason,
        occasion=asked.occasion,
        why=None if choice.why is None else choice.why.value,
        barred={str(user): why.value for user, why in choice.barred.items()},
        shares={str(user): str(shares) for user, shares in choice.shares.items()},
        cost_turn=choice.why in _COSTS,
        chosen_at=at,
    )


async def _open_cards(session: ReadSession, pool: Pool, card: CardKey, at: datetime) -> Mapping[int, int]:
    capped = [one.user for one in pool.members if one.cap is not None]
    return await assignments.open_cards(session, card.portal_id, capped, at=at) if capped else {}


async def give_back(session: WriteSession, one: Assignment, *, why: str, at: datetime) -> None:
    """Once for each assignment, whoever asks. A pool that was closed owes nothing any more."""
    if not one.owes_turn or one.pool_id is None or one.user_id is None:
        return
    kept = await pools.lock(session, one.pool_id)
    if kept is not None and await assignments.give_back(session, one.id, at=at, why=why):
        await pools.keep_turns(session, kept.id, turn_back(kept.standing, one.user_id))
