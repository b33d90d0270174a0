"""The whole API asked by schemathesis, as its OpenAPI document says and otherwise, in a bounded time.

Not among the tests of `make test`: it has a target of its own, `make api-check`. The app is the real one, over HTTP
and on PostgreSQL, with cards, deals, rules and rejected deliveries recorded, and the token of an administrator.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from web_cards import judged_lead

from app.domain.snapshot import Entity, PortalDictionary, Stage
from app.logs import configure_logs
from app.store import dictionary, journal
from app.store.database import Database
from app.store.dictionary_document import to_json
from app.store.portals import Portal
from app.store.rules_in_force import ensure_first_version
from tests.reports.recorded import BASE, Deal, Look, record

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

SECONDS = os.environ.get("API_CHECK_SECONDS", "40")
# The same questions each time, so that only a change of ours makes the answer another.
SEED = os.environ.get("API_CHECK_SEED", "1")
CONFIG = Path(__file__).with_name("schemathesis.toml")
ADMIN = "admin-token-of-the-tests"
DICTIONARY = PortalDictionary(
    integration_user_id=1,
    zone=UTC,
    stages=(
        Stage(Entity.DEAL, 0, "NEW", "Новая", 10, "process"),
        Stage(Entity.DEAL, 0, "WON", "Выиграна", 20, "success"),
        Stage(Entity.LEAD, 0, "NEW", "Новый", 10, "process"),
    ),
    industries={"MANUFACTURING": "Производство"},
)


class FromEverywhere:
    """Each request comes from another address: those with wrong tokens must not make the others wait."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._numbers = count(1)

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "http":
            number = next(self._numbers)
            scope["client"] = (f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 1)
        await self._app(scope, receive, send)


@pytest.fixture
async def recorded(database: Database, portal: Portal) -> None:
    for number in range(1, 6):
        await judged_lead(database, portal.id, number)
    deals = [
        Deal(
            id=number,
            looks=[Look(BASE + timedelta(hours=number), Decimal(900 * number), exemption="trial")],
            stage="WON" if number % 2 else "NEW",
            company=number % 3 + 1,
            close_date="2026-03-05",
            facts={"industry": "MANUFACTURING", "amount": Decimal(1000)},
        )
        for number in range(1, 8)
    ]
    async with database.writing() as session:
        await ensure_first_version(session, portal.id)
        await dictionary.save(session, portal_id=portal.id, document=to_json(DICTIONARY), read_at=BASE)
        await record(session, portal.id, deals)
        entry = journal.NewEntry(source="webhook", event="ONCRMLEADADD", portal_id=portal.id, rejected="unknown event")
        await journal.append(session, [entry])


@pytest.fixture
async def address(app: FastAPI, recorded: None) -> AsyncIterator[str]:
    configure_logs("json")
    config = uvicorn.Config(FromEverywhere(app), port=0, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
        assert not running.done(), running
    (listening,) = server.servers[0].sockets[:1]
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await running


async def test_the_api_is_as_its_document_says(address: str, tmp_path: Path) -> None:
    schemathesis = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("--config-file", CONFIG, "run", f"{address}/openapi.json", "--no-color", "--continue-on-failure"),
        *("--header", f"Authorization: Bearer {ADMIN}", "--max-time", SECONDS, "--seed", SEED),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await schemathesis.communicate()
    if schemathesis.returncode != 0:
        pytest.fail(said.decode(), pytrace=False)
