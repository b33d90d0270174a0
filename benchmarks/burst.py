"""A thousand new leads at once, through the whole service, against the emulated portal with its real limits.

The limit we compare with is arithmetic: the least number of REST requests that the calls of this very run could have
travelled in, 50 to a batch, single cards read 50 to a page. Prints the ratio and whether the portal had to refuse.

    make bench-burst            1,000 leads
    make bench-burst ARGS="--leads 200"
"""

import argparse
import asyncio
import json
import math
import secrets
import socket
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
from pydantic import SecretStr
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import text

from app.demo import is_quiet, service_process, until_ready
from app.pipeline.connections import Connections
from app.pipeline.provision import provision
from app.sandbox.limits import Limits
from app.sandbox.portal import PortalStats, SandboxPortal
from app.sandbox.samples import generate_leads, place_lead, seed_basic
from app.sandbox.server import serve_in_thread
from app.serve import prepared_database
from app.settings import Settings, load_settings
from app.store.database import Database
from app.store.secret_box import secret_box

BAR = 1.3
_JUDGED = "SELECT count(*) FROM cards WHERE entity_type_id = 1 AND judged_at IS NOT NULL"
RESULTS = Path(__file__).parent / "results" / "burst.json"
_PATIENCE_SECONDS = 900
out = Console()


async def measure(leads: int) -> int:
    portal = SandboxPortal(limits=Limits())
    seed_basic(portal, fields=False)
    with serve_in_thread(portal) as served, tempfile.TemporaryDirectory(prefix="ogon-burst-") as directory:
        settings = load_settings(
            _env_file=None,
            data_dir=Path(directory) / "data",
            port=_free_port(),
            bitrix24_webhook_url=SecretStr(served.webhook_url),
            bitrix24_application_token=(SecretStr(portal.application_token),),
            admin_token=SecretStr(secrets.token_urlsafe(16)),
            secret_key=SecretStr(secrets.token_urlsafe(24)),
        )
        settings.data_dir.mkdir(parents=True)
        async with prepared_database(settings) as database:
            await _set_up(settings, database)
            with service_process(settings) as service:
                address = f"http://{settings.host}:{settings.port}"
                await until_ready(address, service)
                # The bucket must be as empty as after a quiet night.
                await asyncio.sleep(20)
                ids = [place_lead(portal, sample) for sample in generate_leads(portal, leads)]
                portal.reset_stats()
                portal.subscribe(f"{address}/webhooks/bitrix24")
                started = time.monotonic()
                await _announce(portal, f"{address}/webhooks/bitrix24", ids)
                await _judged(portal, database, leads)
                return await _report(portal.stats, database, leads, time.monotonic() - started)


async def _announce(portal: SandboxPortal, address: str, ids: list[int]) -> None:
    """All leads at once, as after an import or a fair: one webhook each, sixteen on the way at a time."""
    turns = asyncio.Semaphore(16)

    async def tell(client: httpx.AsyncClient, lead_id: int) -> None:
        said = {
            "event": "ONCRMLEADADD",
            "data[FIELDS][ID]": str(lead_id),
            "auth[member_id]": portal.member_id,
            "auth[application_token]": portal.application_token,
        }
        async with turns:
            (await client.post(address, data=said)).raise_for_status()

    async with httpx.AsyncClient(timeout=30) as client:
        await asyncio.gather(*(tell(client, lead_id) for lead_id in ids))


async def _set_up(settings: Settings, database: Database) -> None:
    async with Connections(database, secret_box(settings), clock=lambda: datetime.now(UTC)) as connections:
        await provision((await connections.only()).client, lambda _: None)


async def _judged(portal: SandboxPortal, database: Database, leads: int) -> None:
    quiet, deadline = 0, time.monotonic() + _PATIENCE_SECONDS
    with Progress(console=out) as progress:
        task = progress.add_task("leads judged", total=leads)
        while quiet < 4 and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            quiet = quiet + 1 if await is_quiet(database, portal) else 0
            progress.update(task, completed=await _count(database, _JUDGED))


async def _report(stats: PortalStats, database: Database, leads: int, seconds: float) -> int:
    runs = await _count(database, "SELECT count(*) FROM runs")
    unjudged = leads - await _count(database, _JUDGED)
    calls = {method: count for method, count in stats.commands.items() if method != "batch"}
    least = math.ceil(sum(calls.values()) / 50)
    ratio = stats.requests / least
    refused = stats.refused_503
    table = Table("burst of new leads", "")
    for name, value in (
        ("leads", leads),
        ("not judged", unjudged),
        ("runs", runs),
        ("seconds", f"{seconds:.1f}"),
        ("calls", sum(calls.values())),
        ("least requests: calls / 50", least),
        ("requests", stats.requests),
        (f"ratio (bar {BAR})", f"{ratio:.2f}"),
        ("QUERY_LIMIT_EXCEEDED", refused),
        ("OPERATION_TIME_LIMIT", stats.refused_429),
    ):
        table.add_row(name, str(value))
    for method, count in sorted(calls.items(), key=lambda item: -item[1]):
        table.add_row(f"  {method}", str(count))
    out.print(table)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps(
            {
                "leads": leads,
                "requests": stats.requests,
                "least": least,
                "ratio": ratio,
                "calls": calls,
                "seconds": seconds,
                "refused": refused,
            }
        )
    )
    return 0 if ratio <= BAR and not refused and not unjudged else 1


async def _count(database: Database, query: str) -> int:
    async with database.reading() as session:
        return int((await session.execute(text(query))).scalar_one())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--leads", type=int, default=1000)
    sys.exit(asyncio.run(measure(arguments.parse_args().leads)))
