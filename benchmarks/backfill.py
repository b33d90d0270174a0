"""A portal's past read into our tables: `make bench-backfill`.

An emulated portal with its real limits, in a process of its own, holds so many activities, every fifth a call with
its row of statistics. `app.pipeline.backfill` reads all of it into a real PostgreSQL (an embedded one). Beside it the
least requests there could be: full pages of 50 rows, 50 pages to a batch. Exit code 1 when it takes more than 1.2
times that and a handful of beginnings, when a row is missing, when the portal had to refuse, or when memory grows
after the first fifth.

    make bench-backfill
    make bench-backfill ARGS="--activities 1000000"
"""

import argparse
import asyncio
import contextlib
import json
import math
import resource
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import text

from app.bitrix24.client import PortalClient
from app.pipeline.backfill import Filling, backfill
from app.pipeline.sweep_round import Found
from app.sandbox.portal import SandboxPortal
from app.sandbox.schema import LEAD
from app.sandbox.server import serve_in_thread
from app.settings import load_settings
from app.store import portals
from app.store.database import Database, open_database
from app.store.migrate import migrate
from app.store.secret_box import SecretBox

BAR = 1.2
BEGINNINGS = 10
"""Requests in which six lists are asked for both their ends, alone or together, and the last ones go out half full."""
GROWTH = 1.25
CALL_EVERY = 5
RESULTS = Path(__file__).parent / "results" / "backfill.json"
_LONGEST_LINE = 1_000_000
out = Console()


async def measure(activities: int) -> int:
    with tempfile.TemporaryDirectory(prefix="ogon-backfill-") as directory:
        settings = load_settings(_env_file=None, data_dir=Path(directory) / "data")
        settings.data_dir.mkdir(parents=True)
        async with open_database(settings) as database, _portal(activities) as portal:
            await migrate(database)
            webhook_url = json.loads(await _line(portal))
            return await _fill(database, portal, webhook_url, activities)


async def _fill(database: Database, portal: asyncio.subprocess.Process, webhook_url: str, activities: int) -> int:
    async with database.writing() as session:
        box = SecretBox(SecretStr("a key for a benchmark, long enough"))
        known = await portals.add(session, box, webhook=SecretStr(webhook_url))
    memory = [_peak_megabytes()]
    with Progress(console=out, transient=True) as progress:
        task = progress.add_task("activities", total=activities)

        def watch(found: Found) -> None:
            if found.source == "activity.new":
                progress.update(task, completed=found.seen)
                if found.seen >= activities / 5 and len(memory) == 1:
                    memory.append(_peak_megabytes())

        async with PortalClient(webhook_url) as client:
            since = datetime.now(UTC) - timedelta(days=1)
            started = time.monotonic()
            found = await backfill(Filling(known.id, client, database, since, lambda: datetime.now(UTC), watch))
            seconds = time.monotonic() - started
    memory.append(_peak_megabytes())
    stats = await _stats(portal)
    async with database.reading() as session:
        kept = await session.scalar(text("SELECT count(*) FROM activities"))
        calls = await session.scalar(text("SELECT count(*) FROM activities WHERE talk_seconds IS NOT NULL"))
    whole = (kept, calls) == (activities, _calls(activities)) and not any(one.error for one in found)
    return _report(activities, stats, memory, seconds, whole=whole)


def _report(activities: int, stats: dict[str, Any], memory: list[float], seconds: float, *, whole: bool) -> int:
    pages = math.ceil(activities / 50) + math.ceil(_calls(activities) / 50)
    least = math.ceil(pages / 50)
    refused = stats["refused_503"] + stats["refused_429"]
    start, fifth, end = memory
    table = Table("backfill", "")
    for name, value in (
        ("activities", f"{activities:,}"),
        ("calls", f"{_calls(activities):,}"),
        ("every row kept", "yes" if whole else "no"),
        ("seconds", f"{seconds:.1f}"),
        ("activities a second", f"{activities / seconds:,.0f}"),
        ("requests", str(stats["requests"])),
        ("least: full pages, 50 to a batch", str(least)),
        (f"ratio (bar {BAR} and {BEGINNINGS})", f"{stats['requests'] / least:.2f}"),
        ("refused by the portal", str(refused)),
        ("peak memory at start, after a fifth, at end, MB", f"{start:.0f}, {fifth:.0f}, {end:.0f}"),
    ):
        table.add_row(name, value)
    out.print(table)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps(
            {
                "activities": activities,
                "seconds": seconds,
                "requests": stats["requests"],
                "least": least,
                "refused": refused,
                "memory": memory,
                "whole": whole,
            }
        )
    )
    few = stats["requests"] <= least * BAR + BEGINNINGS
    return 0 if whole and few and not refused and end <= fifth * GROWTH else 1


def _calls(activities: int) -> int:
    return math.ceil(activities / CALL_EVERY)


def _peak_megabytes() -> float:
    """The most this process ever held; macOS counts in bytes, others in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


@contextlib.asynccontextmanager
async def _portal(activities: int) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.backfill", "--serve", "--activities", str(activities),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LONGEST_LINE,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"the portal's process ended with {await process.wait()}")
    return line


async def _stats(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdin is not None
    process.stdin.write(b"stats\n")
    return json.loads(await _line(process))


def _serve(activities: int) -> None:
    """The portal's process: prints its address, then its counts for each line it is sent."""
    portal = SandboxPortal()
    lead = portal.ui_add(LEAD, {"title": "Busy"})
    call = portal.ui_call(LEAD, lead, seconds=60)
    letter = portal.ui_add_activity(LEAD, lead, {"TYPE_ID": 4, "DIRECTION": 2, "COMPLETED": "Y"})
    stored, spoken = portal.world.activities, portal.world.calls[0]
    letters, calls = stored.rows[letter], stored.rows[call]
    # Two are there; call, then four letters, as they came.
    for number in range(2, activities):
        if number % CALL_EVERY:
            stored.put(letters)
        else:
            made = stored.put(calls)
            more = {"ID": str(len(portal.world.calls) + 1), "CRM_ACTIVITY_ID": str(made)}
            portal.world.calls.append(spoken | more)
    with serve_in_thread(portal) as served:
        print(json.dumps(served.webhook_url), flush=True)
        for _ in sys.stdin:
            counted = portal.stats
            told = {name: getattr(counted, name) for name in ("requests", "refused_503", "refused_429")}
            print(json.dumps(told), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--activities", type=int, default=100_000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _serve(options.activities)
        return 0
    return asyncio.run(measure(options.activities))


if __name__ == "__main__":
    sys.exit(main())
