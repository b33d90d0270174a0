"""Who is whose head: from users and departments, where the webhook may see them.

Called by the dictionary. Without the scopes `user` or `department` nobody has a head, which is not an error:
what would go to the head then goes to the responsible person.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.pipeline.reads import every_row, listing, number, optional, together


async def read_heads(client: PortalClient, *, lane: Lane = Lane.NORMAL) -> dict[int, int]:
    """Head by user id, over all active users.

    api-reference/user/user-get, api-reference/departments/department-get.
    """
    async with together() as group:
        users = group.create_task(optional(_users(client, lane)))
        departments = group.create_task(optional(_departments(client, lane)))
    return heads_of(users.result() or (), departments.result() or ())


def heads_of(users: Iterable[Mapping[str, Any]], departments: Iterable[Mapping[str, Any]]) -> dict[int, int]:
    """The head of each active user's department.

    Where the department has no active head, or the head is the person himself, the head of the next department up.
    """
    by_id = {number(row.get("ID")): row for row in departments}
    active = {number(row.get("ID")): row for row in users if _is_active(row)}
    heads: dict[int, int] = {}
    for user_id, row in active.items():
        for department in listing(row.get("UF_DEPARTMENT")):
            head = _head(number(department), user_id, by_id, active)
            if head:
                heads[user_id] = head
                break
    return heads


def _head(department: int, user_id: int, by_id: Mapping[int, Mapping[str, Any]], active: Mapping[int, Any]) -> int:
    climbed: set[int] = set()
    while department in by_id and department not in climbed:
        climbed.add(department)
        row = by_id[department]
        head = number(row.get("UF_HEAD"))
        if head in active and head != user_id:
            return head
        department = number(row.get("PARENT"))
    return 0


def _is_active(row: Mapping[str, Any]) -> bool:
    return row.get("ACTIVE", True) in (True, "Y", "true", "1", 1)


async def _users(client: PortalClient, lane: Lane) -> list[Mapping[str, Any]]:
    params = {"sort": "ID", "order": "ASC", "select": ["ID", "ACTIVE", "UF_DEPARTMENT"]}
    return await every_row(client, "user.get", params, lane=lane)


async def _departments(client: PortalClient, lane: Lane) -> list[Mapping[str, Any]]:
    # The page spells its paging parameter in capitals, the rule for all lists in small letters.
    params = {"sort": "ID", "order": "ASC"}
    return await every_row(client, "department.get", params, lane=lane, start_names=("start", "START"))
