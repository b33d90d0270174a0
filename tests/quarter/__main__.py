"""`make quarter`: ten managers and 5,000 leads through a quarter, each figure reckoned again by an oracle.

    make quarter                                          13 weeks, 5,000 leads
    make quarter ARGS="--leads 800 --days 14 --seed 7"

Ends with 0 if nothing differs. The same in short stands among the tests, see `test_quarter.py`.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.settings import load_settings
from app.store.database import connected
from app.store.embedded import use_embedded, wait_stopped
from app.store.migrate import migrate
from tests.quarter.cast import Quarter, quarter
from tests.quarter.desk import Desk, opened
from tests.quarter.reckoning import Reckoning, reckon

_SHOWN = 50
out = Console()


def main() -> int:
    arguments = _arguments()
    seed = arguments.seed if arguments.seed is not None else random.randrange(1_000_000)
    played = quarter(seed, leads=arguments.leads, days=arguments.days)
    out.print(f"Seed {seed}: {arguments.leads} leads in {arguments.days} days, {len(played.managers)} managers.")
    # Not under a home that may be closed to PostgreSQL's user.
    directory = Path(tempfile.mkdtemp(prefix="ogon-quarter-"))
    server = use_embedded(directory, options={"fsync": "off", "synchronous_commit": "off"})
    try:
        with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE quarter")
        found = asyncio.run(_played(server.conninfo("quarter"), played, seed))
    finally:
        server.release()
        wait_stopped(directory)
        shutil.rmtree(directory)
    for difference in found.wrong[:_SHOWN]:
        out.print(f"  seed {seed}: {difference}", style="red", markup=False, soft_wrap=True)
    return 1 if found.wrong else 0


async def _played(conninfo: str, played: Quarter, seed: int) -> Reckoning:
    settings = load_settings(_env_file=None)
    began = time.monotonic()
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=out
    )
    async with connected(conninfo, pool_size=5) as database:
        await migrate(database)
        async with opened(settings, database, played, seed=seed, echoes=False) as desk:
            with bars as progress:
                task = progress.add_task("leads", total=len(played.arrivals))
                await desk.live(lambda done: progress.update(task, completed=done))
        found = await reckon(desk)
    _show(desk, found, time.monotonic() - began)
    return found


def _show(desk: Desk, found: Reckoning, seconds: float) -> None:
    table = Table("a quarter at the desk", "")
    for name, value in (
        ("leads", len(desk.requests)),
        ("runs", desk.runs),
        ("seconds", f"{seconds:.0f}"),
        ("notices", len(desk.told)),
        *((f"checked: {what}", count) for what, count in sorted(found.counts.items())),
        ("differences", len(found.wrong)),
    ):
        table.add_row(name, str(value))
    out.print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make quarter", description="A quarter at the desk.")
    parser.add_argument("--leads", type=int, default=5000)
    parser.add_argument("--days", type=int, default=91)
    parser.add_argument("--seed", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
