"""Every report on a million leads, 300,000 deals, five million stage moves and activities: `make bench-reports`.

Loads three years of a busy portal with COPY into a real PostgreSQL (an embedded one), then asks each report for the
period that it takes when nobody says one, five times, each time on a new connection. First at a tenth of the size,
then at the full one: time must not grow faster than the data. Exit code 1 when a report's median is over the bar, or
grows more than linearly.

    make bench-reports
    make bench-reports ARGS="--leads 20000 --no-growth"     a bounded form, for CI
    make bench-reports ARGS="--days 365"                    over a year instead of each report's own period
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import text

from app.reports import REPORTS
from app.reports.report import Number, Report
from app.reports.scope import Filter, scope_of
from app.settings import load_settings
from app.store import dictionary, portals, today
from app.store.database import Database, connected, open_database
from app.store.migrate import migrate
from app.store.secret_box import SecretBox
from benchmarks.report_data import NOW, Spread, dictionary_document, follow, load, settle

LEADS = 1_000_000
BAR_SECONDS = 1.0
TODAY_BAR_SECONDS = 0.2
ROUNDS = 5
RESULTS = Path(__file__).parent / "results" / "reports.json"
out = Console()


@dataclass(frozen=True, slots=True)
class Measured:
    """How long one question took: each round, and how many rows came."""

    rounds: tuple[float, ...]
    rows: int

    @property
    def seconds(self) -> float:
        return median(self.rounds)


async def measure(options: argparse.Namespace) -> int:
    busy = os.getloadavg()[0]
    sizes = [options.leads] if options.no_growth else [options.leads // 10, options.leads]
    found = [await _at(Spread(size), options) for size in sizes]
    return _told(sizes, found, options, busy)


async def _at(spread: Spread, options: argparse.Namespace) -> Mapping[str, Measured]:
    """All reports on a portal of this size, in a database of its own that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ogon-reports-") as directory:
        settings = load_settings(_env_file=None, data_dir=Path(directory) / "data")
        settings.data_dir.mkdir(parents=True)
        async with open_database(settings) as database:
            await migrate(database)
            portal_id = await _portal(database)
            started = time.perf_counter()
            with Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=out
            ) as watch:
                conninfo = database.conninfo.get_secret_value()
                await asyncio.to_thread(load, conninfo, portal_id, spread, watch)
                await follow(database, portal_id, spread, watch)
                await settle(database)
            out.print(f"{spread.leads:,} leads loaded in {time.perf_counter() - started:.0f} s")
            found = {name: await _ask(database, portal_id, one, options) for name, one in REPORTS.items()}
            found["cards behind a number"] = await _rounds(database, lambda asked: _open(asked, portal_id))
            found["today"] = await _rounds(database, lambda asked: _today(asked, portal_id))
    return found


async def _portal(database: Database) -> int:
    async with database.writing() as session:
        portal = await portals.add(
            session,
            SecretBox(SecretStr("a key for a benchmark, long enough")),
            webhook=SecretStr("https://bench.example/rest/7/benchmark0001/"),
            application_tokens=[SecretStr("application-token")],
        )
        await dictionary.save(session, portal_id=portal.id, document=dictionary_document(), read_at=NOW)
        await session.execute(
            text("INSERT INTO sweeps (portal_id, started_at, utc_offset) VALUES (:id, now(), 10800)"),
            {"id": portal.id},
        )
    return portal.id


def _period(days: int) -> Filter:
    last = (NOW + timedelta(hours=3)).date()
    return Filter(since=last - timedelta(days=days - 1), until=last)


async def _ask(database: Database, portal_id: int, report: Report, options: argparse.Namespace) -> Measured:
    wanted = _period(options.days or report.days)

    async def ask(asked: Database) -> int:
        async with asked.reading() as session:
            told = await report.tell(session, await scope_of(session, portal_id, wanted, now=NOW))
        return sum(len(table.rows) for table in told.tables)

    return await _rounds(database, ask)


async def _open(asked: Database, portal_id: int) -> int:
    report = REPORTS["funnel"]
    async with asked.reading() as session:
        scope = await scope_of(session, portal_id, _period(report.days), now=NOW)
        return len((await report.open(session, scope, Number("leads_made", "reached", "0:NEW"), 50, 0)).cards)


async def _today(asked: Database, portal_id: int) -> int:
    """What the page Today asks, without drawing it."""
    async with asked.reading() as session:
        standing = [
            await today.parked(session, portal_id, limit=10),
            *[await today.undecided(session, portal_id, outcome, limit=10) for outcome in ("review", "needs_data")],
        ]
        await today.judged_since(session, portal_id, NOW - timedelta(hours=12))
    return sum(len(one.cards) for one in standing)


async def _rounds(database: Database, ask: Callable[[Database], Awaitable[int]]) -> Measured:
    """Each round on connections of its own: nothing is planned or prepared beforehand."""
    seconds, rows = [], 0
    for _ in range(ROUNDS):
        async with connected(database.conninfo.get_secret_value(), pool_size=1) as asked:
            async with asked.reading() as session:
                await session.execute(text("SELECT 1"))
            started = time.perf_counter()
            rows = await ask(asked)
            seconds.append(time.perf_counter() - started)
    return Measured(tuple(seconds), rows)


def _told(sizes: list[int], found: list[Mapping[str, Measured]], options: argparse.Namespace, busy: float) -> int:
    table = Table(title=f"reports on {sizes[-1]:,} leads, load before {busy:.1f}")
    for column in ("report", "rows", *(f"s at {size:,}" for size in sizes), "worst", "bar", "growth", ""):
        table.add_column(column, justify="left" if column in {"report", ""} else "right")
    lines, passed = [], True
    for name, last in found[-1].items():
        bar = TODAY_BAR_SECONDS if name == "today" else BAR_SECONDS
        growth = last.seconds / found[0][name].seconds if len(found) > 1 else None
        # What takes a moment at either size has nothing to grow.
        good = last.seconds <= bar and (growth is None or growth <= sizes[-1] / sizes[0] or last.seconds < bar / 10)
        passed = passed and good
        seconds = [f"{one[name].seconds:.3f}" for one in found]
        grown = "" if growth is None else f"x{growth:.1f}"
        verdict = "" if good else "over the bar"
        table.add_row(name, str(last.rows), *seconds, f"{max(last.rounds):.3f}", f"{bar:g}", grown, verdict)
        lines.append({"name": name, "rows": last.rows, "seconds": [round(one[name].seconds, 4) for one in found]})
    out.print(table)
    RESULTS.parent.mkdir(exist_ok=True)
    document = {"leads": sizes, "days": options.days, "load_before": round(busy, 2), "reports": lines}
    RESULTS.write_text(json.dumps(document | {"passed": passed}, indent=2) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--leads", type=int, default=LEADS)
    arguments.add_argument("--days", type=int, help="the period; each report's own if left out")
    arguments.add_argument("--no-growth", action="store_true", help="only the full size")
    sys.exit(asyncio.run(measure(arguments.parse_args())))
