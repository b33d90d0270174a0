"""A pool as people write it: who shares, and which cards. Read by the API, the CLI and the store; kept as JSON."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.domain.assignment import SHARED_OUTCOMES, Takes
from app.domain.shares import Member
from app.domain.verdict import Grade, Outcome

_STRICT = ConfigDict(extra="forbid")
LARGEST_USER = 2**63 - 1
MOST_MEMBERS = 500
MOST_WEIGHT = 100

User = Annotated[int, Field(ge=1, le=LARGEST_USER)]
SharedOutcome = Literal["deal", "company", "review", "needs_data"]


class MemberDocument(BaseModel):
    """One person of a pool."""

    model_config = _STRICT

    user: User = Field(description="The user's id in the portal.")
    weight: int = Field(default=1, ge=1, le=MOST_WEIGHT, description="Cards for each card of a member with weight 1.")
    cap: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None, description="Most open leads and deals at a time; null: no bound."
    )


class TakesDocument(BaseModel):
    """Which cards a pool takes; an empty list asks for nothing."""

    model_config = _STRICT

    outcomes: list[SharedOutcome] = Field(default=[], description="Of leads. Junk is never shared out.")
    grades: list[Literal["AAA", "BBB", "CCC", "none"]] = Field(default=[], description="Of deals.")
    pipelines: list[Annotated[int, Field(ge=0, le=LARGEST_USER)]] = Field(default=[], description="Of deals, by id.")
    departments: list[User] = Field(default=[], description="Of the present owner, with those below them; by id.")
    sources: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        default=[], description="Codes of the portal, e.g. WEB."
    )
    from_users: list[User] = Field(
        default=[],
        description="Whose cards are shared out. Empty: every new card, but those that a member made himself, and "
        "deals that a member has already.",
    )

    @property
    def takes(self) -> Takes:
        """The same for the domain."""
        return Takes(
            outcomes=frozenset(Outcome(one) for one in self.outcomes) & SHARED_OUTCOMES,
            grades=frozenset(Grade(one) for one in self.grades),
            pipelines=frozenset(self.pipelines),
            departments=frozenset(self.departments),
            sources=frozenset(self.sources),
            from_users=frozenset(self.from_users),
        )


class PoolDocument(BaseModel):
    """Who shares out which cards."""

    model_config = _STRICT

    members: list[MemberDocument] = Field(
        min_length=1, max_length=MOST_MEMBERS, description="Among equals the first one gets the card."
    )
    takes: TakesDocument = Field(default_factory=TakesDocument)
    returning: bool = Field(
        default=True, description="A client who was there before goes to the member who knows him, without a turn."
    )
    head: User | None = Field(default=None, description="Who is told when nobody of the pool can take a card.")

    @model_validator(mode="after")
    def _each_once(self) -> "PoolDocument":
        users = [one.user for one in self.members]
        if len(set(users)) != len(users):
            raise ValueError("name each member once, with a weight instead of repeating him")
        return self

    @property
    def as_members(self) -> tuple[Member, ...]:
        """The members for the domain, in their order."""
        return tuple(Member(one.user, one.weight, one.cap) for one in self.members)
