"""`ogon backfill`: read from a portal's history what people did before we came."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.bitrix24.stats import Stats
from app.commands.console import fail, out, read_settings, run
from app.pipeline.backfill import Filling, backfill
from app.pipeline.connections import Connections
from app.pipeline.sweep_round import Found, portal_clock
from app.serve import prepared_database
from app.settings import Settings
from app.store import portals
from app.store.database import Database
from app.store.portals import Portal
from app.store.secret_box import secret_box


def fill(
    since: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day, by the portal's calendar.")
    ],
    portal: Annotated[str | None, typer.Argument(help="Number, domain or name; every portal if left out.")] = None,
) -> None:
    """Fill activities, calls, stage moves and owners from the portal's history. Goes on where it was broken off."""
    settings = read_settings()
    results = run(_fill_all(settings, portal, since))
    for filled, found, stats in results:
        out.print(_table(filled, found, stats))
    if any(one.error and not one.refused for _, found, _ in results for one in found):
        raise typer.Exit(1)


async def _fill_all(
    settings: Settings, which: str | None, since: datetime
) -> list[tuple[Portal, tuple[Found, ...], Stats]]:
    async with prepared_database(settings) as database, _connected(settings, database) as connections:
        async with database.reading() as session:
            known = await portals.list_portals(session, enabled_only=True)
        wanted = [one for one in known if which is None or which in {str(one.id), one.domain, one.name}]
        if not wanted:
            fail("There is no such portal: see `ogon portal list`.")
        return [(one, *await _fill_one(database, connections, one, since)) for one in wanted]


async def _fill_one(
    database: Database, connections: Connections, portal: Portal, since: datetime
) -> tuple[tuple[Found, ...], Stats]:
    client = (await connections.of(portal.id)).client
    clock = await portal_clock(client, now=_now)
    first = datetime.combine(since.date(), time(), clock.now.tzinfo)
    if first > clock.now:
        fail(f"{since:%Y-%m-%d} is still to come: give a day of the past.")
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True) as progress:
        bars: dict[str, TaskID] = {}

        def show(found: Found) -> None:
            if found.source not in bars:
                bars[found.source] = progress.add_task(found.source, total=1.0, told="")
            progress.update(bars[found.source], completed=found.share, told=f"{found.seen} read")

        found = await backfill(Filling(portal.id, client, database, first, _now, show))
    return found, client.stats


def _table(portal: Portal, found: tuple[Found, ...], stats: Stats) -> Table:
    table = Table("Source", "Read", "", title=f"{portal.domain}: {stats.requests} requests")
    for one in found:
        colour = "yellow" if one.refused else "red"
        table.add_row(
            one.source, str(one.seen), "[green]✓[/]" if one.error is None else f"[{colour}]{escape(one.error)}[/]"
        )
    return table


@asynccontextmanager
async def _connected(settings: Settings, database: Database) -> AsyncGenerator[Connections]:
    async with Connections(database, secret_box(settings), clock=_now) as connections:
        yield connections


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a root reads the clock and hands it down
