"""`ogon demo`: the real service as a process of its own, an emulated portal beside it, and leads that arrive.

Everything goes the real way: the portal posts form-encoded webhooks over HTTP, the service answers, reads and writes
over REST. This module only plays the people: the desk that enters leads, the managers who call and who answer on the
deal, and the administrator who sets the service up beside a portal that has a past. Nothing of it runs in production.
"""

import asyncio
import contextlib
import dataclasses
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as day_time
from http import HTTPStatus
from typing import Any, cast
from urllib.error import HTTPError
from urllib.request import urlopen

from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.domain.ruleset import DEFAULT, Nomenclature
from app.domain.snapshot import Entity
from app.errors import OgonError
from app.logs import configure_logs
from app.pipeline.backfill import Filling, backfill
from app.pipeline.connections import Connections
from app.pipeline.provision import Created, Problem, provision
from app.pipeline.sweep import sweep_portal
from app.sandbox.past import MANAGERS, OPERATORS, RewindableClock, play_past
from app.sandbox.portal import SandboxPortal
from app.sandbox.samples import SampleLead, answer_deal, generate_leads, place_lead, seed_basic
from app.sandbox.server import RunningSandbox, serve_in_thread
from app.serve import prepared_database
from app.settings import Settings
from app.store import journal, pools, portals, rulesets, timers
from app.store.database import Database, WriteSession
from app.store.pool_document import MemberDocument, PoolDocument
from app.store.pools import WantedPool
from app.store.queue import waiting_cards
from app.store.ruleset_document import ruleset_to_document
from app.store.secret_box import secret_box
from app.store.sweeps import SweepLocks
from app.texts import Catalogue, catalogue, marked
from app.web.sessions import login_ticket

LEAD, DEAL = 1, 2
_OUTCOMES = ("deal", "company", "junk", "review", "needs_data")
_OUTCOME_NAMES = {
    "deal": marked("hot: made a deal"),
    "company": marked("company kept in the nurture group"),
    "junk": marked("junk"),
    "review": marked("for a person to decide"),
    "needs_data": marked("data needed"),
}
_GRADES = ("AAA", "BBB", "CCC", "none")
_TERMS = ("паровой котёл", "котельная", "деаэратор", "горелка", "экономайзер", "водоподготовка")
_ARRIVAL_SECONDS = 0.04
_PAST_LEADS, _PAST_DAYS = 90, 40
_FORM_OWNER, _DESK_HEAD, _SALES_HEAD = 20, 20, 10
"""The site's form gives its leads to the head of the desk; pools share them out."""
_NOT_CALLED = 3
"""Every third client waits for his call."""
_PATIENCE_SECONDS = 600.0
_QUIET_ROUNDS = 6


class ServiceSilent(OgonError):  # noqa: N818 - reads as the state it is
    """The service's process ended or did not become ready."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A lead that arrived, and what its author meant it to be."""

    lead_id: int
    sample: SampleLead


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything the demo plays with. `clock` is the portal's."""

    settings: Settings
    portal: SandboxPortal
    clock: RewindableClock
    served: RunningSandbox
    database: Database
    text: Catalogue
    out: Console


def run(settings: Settings, *, leads: int, stay: bool) -> int:
    """Play the demo; returns the exit code: 0 only if every lead reached its final state."""
    out = Console()
    # What the service logs is in its own file; here the table is what people look at.
    configure_logs("text", level=logging.WARNING)
    clock = RewindableClock()
    portal = SandboxPortal(clock=clock)
    clock.at = _now() - timedelta(days=_PAST_DAYS)
    seed_basic(portal, fields=False)
    clock.at = None
    with serve_in_thread(portal) as served:
        ready = _demo_settings(settings, served)
        # The emulated portal lives in memory and numbers its cards from 1 each time; so must our record of them.
        shutil.rmtree(ready.data_dir, ignore_errors=True)
        ready.data_dir.mkdir(parents=True)
        with contextlib.suppress(KeyboardInterrupt):
            return asyncio.run(_play(ready, served, clock, out, leads=leads, stay=stay))
    return 130


