"""Stages, pipelines, lists and currencies of the portal: `crm.status.*`, `crm.category.*`, `crm.currency.*`.

Names are Russian, as on a Russian portal; codes are the system ones (docs: crm/status/crm-status-list).
"""

from dataclasses import dataclass, field
from typing import Any

FIRST_STATUS_ID = 101

_SEMANTIC_WORDS = {None: "process", "S": "success", "F": "failure"}


@dataclass(slots=True)
class Status:
    """One row of a dictionary. `semantics`: None in work, S success, F failure."""

    id: int
    entity_id: str
    status_id: str
    name: str
    sort: int
    semantics: str | None = None
    color: str = ""
    category_id: int | None = None
    system: bool = False
    apology: bool = False

    @property
    def staged(self) -> bool:
        return self.entity_id == "STATUS" or "STAGE" in self.entity_id or self.entity_id == "QUOTE_STATUS"

    def row(self) -> dict[str, Any]:
        row: dict[str, Any] = {
            "ID": str(self.id),
            "ENTITY_ID": self.entity_id,
            "STATUS_ID": self.status_id,
            "NAME": self.name,
            "NAME_INIT": self.name if self.system else "",
            "SORT": str(self.sort),
            "SYSTEM": "Y" if self.system else "N",
            "CATEGORY_ID": str(self.category_id) if self.category_id else None,
            "COLOR": self.color,
            "SEMANTICS": self.semantics,
        }
        if self.staged and not self.entity_id.startswith("SMART_INVOICE"):
            word = "apology" if self.apology else _SEMANTIC_WORDS[self.semantics]
            row["EXTRA"] = {"SEMANTICS": word, "COLOR": self.color}
        return row


@dataclass(slots=True)
class Pipeline:
    id: int
    entity_type_id: int
    name: str
    sort: int
    default: bool

    def row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "sort": self.sort,
            "entityTypeId": self.entity_type_id,
            "isDefault": "Y" if self.default else "N",
            "originId": "",
            "originatorId": "",
        }


@dataclass(slots=True)
class Currency:
    """`amount` units of the base currency buy `count` units of this one."""

    code: str
    amount: str
    count: str
    sort: int
    base: bool
    full_name: str
    format_string: str


@dataclass(slots=True)
class Dictionaries:
    statuses: list[Status] = field(default_factory=list[Status])
    pipelines: list[Pipeline] = field(default_factory=list[Pipeline])
    currencies: list[Currency] = field(default_factory=list[Currency])

    def add_status(self, entity_id: str, status_id: str, name: str, **more: Any) -> Status:
        same_list = [row.sort for row in self.statuses if row.entity_id == entity_id]
        sort = more.pop("sort", max(same_list, default=0) + 10)
        next_id = max((row.id for row in self.statuses), default=FIRST_STATUS_ID - 2) + 2
        status = Status(next_id, entity_id, status_id, name, sort, **more)
        self.statuses.append(status)
        return status

    def remove_status(self, entity_id: str, status_id: str) -> None:
        self.statuses = [row for row in self.statuses if (row.entity_id, row.status_id) != (entity_id, status_id)]

    def of(self, entity_id: str) -> list[Status]:
        found = [row for row in self.statuses if row.entity_id == entity_id]
        return sorted(found, key=lambda row: row.sort)

    def stage_list(self, entity_type_id: int, category_id: int = 0) -> str:
        match entity_type_id:
            case 1:
                return "STATUS"
            case 2:
                return f"DEAL_STAGE_{category_id}" if category_id else "DEAL_STAGE"
            case 7:
                return "QUOTE_STATUS"
            case _:
                return f"SMART_INVOICE_STAGE_{category_id}"

    def stage(self, entity_type_id: int, category_id: int, stage_id: str) -> Status | None:
        wanted = self.stage_list(entity_type_id, category_id)
        return next((row for row in self.statuses if row.status_id == stage_id and row.entity_id == wanted), None)

    def first_stage(self, entity_type_id: int, category_id: int) -> str:
        return self.of(self.stage_list(entity_type_id, category_id))[0].status_id

    def semantics(self, entity_type_id: int, category_id: int, stage_id: str) -> str:
        found = self.stage(entity_type_id, category_id, stage_id)
        return (found.semantics if found else None) or "P"

    def default_pipeline(self, entity_type_id: int) -> int:
        return next((p.id for p in self.pipelines if p.entity_type_id == entity_type_id and p.default), 0)

    def has_pipeline(self, entity_type_id: int, category_id: int) -> bool:
        return any(p.id == category_id and p.entity_type_id == entity_type_id for p in self.pipelines)
