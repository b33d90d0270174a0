"""`/api/v1/audit`: who changed what, and when. For administrators only; nothing of it can be edited."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.store import audit
from app.store.audit import AuditFilter
from app.web.access import AsAdmin
from app.web.api.queries import Moment
from app.web.asking import LARGEST_ID
from app.web.state import Web

router = APIRouter(tags=["access"])

# PostgreSQL takes every text but one with a zero in it.
_Text = Annotated[str | None, Query(min_length=1, max_length=200, pattern="^[^\\x00]*$")]


class AuditLine(BaseModel):
    """One change."""

    id: int
    at: datetime
    who: str = Field(description="A token's name, ADMIN_TOKEN, console:<user>, or ogon for what it noticed itself.")
    what: str = Field(examples=["token.created"])
    subject: str = Field(description="What was changed.", examples=["head of sales"])
    portal_id: int | None = Field(description="Our number of the portal, where it belongs to one.")
    detail: Any = Field(description="More, depending on what it was; null for nothing.")


class AuditPage(BaseModel):
    """Changes, the newest first."""

    items: list[AuditLine]
    next_before: int | None = Field(description="Ask with before= this for the next page; null at the end.")


@router.get("/audit")
async def list_changes(
    web: Web,
    _caller: AsAdmin,
    *,
    who: _Text = None,
    what: Annotated[
        str | None,
        Query(
            max_length=100,
            pattern=r"^[a-z_]+(\.[a-z_]+)*$",
            description="A dotted word, or how it begins: token finds token.created and token.revoked.",
        ),
    ] = None,
    subject: _Text = None,
    portal: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Only of this portal.")] = None,
    since: Annotated[Moment | None, Query(description="From this moment on, with offset.")] = None,
    until: Annotated[Moment | None, Query(description="Before this moment, with offset.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="Only older than this one.")] = None,
) -> AuditPage:
    """Who changed what, and when."""
    wanted = AuditFilter(who=who, what=what, subject=subject, portal_id=portal, since=since, until=until)
    async with web.database.reading() as session:
        found = await audit.page(session, wanted, before_id=before, limit=limit)
    return AuditPage(
        items=[AuditLine.model_validate(entry, from_attributes=True) for entry in found],
        next_before=found[-1].id if len(found) == limit else None,
    )