def wait_for_interrupt() -> None:
    """Sleep until Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


def _demo_settings(settings: Settings, served: RunningSandbox) -> Settings:
    return settings.model_copy(
        update={
            "database_url": None,
            "data_dir": settings.data_dir / "demo",
            "port": _free_port(settings.host, settings.port),
            "bitrix24_webhook_url": SecretStr(served.webhook_url),
            "bitrix24_application_token": (SecretStr(served.portal.application_token),),
            "admin_token": settings.admin_token or SecretStr(secrets.token_urlsafe(24)),
            "secret_key": settings.secret_key or SecretStr(secrets.token_urlsafe(32)),
            "mode": "live",
        }
    )


def _free_port(host: str, wanted: int) -> int:
    """The wanted port, or any free one when another program has it."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((host, port))
                return int(probe.getsockname()[1])
    return wanted


async def _play(
    settings: Settings, served: RunningSandbox, clock: RewindableClock, out: Console, *, leads: int, stay: bool
) -> int:
    text = catalogue(settings.ui_language)
    _ = text.gettext
    started = time.monotonic()
    out.print(_("Starting PostgreSQL and the service…"))
    async with prepared_database(settings) as database:
        stage = Stage(settings, served.portal, clock, served, database, text, out)
        await _set_up(stage)
        address = f"http://{settings.host}:{settings.port}"
        with service_process(settings) as service:
            await until_ready(address, service)
            out.print(
                _("The service is ready in {seconds} s; leads arrive.").format(
                    seconds=f"{time.monotonic() - started:.1f}"
                )
            )
            served.portal.reset_stats()
            served.portal.subscribe(f"{address}/webhooks/bitrix24")
            arrivals = await _let_leads_arrive(stage, leads)
            await _sweep(stage)
            unfinished = await _show(stage, arrivals)
            ticket = login_ticket(_plain(settings.secret_key), now=int(time.time()))
            out.print(_("Cards with verdict, grade and reason:"), f"{address}/login?ticket={ticket}", soft_wrap=True)
            out.print(_("The emulated portal:"), served.url)
            if stay:
                out.print(_("Ctrl-C ends the demo."))
                await asyncio.to_thread(service.wait)
    return 1 if unfinished else 0


async def _set_up(stage: Stage) -> None:
    """What an administrator does once: make the fields, read the portal's past, tell what we sell and who shares."""

    def report(done: Created | Problem) -> None:
        if isinstance(done, Problem):
            stage.out.print(stage.text.say(done.said), style="red")

    async with _connections(stage) as connections:
        connection = await connections.only()
        await provision(connection.client, report)
        play_past(stage.portal, stage.clock, leads=_PAST_LEADS, days=_PAST_DAYS)
        async with stage.database.writing() as session:
            (portal,) = await portals.list_portals(session)
            await portals.rename(session, portal.id, stage.text.gettext("Emulated portal"))
            await _tell_rules(session, portal.id, stage.text)
            await _open_pools(session, portal.id, stage.text)
        since = _now() - timedelta(days=_PAST_DAYS)
        await backfill(Filling(portal.id, connection.client, stage.database, since, _now, lambda _found: None))


def _connections(stage: Stage) -> Connections:
    return Connections(stage.database, secret_box(stage.settings), clock=_now)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a root reads the clock and hands it down


async def _tell_rules(session: WriteSession, portal_id: int, text: Catalogue) -> None:
    terms = dataclasses.replace(DEFAULT, nomenclature=Nomenclature(terms=_TERMS))
    await rulesets.publish(
        session,
        portal_id=portal_id,
        edited_version=1,
        document=ruleset_to_document(terms),
        author=text.gettext("administrator"),
        reason=text.gettext("The terms of what we sell"),
    )


async def _open_pools(session: WriteSession, portal_id: int, text: Catalogue) -> None:
    for entity, name, users, head in (
        (Entity.LEAD, text.gettext("First line"), OPERATORS, _DESK_HEAD),
        (Entity.DEAL, text.gettext("Sales"), MANAGERS, _SALES_HEAD),
    ):
        document = PoolDocument(members=[MemberDocument(user=user) for user in users], head=head)
        wanted = WantedPool(name=name, document=document, position=None)
        await pools.add(session, portal_id, entity, wanted, by=text.gettext("administrator"), at=_now())


