"""Users, departments and working hours of the portal (docs: api-reference/user, departments, calendar)."""

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


def calendar_settings() -> dict[str, Any]:
    """As a new portal has them (docs: api-reference/calendar/calendar-settings-get)."""
    return {
        "work_time_start": "9",
        "work_time_end": "18",
        "year_holidays": "1.01,2.01,7.01,23.02,8.03,1.05,9.05,12.06,4.11",
        "year_workdays": "",
        "week_holidays": ["SA", "SU"],
        "week_start": "MO",
        "user_name_template": "#NAME# #LAST_NAME#",
        "sync_by_push": False,
        "user_show_login": True,
    }


@dataclass(slots=True)
class People:
    users: dict[int, User]
    departments: dict[int, Department]
    admins: set[int] = field(default_factory=set[int])
    calendar: dict[str, Any] = field(default_factory=calendar_settings)
