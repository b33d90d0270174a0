"""Stage moves: each hop of a lead or deal, copied from the portal's stage history, which forgets deleted cards.

Written by the sweep, read by reports. A card's own row knows only where it stands now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert

from app.store.cards import CardKey
from app.store.database import ReadSession, WriteSession
from app.store.models import StageMoveRow
from app.store.records import Record
from app.store.stage_stays import alone, follow
from app.store.stale_reactions import ask


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMove:
    """One hop. `type_id`: 1 created, 2 to a working stage, 3 to a final one, 5 to another pipeline.

    `semantics`: P in work, S success, F failure. Leads have no `category_id`.
    Docs: api-reference/crm/crm-stage-history-list.
    """

    portal_id: int
    entity_type_id: int
    history_id: int
    card_id: int
    type_id: int
    stage_id: str
    category_id: int | None
    semantics: str | None
    created_time: datetime | None


_RECORD = Record(StageMove, StageMoveRow)


async def keep(session: WriteSession, moves: Sequence[StageMove]) -> list[StageMove]:
    """Keep the moves, and the stays between them; those that were not known yet, by their number.

    All of one portal, and all of leads or all of deals.
    """
    if not moves:
        return []
    of = moves[0].portal_id, moves[0].entity_type_id
    await alone(session, *of)
    rows = [{name: getattr(move, name) for name in _RECORD.names} for move in moves]
    statement = insert(StageMoveRow).values(rows).on_conflict_do_nothing().returning(StageMoveRow.history_id)
    new = set((await session.scalars(statement)).all())
    if new:
        changed = [move.card_id for move in moves if move.history_id in new]
        await follow(session, *of, changed)
        await ask(session, of[0], [(of[1], card_id) for card_id in changed])
    return [move for move in moves if move.history_id in new]


async def of_card(session: ReadSession, card: CardKey) -> list[StageMove]:
    """The card's hops that a sweep has seen, the oldest first."""
    query = _RECORD.query().where(
        StageMoveRow.portal_id == card.portal_id,
        StageMoveRow.entity_type_id == card.entity_type_id,
        StageMoveRow.card_id == card.card_id,
    )
    return await _RECORD.all(session, query.order_by(StageMoveRow.history_id))
