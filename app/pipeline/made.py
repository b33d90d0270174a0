"""Deals that we made ourselves are judged even when no webhook tells of them.

Called by `process.py`, in the transactions that record a creation and the end of a run, so that neither an outage nor
a crash leaves a deal of ours without its grade until the next sweep. It is a timer and not a hint: the portal's own
webhook mostly comes within seconds, and once the deal is judged the timer is taken away. So a portal whose webhooks
arrive is asked nothing more.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from app.domain.actions import Action, AddTodo, CreateItem
from app.domain.snapshot import Entity
from app.pipeline.card import CardRef
from app.store import contact_hints, timers
from app.store.cards import CardKey
from app.store.database import WriteSession
from app.store.runs import FinishedAction

REASON: Final = "made"
PATIENCE: Final = timedelta(seconds=15)


async def expect(
    session: WriteSession,
    portal_id: int,
    actions: Sequence[Action],
    finished: Sequence[FinishedAction],
    *,
    now: datetime,
) -> None:
    """Have the deals among what was made by `actions` judged after PATIENCE, if nothing else asks for it sooner.

    Nothing is read when the portal tells of the to-dos among them: we know what is in those.
    """
    makers = {one.key for one in actions if isinstance(one, CreateItem) and one.entity is Entity.DEAL}
    for one in finished:
        if one.key in makers and one.state == "done":
            deal = CardKey(portal_id, int(Entity.DEAL), one.result["id"])
            await timers.set_timer(session, deal, reason=REASON, due_at=now + PATIENCE)
    todos = {one.key for one in actions if isinstance(one, AddTodo)}
    ours = [int(one.result["id"]) for one in finished if one.key in todos and one.state == "done" and one.result]
    await contact_hints.ours(session, portal_id, ours)


async def seen(session: WriteSession, card: CardRef) -> None:
    """The card is judged: whoever told of it, nothing is expected any more."""
    if card.entity is Entity.DEAL:
        await timers.cancel(session, card.key, reason=REASON)
