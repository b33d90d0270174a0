"""`ogon rules rejudging`: how far the open cards are that a published version judges again."""

from typing import Annotated

import typer
from rich.table import Table

from app.commands.console import fail, out, read_settings, run
from app.serve import prepared_database
from app.settings import Settings
from app.store import portals
from app.store import rejudging as progress
from app.store.rejudging import Rejudging

_TYPES = {1: "lead", 2: "deal"}


def rejudging(
    version: Annotated[int | None, typer.Argument(help="Number of the version; the newest if left out.")] = None,
    portal: Annotated[
        int | None, typer.Option(help="Number of the portal; may be left out when there is only one.")
    ] = None,
) -> None:
    """Tell how far open cards are judged again by a version of the rules, and what changed."""
    told = run(_told(read_settings(), portal, version))
    if told is None:
        fail("That version judges no cards again: see `ogon rules` for the versions there are.")
    table = Table("Figure", "Cards", title=f"Version {told.version}")
    table.add_row("state", told.state)
    for name in ("total", "done", "judged", "changed", "parked", "deleted"):
        table.add_row(name, f"{getattr(told, name):,}")
    for change in told.changes:
        table.add_row(f"{_TYPES[change.entity_type_id]}: {change.before} → {change.after}", f"{change.cards:,}")
    out.print(table)


async def _told(settings: Settings, portal: int | None, version: int | None) -> Rejudging | None:
    async with prepared_database(settings) as database, database.reading() as session:
        known = [one.id for one in await portals.list_portals(session) if portal in {None, one.id}]
        if len(known) != 1:
            raise portals.PortalUnknown("Name the portal by its number with --portal, see `ogon portal list`.")
        return await progress.progress(session, known[0], version)
