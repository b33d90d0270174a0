"""Cards of which something came that may change their reactions; asked for here, worked off in the background.

Whoever keeps activities, calls, owners or moves asks in the same transaction, so nothing that came is forgotten.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import text

from app.domain.activity_kind import REACHING
from app.store.cards import CardKey
from app.store.database import ReadSession, WriteSession

_KINDS: Final = [kind.value for kind in REACHING]
# Sorted, so that two who ask for the same cards never wait for each other crosswise. A row that is there already is
# locked all the same: whoever would work it off now has not seen what this transaction brings.
_ASK = text("""
    INSERT INTO stale_reactions AS known (portal_id, entity_type_id, card_id)
    SELECT DISTINCT CAST(:portal AS int), wanted.entity_type_id, wanted.card_id
    FROM unnest(CAST(:types AS int[]), CAST(:cards AS bigint[])) AS wanted (entity_type_id, card_id)
    ORDER BY 2, 3
    ON CONFLICT (portal_id, entity_type_id, card_id) DO UPDATE SET card_id = excluded.card_id
""")
_ASK_OF_ACTIVITIES = text("""
    INSERT INTO stale_reactions AS known (portal_id, entity_type_id, card_id)
    SELECT DISTINCT CAST(:portal AS int), bound.entity_type_id, bound.card_id FROM (
        SELECT owner_type_id AS entity_type_id, owner_id AS card_id FROM activities
        WHERE portal_id = :portal AND activity_id = ANY(:ids) AND kind = ANY(:kinds)
        UNION ALL
        SELECT binding.entity_type_id, binding.card_id FROM activity_bindings AS binding
        JOIN activities AS one ON one.portal_id = binding.portal_id AND one.activity_id = binding.activity_id
        WHERE binding.portal_id = :portal AND binding.activity_id = ANY(:ids) AND one.kind = ANY(:kinds)
    ) AS bound
    WHERE bound.entity_type_id IN (1, 2) AND bound.card_id IS NOT NULL
    ORDER BY 2, 3
    ON CONFLICT (portal_id, entity_type_id, card_id) DO UPDATE SET card_id = excluded.card_id
""")
_ASK_OVERDUE = text("""
    INSERT INTO stale_reactions AS known (portal_id, entity_type_id, card_id)
    SELECT DISTINCT portal_id, entity_type_id, card_id FROM reactions WHERE state = 'waiting' AND due_at <= :now
    ORDER BY 1, 2, 3
    ON CONFLICT (portal_id, entity_type_id, card_id) DO UPDATE SET card_id = excluded.card_id
""")
_TAKE = text("""
    WITH next AS MATERIALIZED (
        SELECT portal_id, entity_type_id, card_id FROM stale_reactions
        WHERE portal_id = (SELECT min(portal_id) FROM stale_reactions WHERE portal_id > :after)
        LIMIT :limit FOR UPDATE SKIP LOCKED)
    DELETE FROM stale_reactions
    WHERE (portal_id, entity_type_id, card_id) IN (SELECT portal_id, entity_type_id, card_id FROM next)
    RETURNING portal_id, entity_type_id, card_id
""")


async def ask(session: WriteSession, portal_id: int, cards: Iterable[tuple[int, int]]) -> None:
    """Ask for these cards, pairs of entityTypeId and id; only leads and deals have a clock."""
    wanted = [card for card in cards if card[0] in {1, 2}]
    if wanted:
        types, ids = [card[0] for card in wanted], [card[1] for card in wanted]
        await session.execute(_ASK, {"portal": portal_id, "types": types, "cards": ids})


async def ask_of_activities(session: WriteSession, portal_id: int, activity_ids: Iterable[int]) -> None:
    """Ask for the cards that these activities, as they are kept, belong to; only contacts matter."""
    ids = list(activity_ids)
    if ids:
        await session.execute(_ASK_OF_ACTIVITIES, {"portal": portal_id, "ids": ids, "kinds": _KINDS})


async def ask_overdue(session: WriteSession, *, now: object) -> None:
    """Ask for the cards whose time ran out while nothing came of them."""
    await session.execute(_ASK_OVERDUE, {"now": now})


async def take(session: WriteSession, *, after: int = 0, limit: int = 200) -> list[CardKey]:
    """Some cards of the first portal numbered above `after`, taken off the list with this transaction."""
    rows = await session.execute(_TAKE, {"after": after, "limit": limit})
    return [CardKey(*row) for row in rows]


async def waiting(session: ReadSession) -> int:
    """How many cards are to be worked off."""
    return (await session.execute(text("SELECT count(*) FROM stale_reactions"))).scalar_one()
