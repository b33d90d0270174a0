"""Users and departments of the portal (docs: api-reference/user, api-reference/departments)."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class User:
    id: int
    name: str
    last_name: str
    department: int
    position: str = ""
    active: bool = True
    time_zone: str = ""

    def row(self, registered: str) -> dict[str, Any]:
        return {
            "ID": str(self.id),
            "ACTIVE": self.active,
            "NAME": self.name,
            "LAST_NAME": self.last_name,
            "SECOND_NAME": "",
            "EMAIL": f"user{self.id}@example.com",
            "LAST_LOGIN": registered,
            "DATE_REGISTER": registered,
            "TIME_ZONE": self.time_zone,
            "IS_ONLINE": "N",
            "PERSONAL_GENDER": "",
            "PERSONAL_BIRTHDAY": "",
            "WORK_POSITION": self.position,
            "UF_EMPLOYMENT_DATE": "",
            "UF_DEPARTMENT": [self.department],
            "USER_TYPE": "employee",
        }


@dataclass(slots=True)
class Department:
    id: int
    name: str
    parent: int | None
    head: int | None

    def row(self) -> dict[str, Any]:
        row: dict[str, Any] = {"ID": str(self.id), "NAME": self.name, "SORT": 500}
        if self.parent is not None:
            row["PARENT"] = str(self.parent)
        if self.head is not None:
            row["UF_HEAD"] = str(self.head)
        return row


@dataclass(slots=True)
class People:
    users: dict[int, User]
    departments: dict[int, Department]
    admins: set[int] = field(default_factory=set[int])
