"""Reads who works in a portal and when: users, departments, the portal's own working hours.

Called with the dictionary, by `connections.py`. Each of the three needs a scope of its own (`user`, `user_basic` or
`user_brief`; `department`; `calendar`): what the portal refuses is told with its reason and stays as it was.
"""

from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, Final, TypeVar

import structlog

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.domain.calendars import Layer
from app.domain.team import Department, Person, Team
from app.pipeline.calendar_settings import layer_of_settings
from app.pipeline.reads import REFUSALS, every_row, listing, mapping, number, together
from app.store.people import CALENDAR, DEPARTMENTS, PEOPLE, Source

_log = structlog.get_logger()
_FIELDS: Final = ("ID", "ACTIVE", "NAME", "LAST_NAME", "WORK_POSITION", "TIME_ZONE", "UF_DEPARTMENT")

Read = TypeVar("Read")


async def read_team(client: PortalClient, *, lane: Lane = Lane.NORMAL) -> Team:
    """Everything in one round of reads, further pages apart. Raises Bitrix24Error unless it is a refusal of one call.

    api-reference/user/user-get, api-reference/departments/department-get, api-reference/calendar/calendar-settings-get.
    """
    refused: dict[str, str] = {}
    async with together() as group:
        users = group.create_task(_told(_users(client, lane), PEOPLE, refused))
        departments = group.create_task(_told(_departments(client, lane), DEPARTMENTS, refused))
        settings = group.create_task(_told(client.call("calendar.settings.get", {}, lane=lane), CALENDAR, refused))
    listed = users.result()
    if listed is not None and not listed:
        # Whoever asks works there himself: a portal without people is one that hides them.
        refused[PEOPLE] = "user.get: nobody is listed. Give the webhook's owner the right to see his colleagues."
    return Team(
        people=people_of(listed) if listed else None,
        departments=departments_of(found) if (found := departments.result()) is not None else None,
        hours=None if CALENDAR in refused else _hours(mapping(settings.result())),
        refused=refused,
    )


def people_of(users: Iterable[Mapping[str, Any]]) -> dict[int, Person]:
    """By user id. Fields that the scope hides are empty."""
    people = [
        Person(
            user_id=number(row.get("ID")),
            name=" ".join(part for key in ("NAME", "LAST_NAME") if (part := str(row.get(key) or "").strip())),
            active=row.get("ACTIVE", True) in (True, "Y", "true", "1", 1),
            department_ids=tuple(filter(None, map(number, listing(row.get("UF_DEPARTMENT"))))),
            time_zone=str(row.get("TIME_ZONE") or "").strip() or None,
            position=str(row.get("WORK_POSITION") or "").strip() or None,
        )
        for row in users
    ]
    return {person.user_id: person for person in people if person.user_id}


def departments_of(rows: Iterable[Mapping[str, Any]]) -> dict[int, Department]:
    """By department id."""
    departments = [
        Department(
            department_id=number(row.get("ID")),
            name=str(row.get("NAME") or ""),
            parent_id=number(row.get("PARENT")) or None,
            head_id=number(row.get("UF_HEAD")) or None,
        )
        for row in rows
    ]
    return {department.department_id: department for department in departments if department.department_id}


def _hours(settings: Mapping[str, Any]) -> Layer:
    read = layer_of_settings(settings)
    if read.strange:
        _log.warning("some of the portal's working time was not understood", settings=list(read.strange))
    return read.layer


async def _told(read: Awaitable[Read], source: Source, refused: dict[str, str]) -> Read | None:
    try:
        return await read
    except REFUSALS as error:
        refused[source] = str(error)
        return None


async def _users(client: PortalClient, lane: Lane) -> list[Mapping[str, Any]]:
    # Without a filter dismissed people come too.
    params = {"sort": "ID", "order": "ASC", "select": list(_FIELDS)}
    return await every_row(client, "user.get", params, lane=lane)


async def _departments(client: PortalClient, lane: Lane) -> list[Mapping[str, Any]]:
    # The page spells its paging parameter in capitals, the rule for all lists in small letters.
    params = {"sort": "ID", "order": "ASC"}
    return await every_row(client, "department.get", params, lane=lane, start_names=("start", "START"))
