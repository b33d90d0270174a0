"""A desk lives through the quarter: an emulated portal and the service's own steps, all on one clock that leaps.

Each event of the quarter is played at its minute, then everything that follows from it, then the clock leaps to the
next event or the next timer of the service, whichever comes first. The portal is asked over HTTP and the records are
in a real PostgreSQL; what is left out is the web and the loops of the worker, since those wait in real seconds.
"""

import contextlib
import heapq
import itertools
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import text

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.domain.ruleset import DEFAULT
from app.domain.snapshot import Entity
from app.pipeline.card import CardRef
from app.pipeline.connections import Connections
from app.pipeline.contacts import Contacts
from app.pipeline.process import Process
from app.pipeline.provision import provision
from app.pipeline.recomputing import Recomputing
from app.sandbox.limits import Limits
from app.sandbox.portal import SandboxPortal
from app.sandbox.server import serve_in_thread
from app.sandbox.state.people import Department, User
from app.settings import Settings
from app.store import pools, portals, rulesets, team, timers
from app.store.calendar_document import examine_calendar
from app.store.claims import Claims
from app.store.database import Database, WriteSession
from app.store.pool_document import MemberDocument, PoolDocument
from app.store.pools import WantedPool
from app.store.rules_in_force import ensure_first_version
from app.store.ruleset_document import ruleset_to_document
from app.store.secret_box import secret_box
from app.store.team import Scope
from tests.quarter.cast import FORM, HEAD, HOLIDAYS, MANAGERS, PLANT, START, TARGETS, Arrival, Manager, Quarter
from tests.story.office import COMPANY, DEAL, LEAD, Office

_NEXT_TIMER = text("SELECT min(due_at) FROM timers WHERE fired_at IS NULL")
Play = Callable[[], None]


@dataclass(slots=True)
class Given:
    """Whose a request became, or who did something about it, and when, in unix seconds."""

    at: int
    user: int


@dataclass(slots=True)
class Request:
    """One lead of the quarter as it went: its cards, its owners, who reached the client and who tried in vain."""

    arrival: Arrival
    lead_id: int
    deal_id: int | None = None
    given: list[Given] = field(default_factory=list[Given])
    tried: list[Given] = field(default_factory=list[Given])
    reached: list[Given] = field(default_factory=list[Given])

    @property
    def card(self) -> tuple[int, int]:
        """Where people work on it."""
        return (LEAD, self.lead_id) if self.deal_id is None else (DEAL, self.deal_id)


@dataclass(frozen=True, slots=True)
class Told:
    """A notification as it came to somebody, and of which card."""

    at: int
    user: int
    card: tuple[int, int]
    text: str


@dataclass
class Clock:
    """The one clock of the quarter. It leaps to each event, and creeps on while one is dealt with: no two readings are
    the same, as of any clock."""

    now: datetime = START - timedelta(days=1)

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    @property
    def stamp(self) -> int:
        return int(self.now.timestamp())