async def _sweep(stage: Stage) -> None:
    """Compare with the portal once more, as the worker does every five minutes, and let what it found be judged."""
    async with _connections(stage) as connections, SweepLocks(stage.database) as locks:
        portal = (await connections.only()).portal
        async with locks.of(portal.id) as mine:
            if mine:
                since = timedelta(days=stage.settings.sweep_since_days)
                await sweep_portal(stage.database, connections, portal.id, now=_now, open_since=since)
    for _ in range(int(_PATIENCE_SECONDS)):
        if await is_quiet(stage.database, stage.portal):
            break
        await asyncio.sleep(1)


@contextlib.contextmanager
def service_process(settings: Settings) -> Generator["subprocess.Popen[bytes]"]:
    """`ogon serve` as a process of its own, its log in a file; stopped as an operator would stop it."""
    log = settings.data_dir / "service.log"
    with log.open("wb") as written:
        service = subprocess.Popen([sys.executable, "-m", "app", "serve"], env=environment_of(settings), stderr=written)
        try:
            yield service
        finally:
            service.send_signal(signal.SIGTERM)
            try:
                service.wait(15)
            except subprocess.TimeoutExpired:
                service.kill()
                service.wait()


def environment_of(settings: Settings) -> dict[str, str]:
    """Settings as the variables that give the same ones to another process."""
    values: dict[str, Any] = settings.model_dump(exclude_none=True)
    told = {name.upper(): _plain(value) for name, value in values.items()}
    # What is None is not told, and is None again there; but for this one, which has another default.
    return {**os.environ, "DIGEST_AT": "off", **told}


def _plain(value: Any) -> str:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case tuple():
            return ",".join(_plain(item) for item in cast("tuple[Any, ...]", value))
        case day_time():
            return value.isoformat(timespec="minutes")
        case _:
            return str(value)


async def until_ready(address: str, service: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if service.poll() is not None:
            break
        with contextlib.suppress(OSError):
            if await asyncio.to_thread(_status, f"{address}/readyz") == HTTPStatus.OK:
                return
        await asyncio.sleep(0.1)
    raise ServiceSilent("The service did not start: see service.log in the demo's data directory.")


def _status(url: str) -> int:
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
            return int(answer.status)
    except HTTPError as error:
        return error.code


async def _let_leads_arrive(stage: Stage, count: int) -> list[Arrival]:
    """Leads come in over a few seconds; managers answer on the deals; the bar counts leads that are judged."""
    samples = generate_leads(stage.portal, count)
    arrivals: list[Arrival] = []
    answered: set[int] = set()
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=stage.out
    )
    with bars as progress:
        arriving = progress.add_task(stage.text.gettext("Leads arrived"), total=count)
        judging = progress.add_task(stage.text.gettext("Leads judged"), total=count)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        quiet = 0
        while time.monotonic() < deadline and quiet < _QUIET_ROUNDS:
            if len(arrivals) < count:
                sample = samples[len(arrivals)]
                arrivals.append(Arrival(place_lead(stage.portal, sample, _FORM_OWNER), sample))
                await asyncio.sleep(_ARRIVAL_SECONDS)
            else:
                await asyncio.sleep(0.25)
                quiet = quiet + 1 if await is_quiet(stage.database, stage.portal) else 0
            if len(arrivals) % 10 == 0 or len(arrivals) == count:
                if _answer_deals(stage.portal, arrivals, answered):
                    quiet = 0
                progress.update(arriving, completed=len(arrivals))
                progress.update(judging, completed=sum(bool(_verdict(stage.portal, a.lead_id)) for a in arrivals))
    return arrivals


def _answer_deals(portal: SandboxPortal, arrivals: list[Arrival], answered: set[int]) -> bool:
    """Managers call and fill in what they learned, once a deal is there; whether anything was answered now."""
    deals = {deal["leadId"]: deal for deal in portal.items(DEAL) if deal["leadId"]}
    due = [a for a in arrivals if a.sample.answers and a.lead_id in deals and a.lead_id not in answered]
    for arrival in due:
        deal = deals[arrival.lead_id]
        if arrival.lead_id % _NOT_CALLED:
            portal.ui_call(DEAL, deal["id"], seconds=2 + arrival.lead_id % 5, user_id=deal["assignedById"])
        answer_deal(portal, deal["id"], arrival.sample)
        answered.add(arrival.lead_id)
    return bool(due)


