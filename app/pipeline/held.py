"""Hold and tell: who hears that a card came and nobody of its pool can take it.

Called by `process.py` for a plan that holds such a card. The notice is an action of the plan, told once for each time
that nobody was found; the card itself is tried again by its timer (`assigning.py`).
"""

from collections.abc import Collection, Mapping

from app.domain.actions import Notify
from app.domain.assignment import ARRIVAL, Pool
from app.domain.notices import Named, nobody_free
from app.domain.plan_assignment import held_key
from app.pipeline.assigning import Arrived
from app.pipeline.connections import Connection
from app.store import assignments
from app.store.database import Database


async def notices(
    database: Database, connection: Connection, arrived: Arrived, *, told: Collection[str]
) -> tuple[Notify, ...]:
    """The notice that is still to go out: to the pool's head, else to the department's; none where there is neither.

    `told`: keys of notices that went out or were refused. That a breach found nobody is told by `clocks.py`. Raises
    DatabaseAway.
    """
    async with database.reading() as session:
        known = await assignments.of_card(session, arrived.card.key)
    last = known[-1] if known else None
    if last is None or last.reason != ARRIVAL or last.user_id is not None:
        return ()
    card = arrived.card
    key = held_key(card.entity, card.card_id, last.id)
    pool = next((one for one in await connection.pools() if one.id == last.pool_id), None)
    head = None if pool is None else _head(pool, arrived.owner, arrived.dictionary.heads)
    if pool is None or head is None or any(one.startswith(f"{key}:") for one in told):
        return ()
    named = Named(
        entity=card.entity,
        card_id=card.card_id,
        title=str(arrived.raw.get("title") or ""),
        url=card.address(connection.portal.domain),
    )
    return (nobody_free(named, head, pool=pool.name, key=key, say=connection.say),)


def _head(pool: Pool, owner: int | None, heads: Mapping[int, int]) -> int | None:
    """Who decides for the pool: where it names nobody, whose people its members are; the owner may be a robot."""
    near = [*(one.user for one in pool.members), owner]
    found = (heads[user] for user in near if user is not None and user in heads)
    return pool.head or next(found, None)
