"""Timeline comments, log messages, product rows, stage history, tasks and notifications of the portal."""

from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass(slots=True)
class Timeline:
    """`comments_of` is keyed by (lower-case entity type, entity id)."""

    comments: dict[int, Row] = field(default_factory=dict[int, Row])
    comments_of: dict[tuple[str, int], list[int]] = field(default_factory=dict[tuple[str, int], list[int]])
    log_messages: list[Row] = field(default_factory=list[Row])
    next_id: int = 1

    def add_comment(self, entity_type: str, entity_id: int, row: Row) -> int:
        comment_id = self.new_id()
        self.comments[comment_id] = {"ID": str(comment_id), **row}
        self.comments_of.setdefault((entity_type, entity_id), []).append(comment_id)
        return comment_id

    def drop_comment(self, comment_id: int) -> None:
        row = self.comments.pop(comment_id)
        self.comments_of[row["ENTITY_TYPE"], int(row["ENTITY_ID"])].remove(comment_id)

    def new_id(self) -> int:
        issued = self.next_id
        self.next_id += 1
        return issued


@dataclass(slots=True)
class ProductRows:
    """Product rows by (short owner code, owner id)."""

    rows: dict[tuple[str, int], list[Row]] = field(default_factory=dict[tuple[str, int], list[Row]])
    next_id: int = 17001

    def new_id(self) -> int:
        issued = self.next_id
        self.next_id += 1
        return issued


@dataclass(slots=True)
class StageHistory:
    """Moves per object type; the ids of each type only grow (docs: crm/crm-stage-history-list)."""

    rows: dict[int, list[Row]] = field(default_factory=dict[int, list[Row]])
    next_id: int = 8001

    def add(self, entity_type_id: int, row: Row) -> None:
        self.rows.setdefault(entity_type_id, []).append({"ID": self.next_id, **row})
        self.next_id += 1
