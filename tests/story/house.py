"""The whole house for a story: emulated portal over HTTP, the web, the worker, a real PostgreSQL; and people in it."""

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import uvicorn
from pydantic import SecretStr
from sqlalchemy import text

from app.bitrix24.client import PortalClient
from app.domain.ruleset import DEFAULT, Ruleset
from app.main import create_app
from app.pipeline.provision import provision
from app.sandbox.dates import PortalTime
from app.sandbox.faults import Fault
from app.sandbox.limits import Limits
from app.sandbox.portal import SandboxPortal
from app.sandbox.server import RunningSandbox, serve_in_thread
from app.settings import Settings
from app.store import portals, rulesets
from app.store.database import Database
from app.store.rules_in_force import ensure_first_version
from app.store.ruleset_document import ruleset_to_document
from app.store.secret_box import secret_box
from app.worker import Rhythm, run_worker
from tests.story.office import COMPANY, CONTACT, DEAL, LEAD, Office

TOKEN = "story-admin-token"
NAMES = {LEAD: "LEAD", DEAL: "DEAL", CONTACT: "CONTACT", COMPANY: "COMPANY"}
QUICK = Rhythm(
    settle=0.1,
    dispatch=0.03,
    timers=0.1,
    contacts=0.1,
    reactions=0.1,
    recovery=0.5,
    sweep=0.5,
    heartbeat=0.3,
    stalled=3.0,
    grace=1.0,
    portals=0.2,
)

_BUSY = text("""
    SELECT (SELECT count(*) FROM journal WHERE dispatched_at IS NULL AND rejected IS NULL)
         + (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing'))
         + (SELECT count(*) FROM timers WHERE fired_at IS NULL AND due_at <= clock_timestamp())
""")


