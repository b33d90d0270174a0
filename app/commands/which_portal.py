"""Which portal a command means: the only one, or the one with the number given."""

from typing import Annotated

import typer

from app.store import portals
from app.store.database import ReadSession

WhichPortal = Annotated[int | None, typer.Option(help="Number of the portal; may be left out when there is only one.")]


async def only_portal(session: ReadSession, portal: int | None) -> int:
    """Raises PortalUnknown."""
    known = [one.id for one in await portals.list_portals(session)]
    if portal is None and len(known) == 1:
        return known[0]
    if portal in known:
        return portal
    raise portals.PortalUnknown("Name the portal by its number with --portal, see `ogon portal list`.")
