"""Who works in a portal, in which departments, and who is whose head. Pure.

Made by the pipeline from what the portal lists, kept by `store/people.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.calendars import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One user of the portal. `time_zone` is an IANA name, None where the portal's zone is his; dismissed people stay,
    not `active`."""

    user_id: int
    name: str
    active: bool = True
    department_ids: tuple[int, ...] = ()
    time_zone: str | None = None
    position: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """One department; the topmost has no parent."""

    department_id: int
    name: str
    parent_id: int | None = None
    head_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """As read at one time; `hours` is what the portal's own settings say of working time.

    None: the portal does not let us read it, for the reason in `refused` under people, departments or calendar.
    """

    people: Mapping[int, Person] | None = None
    departments: Mapping[int, Department] | None = None
    hours: Layer | None = None
    refused: Mapping[str, str] = field(default_factory=dict[str, str])

    def heads(self) -> dict[int, int]:
        """Head by user id, over all active people who have one."""
        people, departments = self.people or {}, self.departments or {}
        heads = {user: head_of(user, people, departments) for user, person in people.items() if person.active}
        return {user: head for user, head in heads.items() if head is not None}


def departments_of(
    user_id: int | None, people: Mapping[int, Person], departments: Mapping[int, Department]
) -> frozenset[int]:
    """The person's departments and all above them; none where nothing is known of him."""
    person = people.get(user_id) if user_id is not None else None
    found: set[int] = set()
    for department_id in person.department_ids if person else ():
        up: int | None = department_id
        while up is not None and up not in found:
            found.add(up)
            up = departments[up].parent_id if up in departments else None
    return frozenset(found)


def people_of(
    department_id: int, people: Mapping[int, Person], departments: Mapping[int, Department]
) -> frozenset[int]:
    """Everybody of the department and of those below it, dismissed people too: their cards are still its own."""
    meant, grown = {department_id}, True
    while grown:
        below = {one.department_id for one in departments.values() if one.parent_id in meant}
        grown = not below <= meant
        meant |= below
    return frozenset(one.user_id for one in people.values() if not meant.isdisjoint(one.department_ids))


def head_of(user_id: int, people: Mapping[int, Person], departments: Mapping[int, Department]) -> int | None:
    """The active head of the person's department; None where there is none.

    Where the department has no active head, or the head is the person himself, the head of the next department up.
    """
    person = people.get(user_id)
    for department_id in person.department_ids if person else ():
        head = _head(department_id, user_id, people, departments)
        if head is not None:
            return head
    return None


def _head(
    department_id: int | None, user_id: int, people: Mapping[int, Person], departments: Mapping[int, Department]
) -> int | None:
    climbed: set[int] = set()
    while department_id is not None and department_id in departments and department_id not in climbed:
        climbed.add(department_id)
        department = departments[department_id]
        head = people.get(department.head_id) if department.head_id is not None else None
        if head is not None and head.active and head.user_id != user_id:
            return head.user_id
        department_id = department.parent_id
    return None
