"""`ogon sweep`: look now for everything that no webhook told; what is found is judged by the workers."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from app.commands.console import fail, out, read_settings, run
from app.errors import OgonError
from app.pipeline.connections import Connections
from app.pipeline.sweep import Swept, sweep_portal
from app.pipeline.sweep_round import Found
from app.serve import prepared_database
from app.settings import Settings
from app.store import portals
from app.store.database import Database
from app.store.portals import Portal
from app.store.secret_box import secret_box
from app.store.sweeps import SweepLocks


class SweptElsewhere(OgonError):  # noqa: N818 - says what is the case
    """A worker is sweeping this portal at the moment."""


def sweep(
    portal: Annotated[str | None, typer.Argument(help="Number, domain or name; every portal if left out.")] = None,
) -> None:
    """Find what no webhook told of: new and changed cards, moves, activities. Goes on where it was broken off."""
    settings = read_settings()
    results = run(_sweep_all(settings, portal))
    for swept_portal, result in results:
        out.print(_table(swept_portal, result))
    if any(result.error for _, result in results):
        raise typer.Exit(1)


async def _sweep_all(settings: Settings, which: str | None) -> list[tuple[Portal, Swept]]:
    async with prepared_database(settings) as database, _connected(settings, database) as connections:
        async with database.reading() as session:
            known = await portals.list_portals(session, enabled_only=True)
        wanted = [one for one in known if which is None or which in {str(one.id), one.domain, one.name}]
        if not wanted:
            fail("There is no such portal: see `ogon portal list`.")
        return [(one, await _sweep_one(settings, database, connections, one)) for one in wanted]


async def _sweep_one(settings: Settings, database: Database, connections: Connections, portal: Portal) -> Swept:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"))
    async with SweepLocks(database) as locks, locks.of(portal.id) as ours:
        if not ours:
            raise SweptElsewhere(f"{portal.domain} is being swept by a worker: nothing to do here.")
        with Progress(*columns, console=out, transient=True) as progress:
            bars: dict[str, TaskID] = {}

            def show(found: Found) -> None:
                if found.source not in bars:
                    bars[found.source] = progress.add_task(found.source, total=1.0, told="")
                told = f"{found.seen} read, {found.queued} new"
                progress.update(bars[found.source], completed=found.share, told=told)

            return await sweep_portal(
                database,
                connections,
                portal.id,
                now=_now,
                open_since=timedelta(days=settings.sweep_since_days),
                watch=show,
            )


def _table(portal: Portal, swept: Swept) -> Table:
    table = Table("Source", "Read", "News", "Looked at again", "", title=f"{portal.domain}: {swept.queued} news")
    for found in swept.found:
        state = "[green]✓[/]" if found.error is None else _said(found.error, "yellow" if found.refused else "red")
        table.add_row(found.source, str(found.seen), str(found.queued), str(found.again), state)
    if swept.error and not swept.found:
        table.add_row("", "", "", "", _said(swept.error, "red"))
    return table


def _said(error: str, colour: str) -> str:
    return f"[{colour}]{escape(error)}[/]"


@asynccontextmanager
async def _connected(settings: Settings, database: Database) -> AsyncGenerator[Connections]:
    async with Connections(database, secret_box(settings), clock=_now) as connections:
        yield connections


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a root reads the clock and hands it down
