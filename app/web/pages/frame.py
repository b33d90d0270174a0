"""What every page about a portal needs: which portal, its clock, the names of its people, the words of codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from datetime import datetime as _datetime
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app.errors import OgonError
from app.store import dictionary, people, portals
from app.store.database import ReadSession
from app.store.portals import Portal
from app.texts import Catalogue, catalogue
from app.web import rendering, words
from app.web.asking import portal_asked


class NoPortalYet(OgonError):  # noqa: N818 - what the reader is told
    """Pages about a portal were asked for before there is one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The portal a page is about, among all there are. `names`: of its people, by user id."""

    portal: Portal
    portals: list[Portal]
    names: Mapping[int, str]
    texts: Catalogue

    @property
    def zone(self) -> tzinfo:
        return zone_of(self.portal)

    @property
    def context(self) -> Mapping[str, Any]:
        """What templates take from it."""
        return {
            "words": words.ALL,
            "portal": self.portal,
            "portals": self.portals,
            "zone": self.zone,
            "person": self.person,
            # Links keep the portal only where there is a choice.
            "at_portal": {"portal": self.portal.id} if len(self.portals) > 1 else {},
        }

    def person(self, user: int | None) -> str:
        """A person's name, or the number where the portal has not told the name."""
        if user is None:
            return ""
        return self.names.get(user) or self.texts.gettext("user %(number)s") % {"number": user}


async def frame_of(session: ReadSession, request: Request, number: int | None) -> Frame:
    """The portal with that number, else the first. Raises NoPortalYet, WebProblem."""
    known = await portals.list_portals(session)
    if not known:
        raise NoPortalYet("No portal is set up yet: run `ogon portal add`.")
    where = await portal_asked(session, known[0].id if number is None else number)
    return await framed(session, request, where, known)


async def framed(session: ReadSession, request: Request, where: Portal, known: list[Portal] | None = None) -> Frame:
    """The same where the portal is found already."""
    named = {user: one.name for user, one in (await people.people(session, where.id)).items()}
    every = await portals.list_portals(session) if known is None else known
    return Frame(where, every, named, catalogue(rendering.language_of(request)))


async def stage_names(session: ReadSession, portal: Portal) -> Mapping[tuple[str, str], str]:
    """What the portal calls its stages, by type of card and code; empty before it has told."""
    kept = await dictionary.load(session, portal.id)
    stages = kept.dictionary.stages if kept else ()
    return {(stage.entity.name.lower(), stage.code): stage.name for stage in stages}


async def no_portal_page(request: Request, _error: Exception) -> Response:
    """Exception handler of NoPortalYet."""
    return rendering.page(request, "no_portal.html")


def zone_of(portal: Portal | None) -> tzinfo:
    """The portal's own clock, where it is known."""
    if portal is None or not portal.time_zone:
        return UTC
    return _datetime.strptime(portal.time_zone, "%z").tzinfo or UTC
