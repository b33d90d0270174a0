"""A hundred thousand hostile requests at a real server, and more bodies at the parser alone: `make fuzz`.

A server process of its own on loopback, an embedded PostgreSQL of this run, requests from one seed, which is printed
(`ARGS="--seed 7"` repeats a run). Exit code 1 when anything was answered 5xx or not at all, the server grew, or the
database or the log holds what it should not.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.store.database import sqlalchemy_url
from app.store.embedded import use_embedded
from tests.fuzz.barrage import CONNECTIONS, Outcome, fire
from tests.fuzz.bodies import Sender
from tests.fuzz.heads import cases
from tests.fuzz.house import Target, target, two_portals
from tests.fuzz.laws import hold
from tests.fuzz.stored import faults_of, rows_stored

MAY_GROW = 16 * 1024
"""KiB between the end of the warm-up, a tenth of the requests, and the end."""
_TALLY_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class Fired:
    """What came of the requests. Memory in KiB, seconds of the part after the warm-up."""

    outcome: Outcome
    memory: tuple[int, int, int]
    seconds: float
    stored: dict[str, int]
    faults: list[str]

    @property
    def grown(self) -> int:
        return self.memory[2] - self.memory[1]


def main() -> int:
    """Fire, look, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000, help="sent to the server after a warm-up")
    parser.add_argument("--bodies", type=int, default=20_000, help="given to the parser directly")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="to repeat a run")
    options = parser.parse_args()
    console = Console()
    console.print(f"seed {options.seed}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        parsed, broken = _parse(options.bodies, options.seed, progress)
        with _served() as (conninfo, served):
            fired = _fire(conninfo, served, options.requests, options.seed, progress)
    faults = [*broken, *fired.outcome.wrong, *fired.faults]
    if fired.grown > MAY_GROW:
        faults.append(f"the server grew by {fired.grown} KiB")
    _print(console, fired, parsed)
    for fault in faults:
        console.print(fault, style="red", markup=False)
    console.print("passed" if not faults else f"NOT passed; repeat with --seed {options.seed}")
    return 1 if faults else 0


def _parse(count: int, seed: int, progress: Progress) -> tuple[Counter[str], list[str]]:
    """The parser alone: how often it said what, and the bodies with which it broke a promise."""
    dice = random.Random(seed)
    senders = [Sender(dice, knows=True), Sender(dice, knows=False)]
    said: Counter[str] = Counter()
    broken: list[str] = []
    task = progress.add_task("bodies at the parser", total=count)
    for number in range(count):
        kind, body = senders[number % 2].body()
        try:
            said[hold(body)] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we are looking for
            broken.append(f"parser, {kind}: {type(error).__name__} {error}: {body[:600]!r}")
        progress.advance(task)
    return said, broken[:20]


@contextmanager
def _served() -> Iterator[tuple[str, Target]]:
    """A server on a database of this run: the database's connection string, and the server."""
    directory = Path(tempfile.mkdtemp(prefix="ogon-fuzz-"))
    server = use_embedded(directory)
    try:
        conninfo = server.conninfo()
        url = sqlalchemy_url(conninfo).set(drivername="postgresql").render_as_string(hide_password=False)
        portal_ids = asyncio.run(two_portals(conninfo, directory))
        with target(url, portal_ids, directory) as served:
            yield conninfo, served
    finally:
        server.release()
        shutil.rmtree(directory, ignore_errors=True)


def _fire(conninfo: str, served: Target, count: int, seed: int, progress: Progress) -> Fired:
    task = progress.add_task("requests at the server", total=count + count // 10)

    def fired(number: int, by: int) -> Outcome:
        sent = cases(seed + by, number, robot_secret=served.robot_secret)
        return asyncio.run(fire(served.port, sent, step=lambda _answers: progress.advance(task)))

    at_start = served.memory()
    outcome = fired(count // 10, 0)
    warm, began = served.memory(), time.monotonic()
    outcome.add(fired(count, 1))
    seconds, at_end = time.monotonic() - began, served.memory()
    time.sleep(_TALLY_SECONDS)
    if served.get("/readyz") != 200:
        outcome.wrong.append("the server is not ready any more")
    faults = list(faults_of(conninfo, served, outcome))[:20]
    return Fired(outcome, (at_start, warm, at_end), seconds, rows_stored(conninfo), faults)


def _print(console: Console, fired: Fired, parsed: Counter[str]) -> None:
    statuses = sorted({status for _, status in fired.outcome.answered})
    table = Table(title=f"Answers of one web process over {CONNECTIONS} connections")
    table.add_column("kind of request")
    for status in statuses:
        table.add_column(str(status or "hung up"), justify="right")
    for kind in sorted({kind for kind, _ in fired.outcome.answered}):
        table.add_row(kind, *(_count(fired.outcome.answered[kind, status]) for status in statuses))
    totals = [sum(count for (_, one), count in fired.outcome.answered.items() if one == status) for status in statuses]
    table.add_section()
    table.add_row("all", *map(_count, totals))
    console.print(table)
    for title, counted in (("In the journal", fired.stored), ("What the parser said", parsed)):
        listed = Table(title=title)
        listed.add_column("")
        listed.add_column("rows" if counted is fired.stored else "bodies", justify="right")
        for name, count in sorted(counted.items(), key=lambda one: -one[1]):
            listed.add_row(name or "hints that a card changed", _count(count))
        console.print(listed)
    at_start, warm, at_end = (f"{kib / 1024:.1f}" for kib in fired.memory)
    console.print(
        f"{fired.outcome.sent:,} requests, {fired.seconds:.0f} s without the warm-up; the server's memory in MiB: "
        f"{at_start} at the start, {warm} warm, {at_end} at the end"
    )


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


if __name__ == "__main__":
    sys.exit(main())
