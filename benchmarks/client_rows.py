"""The rows of the figures table: what is asked for, of how many, what would be possible, and which bar holds.

Called by `benchmarks.client`, once for each contender, with a fresh portal. A row must not know who it measures.
"""

import asyncio
import functools
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks import bare, figures
from benchmarks.client_jobs import Count, Ended, Job, carried_out, count, median, percentile
from benchmarks.figures import Floor, Physics
from benchmarks.peers import Contender, Session
from benchmarks.portal import PortalProcess, served

BAR = 1.1


@dataclass(slots=True)
class Measured:
    """One contender on one row. Seconds; `notes` says what a reader must know beside the numbers."""

    row: str
    contender: str
    calls: int
    seconds: float
    count: Count
    stats: dict[str, Any]
    p50: float | None = None
    p99: float | None = None
    errors: dict[str, int] = field(default_factory=dict[str, int])
    notes: list[str] = field(default_factory=list[str])
    misses: list[str] = field(default_factory=list[str])
    floor: Floor | None = None

    @property
    def requests(self) -> int:
        return self.stats["requests"]

    @classmethod
    def read(cls, told: dict[str, Any]) -> "Measured":
        """From `asdict`, after JSON."""
        return cls(**told | {"count": Count(**told["count"])})


@dataclass(frozen=True, slots=True)
class Trial:
    """What a row works with: a contender at work on a portal, how much to ask of it, and for how long."""

    session: Session
    portal: PortalProcess
    size: int
    cap: float | None
    tick: Callable[[int], None]


class Row:
    """One line of the table."""

    name: str
    title: str
    physics = Physics()
    bar = BAR
    needs_list = False
    """A caller with a list in its hands can do this row."""
    pairs = 0
    """Above 0, the floor's seconds are measured, not reckoned: bare, then the client, so many times; medians count."""
    rest = 0.0
    """Seconds between pairs, so that the bucket is not what is measured."""

    def __init__(self, size: int, peer_size: int | None = None) -> None:
        self.size = size
        self.peer_size = peer_size or size

    def asked(self, contender: Contender) -> int:
        return self.size if contender.ours else self.peer_size

    def dash(self, contender: Contender) -> str | None:
        """Why this contender cannot do this row; None when it can."""
        if contender.bulk and not self.needs_list:
            return "the calls are not known beforehand, so there is no list"
        return None

    @property
    def cards(self) -> int:
        return self.size

    async def floor(self, portal: PortalProcess) -> Floor:
        raise NotImplementedError

    async def measure(self, trial: Trial) -> Measured:
        raise NotImplementedError

    async def run(self, contender: Contender, trial: Trial) -> Measured:
        """Measure, and say what a capped row left open."""
        measured = await self.measure(trial)
        measured.row, measured.contender = self.name, contender.name
        if measured.count.unfinished:
            measured.notes.append(f"stopped after {trial.cap:g} s, {measured.count.unfinished} not finished")
        measured.notes += [f"{name} x {times}" for name, times in measured.errors.items()]
        return measured

    def misses(self, measured: Measured, floor: Floor, *, counts_only: bool) -> list[str]:
        """Which bars this measurement misses."""
        lost = {"503": measured.stats["refused_503"], "429": measured.stats["refused_429"]}
        lost |= {"refused": measured.count.refused, "lost": measured.count.lost}
        lost |= {"told wrong": measured.count.told_wrong, "not finished": measured.count.unfinished}
        missed = [f"{number} {name}" for name, number in lost.items() if number]
        pairs: list[tuple[str, float | None, float | None]] = [("requests", measured.requests, floor.requests)]
        if not counts_only:
            pairs += [("seconds", measured.seconds, floor.seconds)]
            pairs += [("p50", measured.p50, floor.p50), ("p99", measured.p99, floor.p99)]
        for name, is_, least in pairs:
            if is_ is not None and least and is_ > least * self.bar:
                missed.append(f"{name} {is_ / least:.2f} x possible")
        return missed


