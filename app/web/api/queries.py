"""What several endpoints are asked alike: whose portal, which days, how many. Bounds are the database's own."""

import re
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import AwareDatetime, BeforeValidator

from app.domain.messages import message
from app.web.problems import WebProblem

LARGEST_NUMBER = 2**63 - 1
LARGEST_PORTAL = 2**31 - 1
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _printed(value: Any) -> Any:
    """A bare number would be read as seconds since 1970; here a day is written as one."""
    if isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError("write a day as YYYY-MM-DD")


def _with_offset(value: Any) -> Any:
    if isinstance(value, datetime) or (isinstance(value, str) and _DAY.match(value)):
        return value
    raise ValueError("write a moment as YYYY-MM-DDThh:mm:ss+03:00")


Day = Annotated[date, BeforeValidator(_printed)]
Moment = Annotated[AwareDatetime, BeforeValidator(_with_offset)]
WhichPortal = Annotated[
    int | None, Query(ge=1, le=LARGEST_PORTAL, description="Our number of the portal; needed when there are several.")
]
Since = Annotated[Day | None, Query(description="First day of the period by the portal's calendar, YYYY-MM-DD.")]
Until = Annotated[Day | None, Query(description="Last day of the period, counted in; today if left out.")]
Before = Annotated[
    int | None, Query(ge=1, le=LARGEST_NUMBER, description="Only what is older than this: `next_before` of a page.")
]
Limit = Annotated[int, Query(ge=1, le=500, description="At most so many.")]


def in_order(since: date, until: date) -> None:
    """Raises WebProblem where a period ends before it begins."""
    if since > until:
        said = message("The period ends on {until}, before it begins: give an earlier `since`.", until=until)
        raise WebProblem(422, "invalid_value", said, path="since")
