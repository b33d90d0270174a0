"""The whole house for a story: emulated portal over HTTP, the web, the worker, a real PostgreSQL."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn
from pydantic import SecretStr

from app.bitrix24.client import PortalClient
from app.main import create_app
from app.pipeline.provision import provision
from app.sandbox.limits import Limits
from app.sandbox.portal import SandboxPortal
from app.sandbox.samples import translated
from app.sandbox.server import serve_in_thread
from app.settings import Settings
from app.store import journal, portals
from app.store.database import Database
from app.store.queue import waiting_cards
from app.store.rules_in_force import ensure_first_version
from app.store.secret_box import secret_box
from app.worker import run_worker

LEAD, DEAL, CONTACT, COMPANY = 1, 2, 3, 4
TOKEN = "story-admin-token"


@dataclass
class Story:
    """One portal and the service beside it, with what a test needs to play a person and to look."""

    portal: SandboxPortal
    database: Database
    settings: Settings
    address: str
    http: httpx.AsyncClient
    _working: "asyncio.Task[None] | None" = field(default=None, repr=False)

    def start_worker(self) -> None:
        self._working = asyncio.create_task(run_worker(self.settings, self.database))

    async def stop_worker(self) -> None:
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
            self._working = None

    # --- people

    def add(self, kind: int, user_id: int = 12, **fields: Any) -> int:
        return self.portal.ui_add(kind, translated(self.portal, kind, fields), user_id)

    def edit(self, kind: int, item_id: int, user_id: int = 12, **fields: Any) -> bool:
        return self.portal.ui_update(kind, item_id, translated(self.portal, kind, fields), user_id)

    # --- waiting and looking

    async def settled(self, timeout: float = 60.0) -> None:
        """Until no event, hint or job is under way, several looks in a row."""
        quiet = 0
        async with asyncio.timeout(timeout):
            while quiet < 3:
                await asyncio.sleep(0.15)
                async with self.database.reading() as session:
                    busy = (await journal.backlog(session)).waiting or await waiting_cards(session)
                events_out = await asyncio.to_thread(self.portal.wait_for_events, 0.05)
                quiet = quiet + 1 if events_out and not busy else 0

    def lead(self, lead_id: int) -> dict[str, Any]:
        return self.portal.item(LEAD, lead_id)

    def deal_of(self, lead_id: int) -> dict[str, Any]:
        (deal,) = self.deals_of(lead_id)
        return deal

    def deals_of(self, lead_id: int) -> list[dict[str, Any]]:
        return [deal for deal in self.portal.items(DEAL) if deal["leadId"] == lead_id]

    def code(self, kind: int, item_id: int, name: str) -> str | None:
        """An enumeration of a card by XML_ID."""
        value = str(self.portal.item(kind, item_id).get(name))
        rows = self.portal.world.userfields.of(kind).values()
        codes = {str(o["ID"]): o["XML_ID"] for row in rows if row["FIELD_NAME"] == name for o in row["LIST"]}
        return codes.get(value)

    def verdict(self, lead_id: int) -> str | None:
        return self.code(LEAD, lead_id, "UF_CRM_OGON_VERDICT")

    def grade(self, deal_id: int) -> str | None:
        return self.code(DEAL, deal_id, "UF_CRM_OGON_GRADE")

    def open_todos(self, kind: int, item_id: int) -> list[dict[str, Any]]:
        return [row for row in self.portal.activities(kind, item_id) if row["COMPLETED"] == "N"]

    async def told(self, kind: str, card_id: int) -> dict[str, Any]:
        """The card's story as the API tells it."""
        answer = await self.http.get(f"/api/v1/cards/{kind}/{card_id}", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def snapshot(self) -> str:
        """Everything the portal holds, as one text to compare."""
        return json.dumps(
            {
                "items": {kind: self.portal.items(kind) for kind in (LEAD, DEAL, CONTACT, COMPANY)},
                "comments": {kind: [self.portal.comments(kind, i["id"]) for i in self.portal.items(kind)] for kind in (1, 2)},
                "todos": {kind: [self.portal.activities(kind, i["id"]) for i in self.portal.items(kind)] for kind in (1, 2)},
                "rows": {kind: [self.portal.rows(kind, i["id"]) for i in self.portal.items(kind)] for kind in (1, 2)},
            },
            default=str,
            sort_keys=True,
        )


@contextlib.asynccontextmanager
async def serving(settings: Settings, database: Database) -> AsyncIterator[str]:
    """The web on a free loopback port."""
    config = uvicorn.Config(create_app(settings, database), port=0, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[method-assign]
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
        assert not running.done(), running
    (listening,) = server.servers[0].sockets[:1]
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await running


@pytest.fixture
def portal_limits() -> Limits:
    return Limits(enforced=False)


@pytest.fixture
async def story(settings: Settings, database: Database, portal_limits: Limits) -> AsyncIterator[Story]:
    portal = SandboxPortal(limits=portal_limits)
    with serve_in_thread(portal) as served:
        ready = settings.model_copy(
            update={
                "bitrix24_webhook_url": SecretStr(served.webhook_url),
                "bitrix24_application_token": (SecretStr(portal.application_token),),
                "bitrix24_requests_per_second": 50.0,
                "bitrix24_burst": 1000,
                "admin_token": SecretStr(TOKEN),
                "secret_key": SecretStr("a key for stories only, nothing else"),
            }
        )
        async with PortalClient(served.webhook_url) as client:
            await provision(client, lambda _: None)
        async with database.writing() as session:
            known = await portals.ensure_env_portal(session, secret_box(ready), ready)
            assert known is not None
            await ensure_first_version(session, known.id)
        async with (
            serving(ready, database) as address,
            httpx.AsyncClient(base_url=address) as http,
        ):
            portal.subscribe(f"{address}/webhooks/bitrix24")
            told = Story(portal, database, ready, address, http)
            told.start_worker()
            yield told
            await told.stop_worker()