@dataclass
class Desk(Office):
    """The portal, the service beside it, and the people of the quarter.

    `choices`: every handing over in the order in which it happened.
    """

    quarter: Quarter
    database: Database
    portal_id: int
    process: Process
    contacts: Contacts
    recomputing: Recomputing
    clock: Clock
    dice: random.Random
    clients: dict[int, int]
    requests: dict[int, Request] = field(default_factory=dict[int, Request])
    choices: list[tuple[Request, Given]] = field(default_factory=list[tuple[Request, Given]])
    told: list[Told] = field(default_factory=list[Told])
    runs: int = 0
    heard: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    _events: list[tuple[float, int, Play]] = field(default_factory=list[tuple[float, int, Play]])
    _order: "itertools.count[int]" = field(default_factory=itertools.count)
    _of_deal: dict[int, Request] = field(default_factory=dict[int, Request])
    _last_notice: int = 0

    async def live(self, progress: Callable[[int], object]) -> None:
        """Play the quarter to its end, and on until the last clock has run out."""
        for arrival in self.quarter.arrivals:
            self._at(arrival.at, lambda one=arrival: self._arrive(one))
        while (moment := await self._next()) is not None:
            self.clock.now = moment
            while self._events and self._events[0][0] <= moment.timestamp():
                heapq.heappop(self._events)[2]()
                await self._follow()
            await self._timers()
            progress(len(self.requests))

    def hear(self, kind: int, item: int, what: str) -> None:
        """An event of the portal, without its way over the network."""
        if kind in (LEAD, DEAL) and what != "DELETE":
            self.heard.append((kind, item))

    def hear_of_new_cards(self, kind: int, item: int, what: str) -> None:
        """The same for new cards only. Nobody but the service changes a card in this story."""
        if what == "ADD":
            self.hear(kind, item, what)

    def _at(self, moment: float, play: Play) -> None:
        heapq.heappush(self._events, (moment, next(self._order), play))

    async def _next(self) -> datetime | None:
        async with self.database.reading() as session:
            timer: datetime | None = await session.scalar(_NEXT_TIMER)
        known = [datetime.fromtimestamp(self._events[0][0], UTC)] if self._events else []
        known += [timer] if timer is not None else []
        return max(min(known), self.clock.now) if known else None

    # --- people

    def _arrive(self, arrival: Arrival) -> None:
        client = {} if arrival.client_of is None else {"companyId": self.clients[arrival.client_of]}
        lead_id = self.add(LEAD, FORM, assignedById=FORM, **arrival.fields, **client)
        self.requests[lead_id] = Request(arrival, lead_id)

    def _look(self, kind: int, item: int) -> None:
        """See whose the request is now; a new owner goes to work on it."""
        request = self.requests.get(item) if kind == LEAD else self._of_deal.get(item)
        if request is None:
            return
        if request.deal_id is None and self.item(LEAD, request.lead_id)["stageId"] == "CONVERTED":
            for deal in self.deals_of(request.lead_id):
                request.deal_id = deal["id"]
                self._of_deal[deal["id"]] = request
        owner = int(self.item(*request.card)["assignedById"])
        if owner in MANAGERS and (not request.given or request.given[-1].user != owner):
            given = Given(self.clock.stamp, owner)
            request.given.append(given)
            self.choices.append((request, given))
            self._goes_to_work(request, self.quarter.managers[owner])

    def _goes_to_work(self, request: Request, manager: Manager) -> None:
        """When he calls: mostly in time, sometimes late, sometimes never; now and then in vain before."""
        draw, target = self.dice.random(), TARGETS[request.arrival.heat] * 60
        if draw < 0.08 or request.arrival.outcome == "company":
            return
        pace = self.dice.uniform(0.05, 0.65) if draw < 0.75 else self.dice.uniform(0.72, 2.5)
        at = self._on_a_minute(manager, pace * target)
        if self.dice.random() < 0.2:
            self._at(self._on_a_minute(manager, pace * target / 2), lambda: self._call(request, manager, talked=False))
        self._at(at, lambda: self._call(request, manager, talked=True))

    def _on_a_minute(self, manager: Manager, seconds: float) -> float:
        return -(-manager.hours.after(self.clock.stamp, max(60.0, seconds)) // 60) * 60

    def _call(self, request: Request, manager: Manager, *, talked: bool) -> None:
        """Nobody calls about a card that is not his any more, or from his holiday."""
        if request.given[-1].user != manager.user or manager.absent(self.clock.stamp):
            return
        activity = self.portal.ui_call(*request.card, seconds=int(talked), user_id=manager.user)
        self._called.append(activity)
        (request.reached if talked else request.tried).append(Given(self.clock.stamp - talked, manager.user))

    _called: list[int] = field(default_factory=list[int])

    # --- the service

    async def _follow(self) -> None:
        """All that follows from what was just done, until nothing is heard any more."""
        while self.heard or self._called:
            if self._called:
                called, self._called = self._called, []
                await self.contacts.read(self.portal_id, called)
                await self.recomputing.step(now=self.clock.now)
            heard, self.heard = dict.fromkeys(self.heard), []
            for kind, item in heard:
                await self._judge(kind, item)

    async def _timers(self) -> None:
        async with self.database.writing() as session:
            due = await timers.take_due(session, now=self.clock.now)
        for timer in due:
            await self._judge(timer.entity_type_id, timer.card_id)
            await self._follow()

    async def _judge(self, kind: int, item: int) -> None:
        self.runs += 1
        await self.process.judge(CardRef(self.portal_id, Entity(kind), item), Lane.NORMAL)
        for said in self.portal.world.notifications:
            if said["id"] > self._last_notice:
                self.told.append(Told(self.clock.stamp, said["userId"], (kind, item), said["message"]))
        self._last_notice = max([self._last_notice, *(said["id"] for said in self.portal.world.notifications)])
        self.portal.world.notifications.clear()
        self._look(kind, item)


@contextlib.asynccontextmanager
async def opened(
    settings: Settings, database: Database, quarter: Quarter, *, seed: int, echoes: bool = True
) -> AsyncIterator[Desk]:
    """The desk on the evening before: people, pool, absences and rules are known, old clients are in the portal.

    Without `echoes` the portal says nothing of what the service itself changed, but for the cards it made: half the
    runs of a long quarter are saved, which would all have found nothing to do.
    """
    clock = Clock()
    portal = SandboxPortal(clock=clock, limits=Limits(enforced=False, cost=0.0), seed=seed)
    _hire(portal, quarter)
    with serve_in_thread(portal) as served:
        async with PortalClient(served.webhook_url, requests_per_second=1000, burst=100_000) as client:
            await provision(client, lambda _: None)
        ready = settings.model_copy(
            update={
                "bitrix24_webhook_url": SecretStr(served.webhook_url),
                "bitrix24_application_token": (SecretStr(portal.application_token),),
                "bitrix24_requests_per_second": 1000.0,
                "bitrix24_burst": 100_000,
                "secret_key": SecretStr("a key for one quarter"),
            }
        )
        portal_id = await _settled(database, ready, quarter, clock)
        async with (
            Connections(database, secret_box(ready), clock=clock) as connections,
            Claims(database.conninfo) as claims,
        ):
            desk = Desk(
                portal,
                quarter,
                database,
                portal_id,
                Process(database, connections, claims, live=True, clock=clock),
                Contacts(database, connections, clock, timedelta(0)),
                Recomputing(database, live=True),
                clock,
                random.Random(seed),
                {user: portal.ui_add(COMPANY, {"title": f"Client {user}", "assignedById": user}) for user in MANAGERS},
            )
            portal.world.announce_card = desk.hear if echoes else desk.hear_of_new_cards  # type: ignore[method-assign]
            yield desk


def _hire(portal: SandboxPortal, quarter: Quarter) -> None:
    people = portal.world.people
    people.departments[PLANT] = Department(PLANT, "Plant", None, HEAD)
    people.users[HEAD] = User(HEAD, "Head", "Of the desk", PLANT)
    for user, manager in quarter.managers.items():
        people.users[user] = User(user, "Manager", str(user), PLANT, time_zone=manager.zone)


async def _settled(database: Database, settings: Settings, quarter: Quarter, clock: Clock) -> int:
    async with database.writing() as session:
        portal = await portals.ensure_env_portal(session, secret_box(settings), settings)
        assert portal is not None
        await portals.watch_clocks(session, now=clock.now)
        await ensure_first_version(session, portal.id)
        targets = replace(DEFAULT.targets, pass_on=True)
        document = ruleset_to_document(replace(DEFAULT, version=2, targets=targets))
        await rulesets.publish(
            session, portal_id=portal.id, edited_version=1, document=document, author="a test", reason="cards pass on"
        )
        week = {day: ["09:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
        off = {"country": None, "days": {day.isoformat(): [] for day in HOLIDAYS}}
        await _hours(session, portal.id, "portal", 0, {"zone": "Europe/Moscow", "week": week, **off}, clock)
        for user, manager in quarter.managers.items():
            day = [f"{opens:02}:00-{closes:02}:00" for opens, closes in manager.day]
            await _hours(session, portal.id, "person", user, {"week": dict.fromkeys(week, day)}, clock)
            for gone, back in manager.absences:
                span = {"starts_at": datetime.fromtimestamp(gone, UTC), "ends_at": datetime.fromtimestamp(back, UTC)}
                await team.add_absence(session, portal.id, user, **span, note=None, who="a test", now=clock.now)
        pool = PoolDocument(members=[MemberDocument(user=user) for user in MANAGERS], head=HEAD)
        wanted = WantedPool(name="Desk", document=pool)
        await pools.add(session, portal.id, Entity.LEAD, wanted, by="a test", at=clock.now)
    return portal.id


async def _hours(
    session: WriteSession, portal_id: int, scope: Scope, subject: int, document: dict[str, Any], clock: Clock
) -> None:
    layer = examine_calendar(document).layer
    assert layer is not None, document
    await team.set_calendar(session, portal_id, scope, subject, layer, who="a test", now=clock.now)
