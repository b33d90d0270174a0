"""The first response to a card: when a person first really reached the client, and how long it took whom.

Pure; called by the reaction report and the timers. What counts is decided here and only here: an outgoing call that
was talked on, an answered incoming call, a letter sent, a meeting held, an operator's message in a chat. A moved
stage, a robot's letter, a missed call, an attempt that nobody picked up do not count. What could not be read is said
(`missing`, `doubtful`): no news is never told as "no reaction".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import zip_longest
from typing import Final

MADE_FROM_CALL: Final = timedelta(minutes=15)
"""A card that appears so soon after a talk ended was made out of that talk: the client had his response."""


class ContactKind(StrEnum):
    """How somebody reached the client, or the client us."""

    CALL_OUT = "call_out"
    CALL_IN = "call_in"
    LETTER = "letter"
    MEETING = "meeting"
    CHAT = "chat"


class Source(StrEnum):
    """Where contacts are read; one that could not be read is named with the result."""

    ACTIVITIES = "activities"
    CALLS = "calls"
    CHATS = "chats"


@dataclass(frozen=True, slots=True)
class Contact:
    """One touch between a person of ours and the client, as the portal tells it.

    `by` is the portal's user, None where it names nobody. `happened`: True when it surely reached the client (talk
    time, a letter sent, a meeting held), False when it surely did not (missed, planned, draft), None when the portal
    does not tell, e.g. a call without statistics. `until` is the end of a talk, else equal to `at`.
    `source_id` names the row in the portal.
    """

    kind: ContactKind
    at: datetime
    until: datetime
    by: int | None
    happened: bool | None
    source_id: str


@dataclass(frozen=True, slots=True)
class Owned:
    """Who is responsible for the card from `since` on; None is nobody."""

    since: datetime
    user: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardHistory:
    """What the clocks need to know of a card.

    `created` holds the creation times of the card and of cards merged into it, `reopened` the times at which it came
    back from a final stage. `machines`: users that are no people, the integration's own first of all.
    """

    created: Sequence[datetime]
    reopened: Sequence[datetime] = ()
    owners: Sequence[Owned] = ()
    contacts: Sequence[Contact] = ()
    machines: frozenset[int] = frozenset()
    missing: frozenset[Source] = frozenset()


@dataclass(frozen=True, slots=True)
class Held:
    """One person's time with the card before the client was reached; `until` None is still running."""

    user: int
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class FirstResponse:
    """The present round of a card: from its arrival, or its last reopening.

    `responded_at` None: nobody reached the client yet, as far as can be seen. `assigned_at` None: no person had it.
    The system's clock runs from `arrived_at` to `assigned_at`, the person's from there to `responded_at`; a response
    by somebody before the card was assigned ends both. `holders` tells whose the person's time was.
    `doubtful` names contacts that may have been earlier, `missing` the sources that could not be read.
    """

    arrived_at: datetime
    assigned_at: datetime | None
    responded_at: datetime | None
    responded_by: int | None
    kind: ContactKind | None
    source_id: str | None
    made_from_call: bool
    holders: tuple[Held, ...]
    doubtful: tuple[str, ...]
    missing: frozenset[Source]

    @property
    def certain(self) -> bool:
        """Whether no unread source and no doubtful contact could tell of an earlier response."""
        return not self.doubtful and (self.made_from_call or not self.missing)


def first_response(history: CardHistory) -> FirstResponse:
    """Work out the present round of a card. Raises ValueError without a creation time.

    Merged cards: the clock started with the oldest of them, since the client has waited from there. Reopened cards:
    a new round starts, and old contacts do not count for it. Reassigned cards: the card's clock goes on, each holder
    is told with his part.
    """
    if not history.created:
        raise ValueError("A card has a creation time.")
    arrived = max([min(history.created), *history.reopened])
    response, doubtful = _response(history, arrived)
    responded = None if response is None else max(response.at, arrived)
    owners = _owners_from(history, arrived)
    assigned = next((owned.since for owned in owners if owned.user is not None), None)
    if assigned is not None and responded is not None:
        assigned = min(assigned, responded)
    return FirstResponse(
        arrived_at=arrived,
        assigned_at=assigned,
        responded_at=responded,
        responded_by=response.by if response else None,
        kind=response.kind if response else None,
        source_id=response.source_id if response else None,
        made_from_call=response is not None and response.at < arrived,
        holders=_holders(owners, responded),
        doubtful=doubtful,
        missing=history.missing,
    )


def _response(history: CardHistory, arrived: datetime) -> tuple[Contact | None, tuple[str, ...]]:
    """The first contact that counts, and those before it of which the portal does not tell whether they do."""
    doubtful: list[str] = []
    for contact in sorted(history.contacts, key=lambda one: (one.at, one.source_id)):
        if contact.by in history.machines or contact.happened is False or not _in_round(contact, arrived):
            continue
        if contact.happened:
            return contact, tuple(doubtful)
        doubtful.append(contact.source_id)
    return None, tuple(doubtful)


def _in_round(contact: Contact, arrived: datetime) -> bool:
    """From the arrival on; a talk out of which the card was made belongs to it as well."""
    if contact.at >= arrived:
        return True
    talked = contact.kind in (ContactKind.CALL_IN, ContactKind.CALL_OUT)
    return talked and contact.until >= arrived - MADE_FROM_CALL


def _owners_from(history: CardHistory, arrived: datetime) -> list[Owned]:
    """Owners of the round; machines are nobody. Whoever had the card when it arrived has it from then on."""
    owners = sorted(history.owners, key=lambda owned: owned.since)
    before = [owned for owned in owners if owned.since <= arrived][-1:]
    round_ = [Owned(max(owned.since, arrived), owned.user) for owned in before]
    round_ += [owned for owned in owners if owned.since > arrived]
    return [Owned(owned.since, None if owned.user in history.machines else owned.user) for owned in round_]


def _holders(owners: Sequence[Owned], responded: datetime | None) -> tuple[Held, ...]:
    """Each person's stretch up to the response, neighbours of the same person joined."""
    held: list[Held] = []
    for owned, following in zip_longest(owners, owners[1:]):
        until = _earlier(following.since if following else None, responded)
        if owned.user is None or (until is not None and until <= owned.since):
            continue
        if held and held[-1].user == owned.user and held[-1].until == owned.since:
            held[-1] = Held(owned.user, held[-1].since, until)
        else:
            held.append(Held(owned.user, owned.since, until))
    return tuple(held)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    known = [moment for moment in (one, other) if moment is not None]
    return min(known, default=None)
