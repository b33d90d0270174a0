"""What is possible: the least requests and seconds a perfect client needs against the portal's limits.

Used by the rows of `benchmarks.client` as the floor each figure is divided by. Pure arithmetic over the physics of
docs `limits`: it knows no client, no network and no clock. Seconds.
"""

import heapq
import math
from dataclasses import dataclass, replace

BATCH = 50
PAGE = 50
BASKETS = 10
"""The portal sums run time in ten baskets to a window."""


@dataclass(frozen=True, slots=True)
class Physics:
    """A portal's limits. `command` is the run time of one command, `operating` the run time a method may use in
    `window`, `longest` one request's. `speed` above 1: everything that has a second in it is that much faster.
    """

    burst: int = 50
    leak: float = 2.0
    command: float = 0.005
    operating: float = 480.0
    window: float = 600.0
    longest: float = 60.0
    speed: float = 1.0

    def faster(self, speed: float) -> "Physics":
        """The same portal in a world that runs `speed` times faster: every ratio between its limits is kept."""
        return replace(
            self,
            leak=self.leak * speed,
            command=self.command / speed,
            operating=self.operating / speed,
            window=self.window / speed,
            longest=self.longest / speed,
            speed=self.speed * speed,
        )

    def slot(self, number: int) -> float:
        """When the request of this number (from 0) is let in at the earliest: the burst at once, then the leak."""
        return max(0, number + 1 - self.burst) / self.leak


@dataclass(frozen=True, slots=True)
class Floor:
    """The least possible, and how it was found. None: not a figure of this row."""

    how: str
    requests: int | None = None
    seconds: float | None = None
    p50: float | None = None
    p99: float | None = None


def batches(commands: int) -> int:
    """Requests that carry so many commands."""
    return math.ceil(commands / BATCH)


def writing(physics: Physics, commands: int) -> Floor:
    """So many updates, all known at the start."""
    requests = batches(commands)
    seconds = physics.slot(requests - 1) + BATCH * physics.command
    how = f"{commands} commands / {BATCH} = {requests} requests; {physics.burst} at once, then {physics.leak:g}/s"
    return Floor(how + f"; the last runs {BATCH * physics.command:g} s", requests, seconds)


def arriving(physics: Physics, per_second: float) -> Floor:
    """Updates that keep arriving faster than requests are let in: each waits for the next slot, then for its batch.

    A slot opens every 1/leak seconds and carries what arrived meanwhile, so the wait is spread evenly over it.
    """
    between = 1 / physics.leak
    running = per_second * between * physics.command
    how = f"a slot every {between:g} s carries {per_second * between:g} commands, which run {running:g} s"
    return Floor(how, p50=between / 2 + running, p99=between * 0.99 + running)


def operating(physics: Physics, commands: int, *, in_flight: int, running: float | None = None) -> Floor:
    """So many commands of one method that uses up its run time: a perfect client that knows the cost, acted out.

    It sends as early as bucket, places in flight and the ten baskets allow, from the first second of a basket on.
    `running` is what a command really takes on this machine, for the places in flight; the booked cost stays.
    """
    baskets: dict[int, tuple[float, float]] = {}
    free, requests, ended = [0.0] * in_flight, 0, 0.0
    left = commands
    while left:
        now = max(heapq.heappop(free), physics.slot(requests))
        baskets = {key: basket for key, basket in baskets.items() if basket[0] + physics.window > now}
        room = int((physics.operating - sum(spent for _, spent in baskets.values())) / physics.command + 1e-6)
        size = min(BATCH, left, room)
        if size == 0:
            heapq.heappush(free, min(opened for opened, _ in baskets.values()) + physics.window)
            continue
        took = running or physics.command
        for number in range(size):
            _book(baskets, now + number * took, physics)
        left, requests, ended = left - size, requests + 1, max(ended, now + size * took)
        heapq.heappush(free, now + size * took)
    how = (
        f"a perfect client acted out: {physics.operating:g} s of {physics.command:g} s commands in {physics.window:g} s"
    )
    return Floor(f"{how}, {in_flight} requests in flight", requests, ended)


def _book(baskets: dict[int, tuple[float, float]], moment: float, physics: Physics) -> None:
    key = int(moment / (physics.window / BASKETS))
    opened, spent = baskets.get(key, (moment, 0.0))
    baskets[key] = (opened, spent + physics.command)
