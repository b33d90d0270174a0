"""The notifications of a clock in words: to the owner before the time is over, to the head when it is, to the next.

And to the head when nobody can take a card that came. Pure; called by `pipeline/clocks.py` and `pipeline/held.py`.
Each says which card, what of it, and what to do. A card has one line for its owner and one for the head: a later
notification takes the place of the earlier one.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from app.domain.actions import Notify
from app.domain.messages import Message, Say, message
from app.domain.snapshot import Entity
from app.domain.timeline import harmless

_NOBODY: Final = message("nobody")
_KINDS: Final = {Entity.LEAD: message("Lead"), Entity.DEAL: message("Deal")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The card that a notification is about. `url`: where it opens."""

    entity: Entity
    card_id: int
    title: str
    url: str

    def linked(self, say: Say) -> str:
        """The card as a link that names it."""
        named = harmless(self.title) if self.title.strip() else str(self.card_id)
        return f"[URL={self.url}]{say(_KINDS[self.entity])} «{named}»[/URL]"

    def tag(self, whom: Literal["owner", "head"]) -> str:
        """The line of the card that a notification stands in."""
        return f"ogon:{self.entity.name.lower()}-{self.card_id}:{whom}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Late(Named):
    """The card whose clock it is. `since`, `until` in the zone of whoever reads."""

    since: datetime
    until: datetime


def warning(late: Late, user: int, *, key: str, say: Say) -> Notify:
    """To the owner, before the time is over."""
    said = message(
        "{card} has waited for the first response since {since}. Call or write to the client until {until}.",
        card=late.linked(say),
        since=late.since,
        until=late.until,
    )
    return Notify(f"{key}:owner", user, say(said), late.tag("owner"))


def breach(late: Late, head: int, *, owner: str | None, then: Message, key: str, to_owner: bool, say: Say) -> Notify:
    """To the head, or to the owner where there is none, when the time is over; `then` is what happens next."""
    if to_owner:
        said = message(
            "The time for the first response is over, it ran out at {until}: {card}. Call or write to the client now.",
            card=late.linked(say),
            until=late.until,
        )
        return Notify(f"{key}:owner", head, say(said), late.tag("owner"))
    said = message(
        "The time for the first response is over, it ran out at {until}: {card}. Responsible: {owner}. {then}",
        card=late.linked(say),
        owner=harmless(owner) if owner else say(_NOBODY),
        until=late.until,
        then=say(then),
    )
    return Notify(f"{key}:head", head, say(said), late.tag("head"))


def passed_on(late: Late, user: int, *, key: str, say: Say) -> Notify:
    """To whoever gets the card next."""
    said = message(
        "{card} has passed to you: nobody has answered the client since {since}. Call or write now.",
        card=late.linked(say),
        since=late.since,
    )
    return Notify(f"{key}:next", user, say(said), late.tag("owner"))


def nobody_free(card: Named, head: int, *, pool: str, key: str, say: Say) -> Notify:
    """To the head, when a card came and nobody of the pool can take it."""
    said = message(
        "{card} has come, and nobody of the pool “{pool}” can take it now. Decide who does.",
        card=card.linked(say),
        pool=harmless(pool),
    )
    return Notify(f"{key}:head", head, say(said), card.tag("head"))


STAYS: Final = message("Make sure that somebody calls the client.")
PASSES: Final = message("The card passes to the next person.")
NOBODY_LEFT: Final = message("Nobody is left who could take the card: decide who does.")
