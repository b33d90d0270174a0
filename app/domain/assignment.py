"""Pools: which people share out which cards among themselves; and what is known of a card's assignment.

Pure. `app/pipeline/assigning.py` asks which pool takes a card, `plan_assignment.py` what is still to be written.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.shares import Member
from app.domain.snapshot import Entity
from app.domain.verdict import Grade, LeadVerdict, Outcome, Verdict

ARRIVAL = "arrival"
"""Why a card is assigned: it came and matched a pool. Others, like a breach, are named by who asks."""

SHARED_OUTCOMES = frozenset(Outcome) - {Outcome.JUNK}
"""The outcomes that a pool may name."""


@dataclass(frozen=True, slots=True)
class Takes:
    """Which cards a pool takes; an empty set asks for nothing.

    `outcomes` are of leads, `grades` and `pipelines` of deals; `departments` and `from_users` of the present owner.
    `sources` as the portal names them. Without `from_users` every new card is taken but those that a member of the
    pool made himself, and deals that a member has already.
    """

    outcomes: frozenset[Outcome] = frozenset()
    grades: frozenset[Grade] = frozenset()
    pipelines: frozenset[int] = frozenset()
    departments: frozenset[int] = frozenset()
    sources: frozenset[str] = frozenset()
    from_users: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Pool:
    """People who share cards of one kind. `since`: cards made earlier are nobody's to share out.

    `returning`: whether a client who was there before goes to the member who knows him. `head`: who is told when
    nobody can take a card.
    """

    id: int
    name: str
    entity: Entity
    since: datetime
    members: tuple[Member, ...]
    takes: Takes = field(default_factory=Takes)
    returning: bool = True
    head: int | None = None

    @property
    def users(self) -> frozenset[int]:
        return frozenset(one.user for one in self.members)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A card as pools look at it. `departments`: of the present owner."""

    entity: Entity
    created_at: datetime | None
    created_by: int | None
    owner: int | None
    departments: frozenset[int] = frozenset()
    source: str | None = None
    pipeline: int | None = None
    outcome: Outcome | None = None
    grade: Grade | None = None


@dataclass(frozen=True, slots=True)
class Assigned:
    """The newest assignment of a card; `user` None: nobody could take it.

    `from_user`: whose it was. `carried_out`: the card was seen with its new owner, or our write was done.
    """

    id: int
    user: int | None
    from_user: int | None
    carried_out: bool

    def taken_by_person(self, owner: int | None) -> bool:
        """Whether somebody gave the card to another one than we chose, as far as the present owner tells."""
        return self.user is not None and owner != self.user and (self.carried_out or owner != self.from_user)


def is_work(verdict: Verdict) -> bool:
    """Whether there is anything to do for whoever gets the card: not on junk, nor on a declined deal."""
    if isinstance(verdict, LeadVerdict):
        return verdict.outcome is not Outcome.JUNK
    return not verdict.declined


def pool_for(pools: Sequence[Pool], card: Arrival) -> Pool | None:
    """The first pool, in the order given, that takes the card."""
    return next((pool for pool in pools if _takes(pool, card)), None)


def pool_to_pass_on(pools: Sequence[Pool], card: Arrival) -> Pool | None:
    """The first pool to which the card belongs by what it is, whoever has it or made it."""

    def belongs(pool: Pool) -> bool:
        owners = pool.takes.from_users | pool.users
        return _fits(pool, card) and (not pool.takes.from_users or card.owner in owners)

    return next((pool for pool in pools if belongs(pool)), None)


def knows_client(pool: Pool, candidates: Sequence[int | None]) -> int | None:
    """The first member of the pool among those who have had to do with the client, the nearest first."""
    if not pool.returning:
        return None
    return next((user for user in candidates if user is not None and user in pool.users), None)


def _takes(pool: Pool, card: Arrival) -> bool:
    return _fits(pool, card) and _free_to_share(pool, card)


def _fits(pool: Pool, card: Arrival) -> bool:
    if pool.entity is not card.entity:
        return False
    # A card of unknown age may be an old one that somebody works on. The portal prints whole seconds.
    if card.created_at is None or card.created_at < pool.since.replace(microsecond=0):
        return False
    wanted = pool.takes
    asked = (
        (wanted.outcomes, card.outcome),
        (wanted.grades, card.grade),
        (wanted.pipelines, card.pipeline),
        (wanted.sources, card.source),
    )
    if any(among and value not in among for among, value in asked):
        return False
    return not wanted.departments or not wanted.departments.isdisjoint(card.departments)


def _free_to_share(pool: Pool, card: Arrival) -> bool:
    if pool.takes.from_users:
        return card.owner in pool.takes.from_users
    if card.created_by in pool.users:
        return False
    return card.entity is not Entity.DEAL or card.owner not in pool.users
