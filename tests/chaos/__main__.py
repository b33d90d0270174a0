"""`make chaos`: the real commands through a long storm, at a portal's real limits. Ends with 0 if nothing is amiss.

    make chaos                                               400 cards, two minutes of storm
    make chaos ARGS="--cards 1000 --seconds 300 --seed 7"
    make chaos ARGS="--fast"                                 a portal that takes 50 requests a second

The same in short stands among the tests, see `test_chaos.py`.
"""

import argparse
import asyncio
import logging
import random
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.sandbox.limits import Limits
from app.store.embedded import wait_stopped
from tests.chaos.storm import Tally, Weather, storm

_SHOWN = 50
out = Console()


def main() -> int:
    arguments = _arguments()
    seed = arguments.seed if arguments.seed is not None else random.randrange(1_000_000)
    weather = Weather(
        seed=seed,
        cards=arguments.cards,
        seconds=arguments.seconds,
        kills=arguments.kills if arguments.kills is not None else round(arguments.seconds / 4),
        faults=arguments.faults if arguments.faults is not None else round(arguments.seconds),
        webs=arguments.webs,
        workers=arguments.workers,
        drops=arguments.drops,
        limits=Limits(requests_per_second=50, burst=1000) if arguments.fast else Limits(),
    )
    out.print(f"Seed {seed}: {weather.cards} leads and deals in {weather.seconds:.0f} s; then it heals by itself.")
    # The emulated portal's server complains of each answer that a fault breaks.
    logging.getLogger("uvicorn.error").addFilter(lambda record: "without completing" not in record.getMessage())
    # Kept when something is amiss: the logs of all processes, and the database.
    directory = Path(tempfile.mkdtemp(prefix="ogon-chaos-"))
    tally = asyncio.run(_watched(weather, directory))
    _show(tally)
    if not tally.found:
        wait_stopped(directory)
        shutil.rmtree(directory)
        return 0
    out.print(f"[red]{len(tally.found)} findings[/red]; logs and database: {directory}", soft_wrap=True)
    for found in tally.found[:_SHOWN]:
        out.print(f"  seed {seed}: {found}", style="red", markup=False, soft_wrap=True)
    return 1


async def _watched(weather: Weather, directory: Path) -> Tally:
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=out
    )
    with bars as progress:
        tasks = {what: progress.add_task(what, total=weather.cards) for what in ("arrived", "at rest")}

        def watch(what: str, done: int, of: int) -> None:
            progress.update(tasks[what], completed=done, total=of)

        return await storm(weather, directory, watch=watch)


def _show(tally: Tally) -> None:
    table = Table(f"chaos, seed {tally.seed}", "")
    for name, value in (
        ("leads", tally.leads),
        ("deals made by hand", tally.deals),
        ("seconds of storm", f"{tally.storm_seconds:.0f}"),
        ("seconds until all was at rest", f"{tally.healed_seconds:.0f}"),
        *((f"killed: {who}", count) for who, count in sorted(tally.kills.items())),
        ("stopped politely", tally.stops),
        *((f"fault: {kind}", count) for kind, count in sorted(tally.faults.items())),
        ("webhooks delivered", tally.delivered),
        ("webhooks dropped on the way", tally.dropped),
        ("webhooks that met a dead web", tally.dead),
        ("cards found only by the sweep", tally.only_by_sweep),
        ("missing", tally.count("missing")),
        ("double", tally.count("double")),
        ("otherwise wrong", tally.count("wrong")),
    ):
        table.add_row(name, str(value))
    out.print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--cards", "--leads", type=int, default=400, help="leads and deals together")
    parser.add_argument("--seconds", type=float, default=120.0, help="of storm")
    parser.add_argument("--seed", type=int, help="by lot, and printed, if left out")
    parser.add_argument("--kills", type=int, help="processes that die; one every four seconds if left out")
    parser.add_argument("--faults", type=int, help="of the portal; one a second if left out")
    parser.add_argument("--webs", type=int, default=2, help="web processes")
    parser.add_argument("--workers", type=int, default=3, help="worker processes")
    parser.add_argument("--drops", type=float, default=0.3, help="share of webhooks that get lost")
    parser.add_argument("--fast", action="store_true", help="at a portal that takes 50 requests a second")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
