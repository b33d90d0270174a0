"""The portal's request bucket, shared by all processes on this database.

Bitrix24 counts requests per portal and source address (docs: limits.md): each fills a bucket by one, the
bucket leaks at a steady rate, and at its limit requests are refused. One row per portal models it; one
statement drains and takes, on the database's clock, so processes need no common clock of their own.
"""

import math

from sqlalchemy import text

from app.store.database import Database

# All reads of the clock in one statement must agree, hence statement_timestamp(); where the statement had to
# wait for the row its time is a little old, which only makes the bucket look fuller than it is.
_LEVEL = """
    greatest(0, bucket.level
        - :rate * greatest(0, extract(epoch FROM statement_timestamp() - bucket.updated_at)::float8))
"""

_TAKE = text(
    f"""
    INSERT INTO request_buckets AS bucket (portal_id, level, updated_at)
    VALUES (:portal_id, 1, statement_timestamp())
    ON CONFLICT (portal_id) DO UPDATE
        SET level = {_LEVEL} + 1, updated_at = greatest(bucket.updated_at, statement_timestamp())
        WHERE {_LEVEL} + 1 <= :usable
    RETURNING level
    """  # noqa: S608 - put together from constants
)

_WAIT = text(
    f"SELECT ({_LEVEL} + 1 - :usable) / :rate FROM request_buckets AS bucket WHERE portal_id = :portal_id"  # noqa: S608
)

_OVERFLOWED = text(
    """
    INSERT INTO request_buckets (portal_id, level, updated_at) VALUES (:portal_id, :burst, statement_timestamp())
    ON CONFLICT (portal_id) DO UPDATE SET level = excluded.level, updated_at = excluded.updated_at
    """
)

_SHORTEST_WAIT = 0.001


class SharedBucket:
    """One portal's bucket. Safe for any number of tasks, processes and machines on the same database.

    `margin` slots are never used: the portal may drain in whole-second steps, so it can be up to a second
    of draining fuller than it looks from here; by default that second and one more.
    """

    def __init__(
        self, database: Database, *, portal_id: int, requests_per_second: float, burst: int, margin: int | None = None
    ) -> None:
        self._database = database
        self._portal_id = portal_id
        self._rate = requests_per_second
        self._burst = burst
        self._margin = 1 + math.ceil(requests_per_second) if margin is None else margin

    async def take(self, *, held_back: int) -> float:
        """Take one slot and return 0.0, or return the seconds after which to ask again.

        `held_back` slots are left for those who ask with less. Raises DatabaseAway.
        """
        # One slot is always usable, or a caller who holds back too much would wait for ever.
        usable = max(1, self._burst - self._margin - held_back)
        values = {"portal_id": self._portal_id, "rate": self._rate, "usable": usable}
        async with self._database.autocommitting() as connection:
            if (await connection.execute(_TAKE, values)).first() is not None:
                return 0.0
            wait = (await connection.execute(_WAIT, values)).scalar()
        return max(_SHORTEST_WAIT, float(wait or 0.0))

    async def overflowed(self) -> None:
        """The portal refused a request for its rate: whatever we counted, the bucket is full. Raises DatabaseAway."""
        async with self._database.autocommitting() as connection:
            await connection.execute(_OVERFLOWED, {"portal_id": self._portal_id, "burst": self._burst})
