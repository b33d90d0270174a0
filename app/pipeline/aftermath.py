"""What becomes of a card whose run did not end well: tried again at a time, parked with its reason, or forgotten.

Called by `process.py` with what went wrong; what to do about it is decided by `retry.py`. Here it is written down, for
certain: a failure that nobody wrote down would be a lost card.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from app.bitrix24.errors import NotFound, Permanent
from app.bitrix24.lanes import Lane
from app.pipeline.card import CardRef
from app.pipeline.connections import Connection, Connections
from app.pipeline.retry import Park, TryAgain, after, blames_the_card
from app.store import card_figures, cards, portals, runs, timers
from app.store.database import Database, DatabaseAway

_log = structlog.get_logger()
_DATABASE_SECONDS = 2.0
RETRY = "retry"


class Aftermath:
    """Writes down how cards of all portals go on."""

    def __init__(self, database: Database, connections: Connections, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._connections = connections
        self._clock = clock
        self._troubled: set[int] = set()

    async def failed(self, card: CardRef, lane: Lane, error: Exception) -> None:
        """The run ended with this error."""
        if isinstance(error, Permanent) and blames_the_card(error):
            found = await self._looked_at(card, lane, error)
            if found is None:
                await self.forget(card)
                return
            error = found
        await self._for_certain(lambda: self._decided(card, lane, error))

    async def forget(self, card: CardRef) -> None:
        """The card is no longer in the portal: nothing of it is open any more."""
        await self._for_certain(lambda: self._forgotten(card))

    async def again(self, card: CardRef, lane: Lane, delay: timedelta, reason: str) -> None:
        """Judge the card anew after a while, as urgently as it was: a new lead does not go behind old ones."""
        async with self._database.writing() as session:
            await timers.set_timer(session, card.key, reason=reason, due_at=self._clock() + delay, lane=lane)

    async def went_well(self, connection: Connection) -> None:
        """The portal took a card's calls: if it was in trouble it is no longer, and who waited for that goes on."""
        portal_id = connection.portal.id
        # The connection knows the portal as it was a moment ago, when nothing may have been wrong yet.
        if connection.portal.trouble is None and portal_id not in self._troubled:
            return
        self._troubled.discard(portal_id)
        async with self._database.writing() as session:
            await portals.set_trouble(session, portal_id, None, now=self._clock())
            await timers.hasten(session, portal_id, reason=RETRY, now=self._clock())

    async def _looked_at(self, card: CardRef, lane: Lane, refusal: Permanent) -> Exception | None:
        """What a refusal comes to once the card was looked at; None if it is gone, which many refusals only mean.

        A card deleted while it was being written to is nothing for a person to look at.
        """
        try:
            connection = await self._connections.of(card.portal_id)
            await connection.client.load(card.entity, card.card_id, lane=lane)
        except NotFound:
            return None
        except Exception as error:  # noqa: BLE001 - whatever kept us from looking decides what is done
            return error
        return refusal

    async def _for_certain(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write down what became of a card, whenever the database is back."""
        while True:
            try:
                await write()
                return
            except DatabaseAway:
                await asyncio.sleep(_DATABASE_SECONDS)

    async def _forgotten(self, card: CardRef) -> None:
        async with self._database.writing() as session:
            await runs.abandon(session, card.key)
            await timers.cancel(session, card.key)
            await cards.save(
                session, card.key, state="deleted", parked_reason=None, attempts=0, judged_at=self._clock()
            )
            await card_figures.deleted(session, card.key)

    async def _decided(self, card: CardRef, lane: Lane, error: Exception) -> None:
        now = self._clock()
        async with self._database.writing() as session:
            attempts = await cards.count_attempt(session, card.key)
            since = (await portals.get(session, card.portal_id)).trouble_since
            decided = after(error, attempts, refused_for=now - since if since else timedelta(0))
            match decided:
                case TryAgain(delay, counts, trouble):
                    await timers.set_timer(session, card.key, reason=RETRY, due_at=now + delay, lane=lane)
                    if not counts:
                        await cards.save(session, card.key, attempts=0)
                    if trouble is not None:
                        await portals.set_trouble(session, card.portal_id, trouble, now=now)
                case Park(reason, again):
                    await cards.park(session, card.key, reason=reason)
                    if again is not None:
                        await timers.set_timer(session, card.key, reason=RETRY, due_at=now + again, lane=lane)
        self._told(card, decided, error)

    def _told(self, card: CardRef, decided: TryAgain | Park, error: Exception) -> None:
        match decided:
            case TryAgain(delay, _, trouble):
                if trouble is not None:
                    self._troubled.add(card.portal_id)
                said = str(error) or type(error).__name__
                _log.warning("a card will be judged again", card=str(card), seconds=delay.seconds, error=said)
            case Park(reason):
                _log.error("a card is parked", card=str(card), reason=reason, exc_info=error)