def _measured(trial: Trial, ended: Ended, counted: Count, stats: dict[str, Any]) -> Measured:
    return Measured("", "", trial.size, ended.seconds, counted, stats, errors=ended.errors())


def came(ended: Ended, card_id: int) -> bool:
    """Whether a read brought the card that was asked for."""
    card = ended.given.get(card_id)
    return isinstance(card, dict) and card.get("title") == f"Lead {card_id}"


async def written(trial: Trial, jobs: Sequence[Job], titles: dict[int, str]) -> tuple[Measured, Ended]:
    """Carry out updates and look in the portal which of them are there."""
    ended = await carried_out(jobs, cap=trial.cap, tick=trial.tick)
    if ended.cut:
        await asyncio.sleep(1.0)  # what was cut off may still be running there
    stats, stored = await trial.portal.stats(), await trial.portal.titles()
    counted = count(ended, titles, lambda one: stored.get(one) == titles[one])
    return _measured(trial, ended, counted, stats), ended


def update_jobs(session: Session, titles: dict[int, str], *, per_second: float | None = None) -> list[Job]:
    """One job each, or one for all where the contender takes lists."""
    if session.update_many is not None:
        many = session.update_many
        return [Job(list(titles), lambda: many(titles))]

    def job(card_id: int, title: str) -> Job:
        at = (card_id - 1) / per_second if per_second else 0.0
        return Job([card_id], lambda: session.update(card_id, title), at=at)

    return [job(one, title) for one, title in titles.items()]


class CardsById(Row):
    name = "cards"
    title = "cards by id, each asked for by its own coroutine"
    needs_list = True

    pairs = 7
    rest = 1.0

    async def floor(self, portal: PortalProcess) -> Floor:
        ids = range(1, self.size + 1)
        seconds = await bare.cards_waited_for(portal.webhook_url, ids)
        how = "pages of 50 ids, 50 pages to a batch; the same sent bare, for as many coroutines that wait"
        return Floor(f"{how}, in turn, medians of {self.pairs}", len(bare.cards(ids)), seconds)

    async def measure(self, trial: Trial) -> Measured:
        session, ids = trial.session, range(1, trial.size + 1)

        def job(card_id: int) -> Job:
            return Job([card_id], lambda: session.read(card_id))

        many = session.read_many
        jobs = [job(one) for one in ids] if many is None else [Job(ids, lambda: many(ids))]
        ended = await carried_out(jobs, cap=trial.cap, tick=trial.tick)

        counted = count(ended, ids, functools.partial(came, ended))
        return _measured(trial, ended, counted, await trial.portal.stats())


class Updates(Row):
    name = "updates"
    title = "updates, each by its own coroutine"
    needs_list = True

    async def floor(self, portal: PortalProcess) -> Floor:
        return figures.writing(self.physics, self.size)

    async def measure(self, trial: Trial) -> Measured:
        titles = {one: f"updated {one}" for one in range(1, trial.size + 1)}
        return (await written(trial, update_jobs(trial.session, titles), titles))[0]


class Listed(Row):
    name = "list"
    title = "cards listed"
    pairs = 3
    rest = 5.0

    def dash(self, contender: Contender) -> str | None:
        return "its list call is the line above" if contender.bulk else None

    async def floor(self, portal: PortalProcess) -> Floor:
        bodies = bare.listed(self.size)
        first = await bare.sent(portal.webhook_url, bare.listed(1))
        seconds = first + await bare.sent(portal.webhook_url, bodies)
        how = (
            "one request for the ends of the list, then id ranges, 50 pages to a batch; the same sent bare in this run"
        )
        return Floor(how, 1 + len(bodies), seconds)

    async def measure(self, trial: Trial) -> Measured:
        ids = range(1, trial.size + 1)

        async def listed() -> dict[int, Any]:
            return {int(row["id"]): row for row in await trial.session.listed()}

        ended = await carried_out([Job(ids, listed)], cap=trial.cap, tick=trial.tick)

        counted = count(ended, ids, functools.partial(came, ended))
        return _measured(trial, ended, counted, await trial.portal.stats())