async def is_quiet(database: Database, portal: SandboxPortal) -> bool:
    """Nothing under way: no event unsent, no hint waiting, no card on the queue or to be tried again."""
    async with database.reading() as session:
        backlog = await journal.backlog(session)
        queued = await waiting_cards(session)
        to_come = await timers.waiting(session)
    return not (backlog.waiting or queued or to_come) and await asyncio.to_thread(portal.wait_for_events, 0.1)


def _verdict(portal: SandboxPortal, lead_id: int) -> str:
    return _code(portal, LEAD, "UF_CRM_OGON_VERDICT", portal.item(LEAD, lead_id))


def _code(portal: SandboxPortal, kind: int, field: str, item: dict[str, Any]) -> str:
    """The code of an enumeration as the portal stores it: by number."""
    rows = portal.world.userfields.of(kind).values()
    codes = {str(one["ID"]): str(one["XML_ID"]) for row in rows if row["FIELD_NAME"] == field for one in row["LIST"]}
    return codes.get(str(item.get(field)), "")


async def _show(stage: Stage, arrivals: list[Arrival]) -> list[int]:
    """The result as a table; returns the leads that did not reach their final state."""
    _ = stage.text.gettext
    portal = stage.portal
    arrived = {a.lead_id for a in arrivals}
    made = [deal for deal in portal.items(DEAL) if deal["leadId"] in arrived]
    verdicts = Counter(_verdict(portal, a.lead_id) or "?" for a in arrivals)
    meant = Counter(a.sample.outcome for a in arrivals)
    grades = Counter(_code(portal, DEAL, "UF_CRM_OGON_GRADE", deal) or "?" for deal in made)
    unfinished = [a.lead_id for a in arrivals if not _is_final(portal, a, made)]

    table = Table(_("Leads by outcome"), _("leads"), _("as meant"))
    for outcome in (*_OUTCOMES, *(set(verdicts) - set(_OUTCOMES))):
        table.add_row(_(_OUTCOME_NAMES.get(outcome, outcome)), str(verdicts[outcome]), str(meant[outcome]))
    stage.out.print(table)
    table = Table(_("Deals by grade"), _("deals"))
    for grade in (*_GRADES, *(set(grades) - set(_GRADES))):
        table.add_row(grade if grade != "none" else _("no grade"), str(grades[grade]))
    declined = sum(deal["stageSemanticId"] == "F" for deal in made)
    table.add_row(_("of these declined: below the minimum"), str(declined))
    stage.out.print(table)
    stage.out.print(_costs(stage))
    if unfinished:
        listed = ", ".join(map(str, unfinished[:20]))
        stage.out.print(_("Not in their final state: leads {listed}").format(listed=listed), style="red")
    return unfinished


def _costs(stage: Stage) -> Table:
    _ = stage.text.gettext
    stats = stage.portal.stats
    commands = stats.commands
    table = Table(_("REST"), "")
    table.add_row(_("requests"), str(stats.requests))
    table.add_row(_("calls inside them"), str(sum(n for method, n in commands.items() if method != "batch")))
    table.add_row(_("refused by the portal: too fast"), str(stats.refused_503 + stats.refused_429))
    for method in ("crm.item.add", "crm.item.update", "crm.timeline.comment.add", "crm.activity.todo.add"):
        table.add_row(_("written: {method}").format(method=method), str(commands.get(method, 0)))
    table.add_row(_("webhooks delivered"), str(stats.events_sent))
    return table


def _is_final(portal: SandboxPortal, arrival: Arrival, deals: list[dict[str, Any]]) -> bool:
    """Whether the portal shows what the verdict promises, looked at from outside."""
    lead = portal.item(LEAD, arrival.lead_id)
    own = [deal for deal in deals if deal["leadId"] == arrival.lead_id]
    todos = [row for row in portal.activities(LEAD, arrival.lead_id) if row["COMPLETED"] == "N"]
    semantics = lead["stageSemanticId"]
    match _verdict(portal, arrival.lead_id):
        case "deal":
            return semantics == "S" and len(own) == 1 and bool(own[0].get("UF_CRM_OGON_GRADE")) and not todos
        case "company":
            return semantics == "S" and not own and bool(lead["companyId"]) and not todos
        case "junk":
            return semantics == "F" and not own and not todos
        case "review" | "needs_data":
            return semantics == "P" and not own and len(todos) == 1
        case _:
            return False
