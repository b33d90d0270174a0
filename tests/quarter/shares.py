"""Whose turn it is, by the plainest rule that is fair: the oracle's own pool, in whole turns and for equal weights."""

from collections.abc import Callable, Collection, Sequence
from enum import Enum


class Cost(Enum):
    """What a card costs its member: a turn, one that was given back to him, or nothing."""

    TURN = "turn"
    FREE_TURN = "free turn"
    NOTHING = "nothing"


class Pool:
    """Members take turns. Who comes back from an absence stands where those stood who were there meanwhile."""

    def __init__(self, members: Sequence[int], absent: Callable[[int, int], bool]) -> None:
        self._members = members
        self._absent = absent
        self._turns = dict.fromkeys(members, 0)
        self._free = dict.fromkeys(members, 0)
        self._floor = 0

    def next(
        self, at: int, *, had_it: Collection[int] = (), knows_client: int | None = None
    ) -> tuple[int | None, Cost]:
        """Who gets a card at this moment, nobody when all are away or had it; and what it costs him."""
        there = [user for user in self._members if not self._absent(user, at)]
        free = [user for user in there if user not in had_it]
        if knows_client in free:
            return knows_client, Cost.NOTHING
        if not free:
            return None, Cost.NOTHING
        for user in there:
            self._turns[user] = max(self._turns[user], self._floor)
        chosen = min(free, key=lambda user: self._turns[user])
        if self._free[chosen]:
            self._free[chosen] -= 1
            return chosen, Cost.FREE_TURN
        self._floor = min(self._turns[user] for user in there)
        self._turns[chosen] += 1
        return chosen, Cost.TURN

    def give_back(self, user: int) -> None:
        """For a card that cost a turn, one given back earlier too: else a second bad card would cost one after all."""
        self._free[user] += 1


def uneven(takers: Sequence[int], members: Sequence[int], *, run: int = 30) -> int:
    """The greatest difference between two members over any `run` cards in a row: the issue's own measure."""
    worst = 0
    for start in range(max(0, len(takers) - run + 1)):
        window = takers[start : start + run]
        counts = [window.count(user) for user in members]
        worst = max(worst, max(counts) - min(counts))
    return worst
