"""Equal shares: who of a pool gets the next card.

Pure; called when a card is assigned or passed on. Each member's turns are counted in shares (one card divided by the
weight), and the one who had the fewest is next. The count starts where the pool stands when somebody comes or comes
back, so absence neither costs nor owes anything. With equal weights and everybody there this is taking turns: over
any run of cards two members differ by one at most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from typing import Final

_NONE: Final = Fraction(0)


@dataclass(frozen=True, slots=True)
class Member:
    """A person of a pool. `weight`: cards for each card of a member with weight 1. `cap`: most open cards at a time."""

    user: int
    weight: int = 1
    cap: int | None = None

    def __post_init__(self) -> None:
        if self.weight < 1 or (self.cap is not None and self.cap < 0):
            raise ValueError("A weight is at least 1, a cap at least 0; leave somebody out who shall get no cards.")


class Why(StrEnum):
    """Why this one, for the card's story."""

    KNOWS_CLIENT = "knows_client"
    TURN = "turn"
    FREE_TURN = "free_turn"
    """A turn given back earlier: this card is not counted."""


class Barred(StrEnum):
    """Why not that one."""

    ABSENT = "absent"
    FULL = "full"
    HAD_IT = "had_it"


@dataclass(frozen=True, slots=True)
class Turns:
    """Where a pool stands. `taken`: shares each member had; `given_back`: cards he gets without a turn.

    `reached` is the least that anybody had who was there for the last card.
    """

    taken: Mapping[int, Fraction] = field(default_factory=dict[int, Fraction])
    given_back: Mapping[int, int] = field(default_factory=dict[int, int])
    reached: Fraction = _NONE

    def of(self, user: int) -> Fraction:
        """The member's shares; one who was away, or is new, stands where the pool stands."""
        return max(self.taken.get(user, _NONE), self.reached)


@dataclass(frozen=True, slots=True)
class Choice:
    """Who gets the card, None when nobody can; with what was looked at, to be told on the card's story."""

    user: int | None
    why: Why | None
    barred: Mapping[int, Barred]
    shares: Mapping[int, Fraction]


def choose(
    members: Sequence[Member],
    turns: Turns,
    *,
    absent: frozenset[int] = frozenset(),
    open_cards: Mapping[int, int] | None = None,
    had_it: frozenset[int] = frozenset(),
    knows_client: int | None = None,
) -> tuple[Choice, Turns]:
    """Choose a member for one card, and where the pool stands then.

    `had_it`: people from whom the card was taken; it never comes back to them. `knows_client`: who has this client
    already; he gets the card whatever the turn, cap or not, unless he is absent or had it, and it costs no turn.
    Among equals the order of `members` decides.
    """
    load = open_cards or {}
    barred = {one.user: why for one in members if (why := _barred(one, absent, load, had_it)) is not None}
    shares = {one.user: turns.of(one.user) for one in members}
    if knows_client is not None and barred.get(knows_client, Barred.FULL) is Barred.FULL and knows_client in shares:
        return Choice(knows_client, Why.KNOWS_CLIENT, barred, shares), turns
    free = [one for one in members if one.user not in barred]
    if not free:
        return Choice(None, None, barred, shares), turns
    chosen = min(free, key=lambda one: shares[one.user])
    if turns.given_back.get(chosen.user, 0):
        left = {**turns.given_back, chosen.user: turns.given_back[chosen.user] - 1}
        return Choice(chosen.user, Why.FREE_TURN, barred, shares), replace(turns, given_back=left)
    taken = {**turns.taken, chosen.user: shares[chosen.user] + Fraction(1, chosen.weight)}
    # Who only may not have this very card again keeps his place; who is away or full does not.
    there = (user for user in shares if barred.get(user, Barred.HAD_IT) is Barred.HAD_IT)
    reached = min(shares[user] for user in there)
    return Choice(chosen.user, Why.TURN, barred, shares), replace(turns, taken=taken, reached=reached)


def give_back(turns: Turns, user: int) -> Turns:
    """The member's card was junk, or was taken from him: another one comes without a turn.

    For a card that cost a turn only; whoever calls knows `Choice.why`.
    """
    return replace(turns, given_back={**turns.given_back, user: turns.given_back.get(user, 0) + 1})


def _barred(member: Member, absent: frozenset[int], load: Mapping[int, int], had_it: frozenset[int]) -> Barred | None:
    if member.user in had_it:
        return Barred.HAD_IT
    if member.user in absent:
        return Barred.ABSENT
    if member.cap is not None and load.get(member.user, 0) >= member.cap:
        return Barred.FULL
    return None
