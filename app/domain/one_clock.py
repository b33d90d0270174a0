"""What belongs to one request: a lead, the deals made from it, and whose contacts and owners count for which clock.

Pure; called by whoever gathers the material of `reaction.py`. A lead that fits is converted within seconds, long
before anybody can call, so a deal goes on with the round of its lead: the same arrival, the contacts of both, the
lead's owners until the deal was made and the deal's from then on. A lead that became a deal is answered when the deal
is, and closed when all its deals are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from app.domain.first_response import CardHistory, Contact, Owned, Source
from app.domain.reaction import Rounds
from app.domain.snapshot import Entity


@dataclass(frozen=True, slots=True)
class Hop:
    """A move of a card into a stage; `final` stages end the work."""

    at: datetime
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCard:
    """One card as it is kept. `created_at` None: nobody told yet. `hops` in the portal's order.

    `closed_at`: it stands in a final stage, since then. `outcome`, `grade`: of its last verdict, as texts. `desk`: the
    pool that shared it out.
    """

    entity: Entity
    card_id: int
    created_at: datetime | None = None
    lead_id: int | None = None
    owners: tuple[Owned, ...] = ()
    contacts: tuple[Contact, ...] = ()
    hops: tuple[Hop, ...] = ()
    closed_at: datetime | None = None
    outcome: str | None = None
    grade: str | None = None
    read: Mapping[Source, datetime] = field(default_factory=dict[Source, datetime])
    desk: int | None = None

    @property
    def reopened(self) -> tuple[datetime, ...]:
        """When it came back from a final stage."""
        return tuple(after.at for before, after in pairwise(self.hops) if before.final and not after.final)

    @property
    def closed(self) -> tuple[datetime, ...]:
        """When it came to a final stage; the last time also where only the card itself tells."""
        told = [one.at for one in self.hops if one.final]
        stands = bool(self.hops) and self.hops[-1].final
        if self.closed_at is None or stands:
            return tuple(told)
        return (*told, max([self.closed_at, *(one.at for one in self.hops)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A card and those that share its clock: of a deal its lead, of a lead its deals."""

    card: KnownCard
    lead: KnownCard | None = None
    deals: tuple[KnownCard, ...] = ()

    @property
    def outcome(self) -> str | None:
        """The lead's outcome."""
        source = self.card if self.card.entity is Entity.LEAD else self.lead
        return source.outcome if source else None

    @property
    def carried_by(self) -> int | None:
        """The deal that goes on with a lead's round, once the lead is converted."""
        return self.deals[0].card_id if self.deals and self.card.closed else None

    def rounds(self, machines: Iterable[int], missing: Iterable[Source] = ()) -> Rounds | None:
        """What the clocks need to know; None where nobody knows when the card was made."""
        if self.card.created_at is None:
            return None
        parts = _of_deal(self.card, self.lead) if self.card.entity is Entity.DEAL else _of_lead(self.card, self.deals)
        members = [self.card, *self.deals, *((self.lead,) if self.lead else ())]
        return Rounds(
            history=CardHistory(
                created=parts.created,
                reopened=parts.reopened,
                owners=parts.owners,
                contacts=_once(contact for one in members for contact in one.contacts),
                machines=frozenset(machines),
                missing=frozenset(missing),
            ),
            closed=parts.closed,
            read=_read_of_all(members),
            desk=next((one.desk for one in members if one.desk is not None), None),
        )


@dataclass(frozen=True, slots=True)
class _Parts:
    created: tuple[datetime, ...]
    owners: tuple[Owned, ...]
    reopened: tuple[datetime, ...]
    closed: tuple[datetime, ...]


def _of_deal(deal: KnownCard, lead: KnownCard | None) -> _Parts:
    made = deal.created_at
    if lead is None or lead.created_at is None or made is None or lead.created_at > made:
        created = (made,) if made else ()
        return _Parts(created, deal.owners, deal.reopened, deal.closed)
    reopened = tuple(at for at in lead.reopened if at < made)
    # What closed the lead before that is part of its story; the conversion that made the deal closes nothing.
    closed = tuple(at for at in lead.closed if any(at <= later for later in reopened))
    return _Parts(
        (lead.created_at, made),
        (*(owned for owned in lead.owners if owned.since < made), *_from(made, deal.owners)),
        (*reopened, *deal.reopened),
        (*closed, *deal.closed),
    )


def _of_lead(lead: KnownCard, deals: Sequence[KnownCard]) -> _Parts:
    created = (lead.created_at,) if lead.created_at else ()
    first = next((deal for deal in deals if deal.created_at is not None), None)
    if first is None or first.created_at is None or not lead.closed:
        return _Parts(created, lead.owners, lead.reopened, lead.closed)
    made = first.created_at
    before = tuple(owned for owned in lead.owners if owned.since < made)
    open_still = any(not deal.closed or deal.closed[-1] in _before(deal.reopened, deal.closed) for deal in deals)
    last = () if open_still else (max(deal.closed[-1] for deal in deals),)
    closed = tuple(at for at in lead.closed if any(at <= later for later in lead.reopened))
    return _Parts(created, (*before, *_from(made, first.owners)), lead.reopened, (*closed, *last))


def _before(reopened: Sequence[datetime], closed: Sequence[datetime]) -> tuple[datetime, ...]:
    """Closings after which the card came back."""
    return tuple(at for at in closed if any(at <= later for later in reopened))


def _from(made: datetime, owners: Sequence[Owned]) -> tuple[Owned, ...]:
    """A card's owners; the first one has it from the moment it was made, whenever we first saw it."""
    ordered = sorted(owners, key=lambda owned: owned.since)
    return tuple(Owned(made, owned.user) if at == 0 else owned for at, owned in enumerate(ordered))


def _once(contacts: Iterable[Contact]) -> tuple[Contact, ...]:
    """An activity may be bound to the lead and to its deal."""
    return tuple({contact.source_id: contact for contact in contacts}.values())


def _read_of_all(members: Sequence[KnownCard]) -> dict[Source, datetime]:
    """Up to when each source was read of every card of the request."""
    sources = [source for source in Source if all(source in one.read for one in members)]
    return {source: min(one.read[source] for one in members) for source in sources}
