"""`/api/v1/reports`: which reports there are, and where each is asked."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from app.reports import REPORTS
from app.store.tokens import Role
from app.texts import catalogue
from app.web.rendering import language_of

router = APIRouter(tags=["reports"])

ASKED_AT: Final[Mapping[str, tuple[str, Role]]] = {
    "past-deals": ("/api/v1/calculator/minimum", "viewer"),
    "regular-clients": ("/api/v1/clients/regular", "viewer"),
    "exceptions": ("/api/v1/exceptions", "head"),
}


class ReportLine(BaseModel):
    """One report."""

    name: str
    title: str
    address: str = Field(description="Where it is asked; what it takes is told there.")
    role: Role = Field(description="The least role that may read it.")


@router.get("/reports")
async def list_reports(request: Request) -> list[ReportLine]:
    """The reports, with the role that each needs."""
    texts = catalogue(language_of(request))
    return [
        ReportLine(name=name, title=texts.say(title), address=ASKED_AT[name][0], role=ASKED_AT[name][1])
        for name, title in REPORTS.items()
    ]
