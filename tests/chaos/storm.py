"""The storm: cards come, people work, webhooks get lost, the portal fails, processes die; then it heals by itself.

Played by `python -m tests.chaos` and, shorter, by `test_chaos.py`. What is drawn by lot (who comes, what people do,
which fault, whose death) follows from the seed; when exactly it strikes is up to the machine, so a seed that failed
fails often, not always. What the portal must show in the end: `reckoning.py`.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
from pydantic import SecretStr
from sqlalchemy import text

from app.bitrix24.client import PortalClient
from app.domain.ruleset import DEFAULT, Nomenclature
from app.pipeline.provision import provision
from app.sandbox.faults import Fault
from app.sandbox.faults import Kind as FaultKind
from app.sandbox.limits import Limits
from app.sandbox.portal import SandboxPortal
from app.sandbox.samples import seed_basic
from app.sandbox.server import RunningSandbox, serve_in_thread
from app.serve import prepared_database
from app.settings import Settings, load_settings
from app.store import portals, rulesets
from app.store.database import Database
from app.store.ruleset_document import ruleset_to_document
from tests.chaos.cast import TERMS, DealRole, LeadRole, Role, Sight, deals_of, leads_of
from tests.chaos.fleet import OGON_WORKER, Fleet, Place
from tests.chaos.reckoning import Found, reckon
from tests.story.office import Office

_DEALS = 0.3
_TICK = 0.2
_HANG = (1.0, 4.0)
_GRACEFUL = 0.15
"""The share of processes that are stopped politely instead of killed: what they hand back must not be lost either."""

_WEATHER: tuple[tuple[FaultKind, int], ...] = (
    ("html502", 4),
    ("503", 3),
    ("drop_after_write", 8),
    ("truncated", 6),
    ("hang", 3),
    ("error", 3),
    ("429", 1),
)
_METHODS = (
    None,
    "batch",
    "crm.item.add",
    "crm.item.add",
    "crm.item.update",
    "crm.item.update",
    "crm.item.list",
    "crm.timeline.comment.add",
    "crm.activity.todo.add",
    "crm.activity.update",
    "crm.item.productrow.set",
    "crm.duplicate.findbycomm",
    "crm.stagehistory.list",
)

_BUSY = text("""
    SELECT (SELECT count(*) FROM journal WHERE dispatched_at IS NULL AND rejected IS NULL)
         + (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing'))
         + (SELECT count(*) FROM timers WHERE fired_at IS NULL AND entity_type_id <> 4 AND reason <> 'clock')
         + (SELECT count(*) FROM gaps WHERE swept_at IS NULL)
""")
_SWEPT = text("SELECT count(*) FROM journal WHERE source = 'sweep' AND entity_type_id IN (1, 2)")
_ASK_FOR_SWEEP = text("INSERT INTO gaps (noticed_at, reason) VALUES (now(), 'the storm is over')")
# Clocks of first responses, and companies, wait for hours to come: nothing is under way while they do.
_TIMERS_DUE = text("""
    UPDATE timers SET due_at = clock_timestamp()
    WHERE fired_at IS NULL AND due_at > clock_timestamp() AND entity_type_id <> 4 AND reason <> 'clock'
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How bad it is. `seconds` of storm, in which `cards` leads and deals come and so many processes die.

    `hurry`: what is to be tried again later is tried at once when the storm is over, for those who cannot wait.
    `patience`: seconds until everything must be at rest after the storm. `worker`: what to run as a worker.
    """

    seed: int
    cards: int
    seconds: float
    kills: int
    faults: int
    webs: int = 2
    workers: int = 2
    drops: float = 0.3
    limits: Limits = field(default_factory=Limits)
    hurry: bool = False
    patience: float = 900.0
    worker: tuple[str, ...] = OGON_WORKER


@dataclass(slots=True)
class Tally:
    """What happened, and what was found in the end. `faults`: those that struck; `dead`: webhooks that met nobody."""

    seed: int
    leads: int = 0
    deals: int = 0
    kills: Counter[str] = field(default_factory=Counter[str])
    stops: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])
    dropped: int = 0
    dead: int = 0
    delivered: int = 0
    only_by_sweep: int = 0
    storm_seconds: float = 0.0
    healed_seconds: float = 0.0
    found: list[Found] = field(default_factory=list[Found])

    def count(self, what: str) -> int:
        return sum(one.what == what for one in self.found)

    @property
    def complaint(self) -> str:
        """Every finding with its card, under the seed; empty when there is none."""
        return "\n".join([f"seed {self.seed}:", *map(str, self.found)]) if self.found else ""


Watch = Callable[[str, int, int], None]
"""Told of each step: what is counted (`arrived`, `at rest`), how many are through, of how many."""


def _nobody(_what: str, _done: int, _of: int) -> None:
    """Watch a storm that nobody watches."""


async def storm(weather: Weather, data_dir: Path, *, database_url: str | None = None, watch: Watch = _nobody) -> Tally:
    """Play it through. `data_dir` for logs and, without `database_url`, for the embedded PostgreSQL."""
    portal = SandboxPortal(limits=replace(weather.limits, enforced=False), seed=weather.seed)
    office = Office(portal)
    with serve_in_thread(portal) as served:
        settings = _settings(weather, served, data_dir, database_url)
        async with prepared_database(settings) as database:
            await _furnish(served, database)
            portal.limits = weather.limits
            play = _Play(weather, office, database, settings, watch)
            return await play.run()


def _settings(weather: Weather, served: RunningSandbox, data_dir: Path, database_url: str | None) -> Settings:
    return load_settings(
        _env_file=None,
        data_dir=data_dir,
        database_url=SecretStr(database_url) if database_url else None,
        bitrix24_webhook_url=SecretStr(served.webhook_url),
        bitrix24_application_token=(SecretStr(served.portal.application_token),),
        bitrix24_requests_per_second=weather.limits.requests_per_second,
        bitrix24_burst=weather.limits.burst,
        admin_token=SecretStr(secrets.token_urlsafe(16)),
        secret_key=SecretStr(secrets.token_urlsafe(24)),
        sweep_every=10,
        digest_at=None,
    )


async def _furnish(served: RunningSandbox, database: Database) -> None:
    """What an administrator does once; and clients the firm has already."""
    async with PortalClient(served.webhook_url, requests_per_second=50, burst=1000) as client:
        await provision(client, lambda _: None)
    seed_basic(served.portal, fields=False)
    ruleset = replace(DEFAULT, nomenclature=Nomenclature(terms=TERMS))
    async with database.writing() as session:
        (known,) = await portals.list_portals(session)
        document = ruleset_to_document(ruleset)
        await rulesets.publish(
            session, portal_id=known.id, edited_version=1, document=document, author="chaos", reason="What we sell"
        )


class _Play:
    """One storm from the first card to the reckoning."""

    def __init__(self, weather: Weather, office: Office, database: Database, settings: Settings, watch: Watch) -> None:
        self._weather = weather
        self._office = office
        self._portal = office.portal
        self._database = database
        self._settings = settings
        self._watch = watch
        self._fleet = Fleet(settings, webs=weather.webs, workers=weather.workers, worker=weather.worker)
        self._tally = Tally(weather.seed)
        deals = round(weather.cards * _DEALS)
        unrest = weather.seconds / 2
        self._leads = leads_of(office, self._dice("leads"), weather.cards - deals, unrest=unrest)
        self._deals = deals_of(office, self._dice("deals"), deals, unrest=unrest)
        self._to_do: dict[int, tuple[Role, int, float]] = {}

    def _dice(self, what: str) -> random.Random:
        """Each kind of lot has dice of its own, so that a change of one leaves the others as they fell."""
        return random.Random(f"{self._weather.seed} {what}")

    async def run(self) -> Tally:
        tally, portal = self._tally, self._portal
        began = {kind: len(portal.items(kind)) for kind in (2, 3, 4)}
        with self._fleet as fleet:
            await fleet.start()
            portal.reset_stats()
            portal.delivery.drop_rate, portal.delivery.duplicate_rate = self._weather.drops, 0.05
            portal.delivery.delay = 0.3
            portal.world.subscriptions.append(fleet.balancer())
            tally.storm_seconds = await _timed(self._storm())
            await self._clear_up()
            tally.healed_seconds = await _timed(self._heal())
            told = await self._completeness()
        stats = portal.stats
        tally.faults = Counter(fault.kind for fault in portal.faults.faults if not fault.times)
        tally.dropped, tally.dead, tally.delivered = stats.events_dropped, stats.events_failed, stats.events_sent
        tally.leads, tally.deals = len(self._leads), len(self._deals)
        tally.only_by_sweep = sum(day["only_by_sweep"] for day in told)
        tally.found += reckon(self._office, self._leads, self._deals, began=began, told=told)
        return tally

    # --- the storm

    async def _storm(self) -> None:
        async with asyncio.TaskGroup() as group:
            people = group.create_task(self._people_work())
            struck = [
                group.create_task(self._arrivals()),
                group.create_task(self._misfortunes()),
                group.create_task(self._deaths()),
            ]
            await asyncio.wait(struck)
            people.cancel()

    async def _arrivals(self) -> None:
        """All cards in the first four fifths, leads and deals mixed, members of a family close together."""
        dice = self._dice("arrivals")
        arriving: list[tuple[float, LeadRole | DealRole]] = []
        at = 0.0
        for role in [*self._leads, *self._deals]:
            twin = isinstance(role, LeadRole) and role.family is not None and arriving
            last = arriving[-1][1] if twin else None
            same = isinstance(last, LeadRole) and isinstance(role, LeadRole) and last.family == role.family
            at = at + 0.05 if same else dice.uniform(0.0, self._weather.seconds * 0.8)
            arriving.append((at, role))
        started = time.monotonic()
        for number, (due, role) in enumerate(sorted(arriving, key=lambda one: one[0]), 1):
            await asyncio.sleep(max(0.0, started + due - time.monotonic()))
            role.arrive(self._office)
            self._expect(role, 0)
            self._watch("arrived", number, len(arriving))

    async def _misfortunes(self) -> None:
        dice = self._dice("faults")
        kinds, weights = zip(*_WEATHER, strict=True)
        async for _ in self._moments(dice, self._weather.faults):
            kind = dice.choices(kinds, weights)[0]
            self._portal.faults.append(Fault(kind, dice.choice(_METHODS), seconds=dice.uniform(*_HANG)))

    async def _deaths(self) -> None:
        dice, fleet = self._dice("deaths"), self._fleet
        # A web and a worker at least; then whoever.
        victims = [dice.choice(fleet.webs), dice.choice(fleet.workers)]
        victims += dice.choices(fleet.places, k=max(0, self._weather.kills - len(victims)))
        dice.shuffle(victims)
        async for _ in self._moments(dice, len(victims)):
            await self._strike_down(victims.pop(), politely=dice.random() < _GRACEFUL)

    async def _strike_down(self, victim: Place, *, politely: bool) -> None:
        if politely:
            await victim.stop()
            self._tally.stops += 1
        else:
            victim.kill()
            self._tally.kills[victim.name.partition("-")[0]] += 1
        victim.start()

    async def _moments(self, dice: random.Random, count: int) -> AsyncIterator[None]:
        """So many moments at random in the storm; late ones at once."""
        started = time.monotonic()
        for due in sorted(dice.uniform(0.0, self._weather.seconds) for _ in range(count)):
            await asyncio.sleep(max(0.0, started + due - time.monotonic()))
            yield

    # --- the people

    def _expect(self, role: Role, deed: int) -> None:
        """The person behind this card has something to do with it, not at once."""
        if deed < len(role.deeds):
            self._to_do[id(role)] = (role, deed, time.monotonic() + role.deeds[deed].after)
        else:
            self._to_do.pop(id(role), None)

    async def _people_work(self) -> None:
        while True:
            self._deeds()
            await asyncio.sleep(_TICK)

    def _deeds(self, *, hurry: bool = False) -> bool:
        """Everybody does what is due and what he sees fit; whether anybody did anything. `hurry`: all are due."""
        sight = Sight(self._office)
        done = False
        for role, number, due in list(self._to_do.values()):
            deed = role.deeds[number]
            if (hurry or time.monotonic() >= due) and deed.sees(sight, role.card_id):
                deed.do(self._office, sight, role.card_id)
                self._expect(role, number + 1)
                done = True
        return done

    # --- afterwards

    async def _clear_up(self) -> None:
        """No more deaths; workers are stopped and started as for a new release. Webhooks stay as bad as they were.

        Faults that have not struck yet still do, but for those that shut a method for minutes.
        """
        faults = self._portal.faults.faults
        faults[:] = [fault for fault in faults if fault.kind != "429" or not fault.times]
        await self._fleet.renew_workers()

    async def _heal(self) -> None:
        """Until a sweep finds nothing any more and nobody has anything to do; for `patience` seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._weather.patience):
                before = -1
                while before != await self._swept() or self._to_do:
                    before = await self._swept()
                    await self._execute(_ASK_FOR_SWEEP)
                    await self._at_rest()
                return
        waiting = sorted(role.name for role, _, _ in self._to_do.values())
        self._tally.found.append(Found("missing", "the service", f"is not at rest; people still wait at {waiting}"))

    async def _at_rest(self) -> None:
        """Nothing under way anywhere; people go on with their work meanwhile."""
        quiet = 0
        while quiet < 2:
            if self._deeds(hurry=self._weather.hurry):
                quiet = 0
            if self._weather.hurry:
                await self._execute(_TIMERS_DUE)
            quiet = quiet + 1 if await self._quiet() else 0
            cards = len(self._leads) + len(self._deals)
            self._watch("at rest", cards - min(cards, await self._busy()), cards)
            await asyncio.sleep(_TICK)

    async def _quiet(self) -> bool:
        # A job raises events before it ends, and an event is out only when it stands in the journal or is lost.
        raised = self._portal.world.outbox.counts.raised
        if not await asyncio.to_thread(self._portal.wait_for_events, 0.1):
            return False
        return not await self._busy() and raised == self._portal.world.outbox.counts.raised

    async def _busy(self) -> int:
        async with self._database.reading() as session:
            return int((await session.execute(_BUSY)).scalar_one())

    async def _swept(self) -> int:
        async with self._database.reading() as session:
            return int((await session.execute(_SWEPT)).scalar_one())

    async def _execute(self, statement: object) -> None:
        async with self._database.writing() as session:
            await session.execute(statement)

    async def _completeness(self) -> Sequence[dict]:
        """What the service says of itself, for each day of the storm; asked of the first web."""
        token = self._settings.admin_token
        assert token is not None
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
        address = f"http://127.0.0.1:{self._fleet.webs[0].port}"
        days = {str(row["createdTime"])[:10] for row in self._office.portal.items(1)}
        async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False, timeout=30) as http:
            answers = [await http.get("/api/v1/completeness", params={"day": day}) for day in sorted(days)]
            parked = await http.get("/api/v1/cards", params={"state": "parked"})
        reasons = [f"{card['type']} {card['id']}: {card['parked_reason']}" for card in parked.json()["items"]]
        return [{**answer.raise_for_status().json(), "reasons": reasons} for answer in answers]


async def _timed(work) -> float:
    started = time.monotonic()
    await work
    return time.monotonic() - started