class Arriving(Row):
    name = "arriving"
    title = "updates arriving at 20/s"
    per_second = 20.0

    async def floor(self, portal: PortalProcess) -> Floor:
        return figures.arriving(self.physics, self.per_second)

    async def measure(self, trial: Trial) -> Measured:
        titles = {one: f"updated {one}" for one in range(1, trial.size + 1)}
        jobs = update_jobs(trial.session, titles, per_second=self.per_second)
        measured, ended = await written(trial, jobs, titles)
        measured.p50, measured.p99 = median(ended.waits[""]), percentile(ended.waits[""], 0.99)
        return measured


class HotDuringBackfill(Row):
    """Hot reads come about one a second at irregular moments, the same for every contender."""

    name = "hot"
    title = "updates as a backfill, with hot cards read meanwhile (p99)"
    possible = Floor(
        "5 ms for itself, up to 50 ms of others riding along, as the same slots serve both; the way there and back",
        p99=0.07,
    )

    def __init__(self, size: int, peer_size: int | None = None, *, reads: int = 40) -> None:
        super().__init__(size, peer_size)
        self.reads = reads

    async def floor(self, portal: PortalProcess) -> Floor:
        return self.possible

    async def measure(self, trial: Trial) -> Measured:
        session = trial.session
        titles = {one: f"updated {one}" for one in range(1, trial.size + 1)}

        def backfill(card_id: int, title: str) -> Job:
            return Job([card_id], lambda: session.update(card_id, title, background=True))

        def hot(number: int, at: float) -> Job:
            card_id = trial.size + number + 1
            return Job([card_id], lambda: session.read(card_id, hot=True), at=at, kind="hot")

        moments, dice = [0.0], random.Random(7)
        while len(moments) <= self.reads:
            moments.append(moments[-1] + dice.expovariate(1.0))
        jobs = [hot(number, at) for number, at in enumerate(moments[1:]) if trial.cap is None or at < trial.cap]
        hot_ids = [job.covers[0] for job in jobs]
        jobs += [backfill(one, title) for one, title in titles.items()]
        measured, ended = await written(trial, jobs, titles)
        read = count(ended, hot_ids, functools.partial(came, ended))
        measured.p50, measured.p99 = median(ended.waits["hot"]), percentile(ended.waits["hot"], 0.99)
        measured.count = Count(*(getattr(measured.count, name) + getattr(read, name) for name in Count.__slots__))
        measured.notes.append(f"{len(hot_ids)} hot reads, {read.done} came")
        return measured

    @property
    def cards(self) -> int:
        return self.size + self.reads


class OperatingBound(Row):
    """A slow portal: 100 ms a command, so that run time is what is short, in a world that runs ten times faster."""

    name = "operating"
    title = "updates at 100 ms"
    physics = Physics(command=0.1).faster(10)
    bar = 1.05
    needs_list = True
    in_flight = 3

    async def floor(self, portal: PortalProcess) -> Floor:
        async with served(Physics(command=self.physics.command), cards=figures.BATCH) as another:
            one = await bare.sent(another.webhook_url, bare.updates(figures.BATCH))
        running = one / figures.BATCH
        floor = figures.operating(self.physics, self.size, in_flight=self.in_flight, running=running)
        return replace(floor, requests=None)  # requests are not what is short here

    async def measure(self, trial: Trial) -> Measured:
        titles = {one: f"updated {one}" for one in range(1, trial.size + 1)}
        basket = self.physics.window / figures.BASKETS
        await asyncio.sleep(basket - time.time() % basket)  # the floor starts with a basket, and so does everybody
        measured, _ = await written(trial, update_jobs(trial.session, titles), titles)
        speed = self.physics.speed
        measured.notes.append(f"everything {speed:g} x faster: {measured.seconds * speed:.0f} s at a real portal")
        return measured
