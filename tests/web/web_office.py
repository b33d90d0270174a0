"""The service with an office in it, served in a thread, for tests with a real browser: one filled portal, one empty."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import uvicorn
from pydantic import SecretStr
from sqlalchemy import insert, update
from web_cards import HOSTILE, judged_lead
from web_delivery import DOMAIN, MEMBER, TOKEN

from app.domain.messages import message
from app.domain.replay import Change, Tally
from app.domain.ruleset import DEFAULT
from app.domain.team import Person, Team
from app.main import create_app
from app.reports.report import Chart, Column, Coverage, FoundCard, FoundCards, Report, Row, Table, Told
from app.settings import Settings
from app.store import journal, people, portals, replays, rulesets, sweeps
from app.store.database import Database, connected
from app.store.journal import NewEntry
from app.store.models import ReactionRow, ReplayRow, SecondLookRow, SecondLookWeekRow
from app.store.ruleset_document import ruleset_to_document
from app.store.secret_box import secret_box

FILLED, EMPTY = 1, 2
WEEK = date(2026, 11, 16)


@dataclass(frozen=True, slots=True)
class Office:
    """Where the service answers."""

    address: str


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextlib.contextmanager
def open_office(conninfo: str, settings: Settings) -> Iterator[Office]:
    """The service on a migrated, empty database, until the block ends."""
    ready = threading.Event()
    servers: list[_Server] = []

    async def serve() -> None:
        try:
            async with connected(conninfo, pool_size=5) as database:
                await furnish(database, settings)
                app = create_app(settings, database)
                servers.append(_Server(uvicorn.Config(app, port=0, log_level="error", access_log=False), ready))
                await servers[0].serve()
        finally:
            ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(60)
        yield Office(f"http://127.0.0.1:{servers[0].servers[0].sockets[0].getsockname()[1]}")
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(30)


async def furnish(database: Database, settings: Settings) -> None:
    """Two portals; in the first, something of everything that pages show."""
    now = datetime.now(UTC)
    async with database.writing() as session:
        for domain, member in ((DOMAIN, MEMBER), ("empty.example", "f" * 32)):
            webhook = SecretStr(f"https://{domain}/rest/1/webhookcode{len(member)}/")
            await portals.add(
                session,
                secret_box(settings),
                webhook=webhook,
                application_tokens=[SecretStr(TOKEN + domain)],
                member_id=member,
            )
        await portals.learned(session, FILLED, time_zone="+0300")
        await portals.set_trouble(session, FILLED, "The plan ended [PAYMENT_REQUIRED]", now=now)
        team = {21: Person(user_id=21, name="Анна Смирнова")}
        await people.keep(session, FILLED, Team(people=team), read_at=now)
        await sweeps.begin(session, FILLED, now=now)
        await sweeps.complete(session, FILLED, now=now, gap_id=0)
        await journal.append(session, [NewEntry(source="webhook", event="ONTASKADD", rejected="Unknown event")])
        for version, reason in ((0, "первая"), (1, "вторая")):
            document = ruleset_to_document(DEFAULT) | {"urgency_days": 30 + version}
            await rulesets.publish(
                session, portal_id=FILLED, edited_version=version, document=document, author="Анна", reason=reason
            )
    await judged_lead(database, FILLED, 7, title=HOSTILE, assigned_by_id=21, judged_at=now)
    await judged_lead(database, FILLED, 8, title="Котельная " * 12, outcome="review", judged_at=now)
    await judged_lead(database, FILLED, 9, title="Горелка", outcome="deal", state="final", judged_at=now)
    await judged_lead(
        database,
        FILLED,
        10,
        title="Насос",
        state="parked",
        parked_reason="Поле обязательно: " + "Я" * 90,
        judged_at=now,
    )
    run = await judged_lead(database, FILLED, 11, title="Ветошь", outcome="junk", state="final", judged_at=now)
    await waited_for(database, now)
    await second_look(database, run)
    await replayed(database, now)


async def waited_for(database: Database, now: datetime) -> None:
    """One client waits in time, one for too long."""
    round_ = {
        "portal_id": FILLED,
        "entity_type_id": 1,
        "arrived_at": now - timedelta(hours=1),
        "made_from_call": False,
        "running": True,
        "target": "hot",
        "minutes": 15,
        "met": "unknown",
        "missing": [],
        "doubtful": [],
        "computed_at": now,
    }
    late = {"state": "missed", "holder": 21, "due_at": now - timedelta(minutes=45), "breached_at": now}
    async with database.writing() as session:
        await session.execute(insert(ReactionRow).values({**round_, **late, "card_id": 7}))
        values = {"card_id": 404, "state": "waiting", "due_at": now + timedelta(hours=9)}
        await session.execute(insert(ReactionRow).values({**round_, **values}))


async def second_look(database: Database, run: int) -> None:
    """One rejected lead was drawn."""
    week = {"portal_id": FILLED, "week": WEEK, "seed": 1, "size": 1, "population": {"junk": 1}}
    look = {"portal_id": FILLED, "week": WEEK, "card_id": 11, "outcome": "junk", "run_id": run, "facts_digest": "x"}
    async with database.writing() as session:
        await session.execute(insert(SecondLookWeekRow).values(week | {"drawn_at": datetime.now(UTC)}))
        await session.execute(insert(SecondLookRow).values(look))


async def replayed(database: Database, now: datetime) -> None:
    """One replay is done, one waits."""
    tally = Tally()
    for before, after, cards in (("review", "review", 60), ("review", "junk", 40), ("deal", "junk", 1)):
        tally.cells[Change(1, before, after)] = cards
    tally.cells[Change(2, "AAA", "BBB_declined")] = 3
    async with database.writing() as session:
        for state in ("done", "waiting"):
            asked = await replays.ask(
                session,
                portal_id=FILLED,
                draft=ruleset_to_document(DEFAULT),
                since=now - timedelta(days=30),
                until=now,
                by="Анна",
            )
            if state == "done":
                values: dict[str, Any] = {"state": state, "tally": tally.to_json(), "total": 104, "looked": 104}
                await session.execute(update(ReplayRow).where(ReplayRow.id == asked.id).values(values))


async def _tell(_session: Any, scope: Any) -> Told:
    if scope.portal_id == EMPTY:
        return Told(())
    columns = (
        Column("leads", message("Leads"), cards=True),
        Column("deals", message("Deals"), note=message("Deals made.")),
        Column("money", message("Amount"), "money"),
    )
    rows = tuple(
        Row(str(at), f"Источник {at}", {"leads": 40 - at, "deals": at, "money": Decimal(10**9 * at)}) for at in range(8)
    )
    charts = {
        "bars": ("leads", "money"),
        "stacked": ("leads", "deals"),
        "funnel": ("leads",),
        "line": ("leads", "deals"),
    }
    tables = tuple(
        Table(kind, message("Leads"), message("Source"), columns, rows, totals=rows[0], chart=Chart(kind, names))  # type: ignore[arg-type]
        for kind, names in charts.items()
    )
    return Told(tables, (Coverage(message("Source"), 2, 3),), (message("Data needed"),))


async def _open(*_asked: Any) -> FoundCards:
    return FoundCards((FoundCard(1, 7, "Котёл", 21, Decimal(1000), date(2026, 11, 20)),), 1)


SAMPLE = Report(name="sample", title=message("Leads"), definition=message("Deals made."), tell=_tell, open=_open)
"""A report with every kind of chart."""