@dataclass
class Story(Office):
    """One portal and the service beside it, with what a test needs to play a person and to look."""

    database: Database
    settings: Settings
    portal_id: int
    http: httpx.AsyncClient
    ahead: timedelta = timedelta(0)
    _working: "asyncio.Task[None] | None" = field(default=None, repr=False)

    def now(self) -> datetime:
        """What time it is in the story."""
        return datetime.now(UTC) + self.ahead

    def skip(self, minutes: float) -> None:
        """That much time passes at once, for the portal and for the worker; the database's own clock stays."""
        self.ahead += timedelta(minutes=minutes)

    def start_worker(self, rhythm: Rhythm = QUICK) -> None:
        self._working = asyncio.create_task(run_worker(self.settings, self.database, rhythm=rhythm, clock=self.now))

    async def stop_worker(self) -> None:
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
            self._working = None

    async def restart_worker(self, rhythm: Rhythm = QUICK, **settings: Any) -> None:
        """The worker anew: without what it kept in memory, perhaps with other settings."""
        await self.stop_worker()
        self.settings = self.settings.model_copy(update=settings)
        self.start_worker(rhythm)

    async def publish(self, **changes: Any) -> Ruleset:
        """A new version of the rules, in force at once."""
        async with self.database.writing() as session:
            known = await rulesets.current(session, self.portal_id)
            assert known is not None
            ruleset = dataclasses.replace(DEFAULT, version=known.version + 1, **changes)
            await rulesets.publish(
                session,
                portal_id=self.portal_id,
                edited_version=known.version,
                document=ruleset_to_document(ruleset),
                author="a test",
                reason="a story",
            )
        await self.restart_worker()
        return ruleset

    # --- people

    def won_deal(self, company_id: int, closed: str) -> int:
        """A deal of the company that was won on the day `closed`, YYYY-MM-DD."""
        deal_id = self.add(DEAL, title="Поставка", companyId=company_id, begindate=closed, closedate=closed)
        self.edit(DEAL, deal_id, stageId="WON")
        return deal_id

    # --- waiting and looking

    async def settled(self) -> None:
        """Until no event, hint, due timer or job is left. Timers that are not due yet are not waited for."""
        await self.until(self.quiet)

    async def quiet(self) -> bool:
        """Nothing is under way: no event, hint, due timer or job."""
        # A job raises events before it ends, and an event is out only when it stands in the journal. So with no
        # event under way before and after one look at journal and jobs, there is nothing anywhere.
        raised = self.portal.world.outbox.counts.raised
        if not await asyncio.to_thread(self.portal.wait_for_events, 0.05):
            return False
        async with self.database.reading() as session:
            busy = (await session.execute(_BUSY)).scalar_one()
        return not busy and raised == self.portal.world.outbox.counts.raised

    async def until(self, true: Callable[[], Awaitable[bool]]) -> None:
        """Wait for something that is seen only by looking. Raises TimeoutError after three minutes."""
        async with asyncio.timeout(180):
            while True:
                if await true():
                    return
                await asyncio.sleep(0.03)

    async def time_passes(self) -> None:
        """All timers are due now: what is to be tried again later is tried again."""
        async with self.database.writing() as session:
            await session.execute(text("UPDATE timers SET due_at = clock_timestamp() WHERE fired_at IS NULL"))

    async def told(self, kind: str, card_id: int, **query: Any) -> dict[str, Any]:
        """The card's story as the API tells it."""
        answer = await self.http.get(f"/api/v1/cards/{kind}/{card_id}", headers=_BEARER, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def portal_told(self) -> dict[str, Any]:
        """The portal as the API tells it."""
        answer = await self.http.get("/api/v1/portals", headers=_BEARER)
        return next(one for one in answer.json() if one["id"] == self.portal_id)

    async def replay(self, kind: str, card_id: int) -> None:
        answer = await self.http.post(f"/api/v1/cards/{kind}/{card_id}/replay", headers=_BEARER)
        assert answer.status_code == 202, answer.text

    async def deliver(self, kind: int, item_id: int, change: str = "UPDATE", **auth: str) -> int:
        """A webhook of the portal, as if the portal had sent it; the status it is answered with."""
        claims = {"member_id": self.portal.member_id, "application_token": self.portal.application_token, **auth}
        body = {"event": f"ONCRM{NAMES[kind]}{change}", "data[FIELDS][ID]": str(item_id)}
        body |= {f"auth[{name}]": value for name, value in claims.items()}
        return (await self.http.post("/webhooks/bitrix24", data=body)).status_code

    def snapshot(self) -> str:
        """Everything the portal holds, as one text to compare."""
        items = {kind: self.portal.items(kind) for kind in NAMES}
        return json.dumps(
            {
                "items": items,
                "comments": {k: [self.portal.comments(k, i["id"]) for i in rows] for k, rows in items.items()},
                "activities": {k: [self.portal.activities(k, i["id"]) for i in rows] for k, rows in items.items()},
                "rows": {k: [self.portal.rows(k, i["id"]) for i in items[k]] for k in (LEAD, DEAL)},
            },
            default=str,
            sort_keys=True,
        )

    # --- misfortune

    def fault(self, kind: Any, method: str | None = None, times: int | None = 1, **more: Any) -> None:
        self.portal.faults.append(Fault(kind, method, times=times, **more))

    @contextlib.contextmanager
    def revoked_webhook(self) -> Iterator[None]:
        """The portal knows another secret while the block runs."""
        secret, self.portal.rest.secret = self.portal.rest.secret, "another secret"
        try:
            yield
        finally:
            self.portal.rest.secret = secret


_BEARER = {"Authorization": f"Bearer {TOKEN}"}


@contextlib.asynccontextmanager
async def portal_with_fields(seed: int = 1) -> AsyncIterator[RunningSandbox]:
    """A portal over HTTP that has our custom fields."""
    portal = SandboxPortal(limits=Limits(enforced=False, cost=0.001), seed=seed)
    with serve_in_thread(portal) as served:
        async with PortalClient(served.webhook_url, requests_per_second=50, burst=1000) as client:
            await provision(client, lambda _: None)
        yield served


@contextlib.asynccontextmanager
async def renamed_to(webhook: str) -> AsyncIterator[str]:
    """An address that sends whoever calls on to `webhook`, as that of a renamed portal; the webhook's old URL."""

    async def send_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method = head[0].split()[1].rpartition("/")[2]
            page = (
                f"HTTP/1.1 302 Found\r\nLocation: {webhook}{method}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            writer.write(page.encode())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(send_on, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield urlsplit(webhook)._replace(netloc=f"127.0.0.1:{port}").geturl()


def ready_for(served: RunningSandbox, settings: Settings, **more: Any) -> Settings:
    """Settings for a service of this portal."""
    return settings.model_copy(
        update={
            "bitrix24_webhook_url": SecretStr(served.webhook_url),
            "bitrix24_application_token": (SecretStr(served.portal.application_token),),
            "bitrix24_requests_per_second": 50.0,
            "bitrix24_burst": 1000,
            "admin_token": SecretStr(TOKEN),
            "secret_key": SecretStr("a key for stories only, nothing else"),
            "sweep_every": 0,
            # Heads get theirs by the time of day; stories are told at any.
            "digest_at": None,
            **more,
        }
    )


async def settled_in(database: Database, settings: Settings) -> int:
    """The portal with its first rules; our number of it."""
    async with database.writing() as session:
        known = await portals.ensure_env_portal(session, secret_box(settings), settings)
        assert known is not None
        await ensure_first_version(session, known.id)
    return known.id


@contextlib.asynccontextmanager
async def told_story(settings: Settings, database: Database) -> AsyncIterator[Story]:
    """A portal, the web and a worker, all connected."""
    async with portal_with_fields() as served:
        ready = ready_for(served, settings)
        portal_id = await settled_in(database, ready)
        async with (
            serving(ready, database) as address,
            httpx.AsyncClient(base_url=address, verify=False) as http,
        ):
            served.portal.subscribe(f"{address}/webhooks/bitrix24")
            story = Story(served.portal, database, ready, portal_id, http)
            served.portal.world.time = PortalTime(story.now, timedelta(hours=3))
            story.start_worker()
            try:
                yield story
            finally:
                await story.stop_worker()


@contextlib.asynccontextmanager
async def serving(settings: Settings, database: Database) -> AsyncIterator[str]:
    """The web on a free loopback port."""
    config = uvicorn.Config(create_app(settings, database), port=0, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
        assert not running.done(), running
    (listening,) = server.servers[0].sockets[:1]
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await running
