"""Activities and their bindings: calls, letters, to-dos (docs: crm/timeline/activities/activity-base)."""

from dataclasses import dataclass, field
from typing import Any

Activity = dict[str, Any]

FIELDS = (
    "ID",
    "OWNER_ID",
    "OWNER_TYPE_ID",
    "TYPE_ID",
    "PROVIDER_ID",
    "PROVIDER_TYPE_ID",
    "PROVIDER_GROUP_ID",
    "ASSOCIATED_ENTITY_ID",
    "SUBJECT",
    "CREATED",
    "LAST_UPDATED",
    "START_TIME",
    "END_TIME",
    "DEADLINE",
    "COMPLETED",
    "STATUS",
    "RESPONSIBLE_ID",
    "PRIORITY",
    "NOTIFY_TYPE",
    "NOTIFY_VALUE",
    "DESCRIPTION",
    "DESCRIPTION_TYPE",
    "DIRECTION",
    "LOCATION",
    "SETTINGS",
    "ORIGINATOR_ID",
    "ORIGIN_ID",
    "AUTHOR_ID",
    "EDITOR_ID",
    "PROVIDER_PARAMS",
    "PROVIDER_DATA",
    "RESULT_MARK",
    "RESULT_VALUE",
    "RESULT_SUM",
    "RESULT_CURRENCY_ID",
    "RESULT_STATUS",
    "RESULT_STREAM",
    "RESULT_SOURCE_ID",
    "AUTOCOMPLETE_RULE",
    "IS_INCOMING_CHANNEL",
)
NUMBERS = frozenset({"ID", "OWNER_ID", "OWNER_TYPE_ID", "TYPE_ID", "RESPONSIBLE_ID", "AUTHOR_ID", "EDITOR_ID"})
TIMES = frozenset({"CREATED", "LAST_UPDATED", "START_TIME", "END_TIME", "DEADLINE"})


@dataclass(slots=True)
class Activities:
    """`by_owner` holds every binding, the owner's own among them."""

    rows: dict[int, Activity] = field(default_factory=dict[int, Activity])
    bindings: dict[int, list[tuple[int, int]]] = field(default_factory=dict[int, list[tuple[int, int]]])
    by_owner: dict[tuple[int, int], list[int]] = field(default_factory=dict[tuple[int, int], list[int]])
    communications: dict[int, list[dict[str, Any]]] = field(default_factory=dict[int, list[dict[str, Any]]])
    next_id: int = 1
    _listed: list[Activity] | None = None

    def listed(self) -> list[Activity]:
        """All rows, ids ascending; made anew only after a row came or went, since a walk asks for it page by page."""
        if self._listed is None:
            self._listed = list(self.rows.values())
        return self._listed

    def put(self, row: Activity) -> int:
        activity_id = self.next_id
        self.next_id += 1
        self.rows[activity_id] = {**row, "ID": str(activity_id)}
        if self._listed is not None:
            self._listed.append(self.rows[activity_id])
        self.bind(activity_id, int(row["OWNER_TYPE_ID"]), int(row["OWNER_ID"]))
        return activity_id

    def bind(self, activity_id: int, entity_type_id: int, entity_id: int) -> bool:
        """False where it was bound already."""
        target = (entity_type_id, entity_id)
        bound = self.bindings.setdefault(activity_id, [])
        if target in bound:
            return False
        bound.append(target)
        self.by_owner.setdefault(target, []).append(activity_id)
        return True

    def drop(self, activity_id: int) -> None:
        for target in self.bindings.pop(activity_id, []):
            self.by_owner[target].remove(activity_id)
        self.communications.pop(activity_id, None)
        del self.rows[activity_id]
        self._listed = None

    def forget_owner(self, entity_type_id: int, entity_id: int) -> None:
        """A deleted card takes along the activities bound to nothing else."""
        target = (entity_type_id, entity_id)
        for activity_id in self.by_owner.pop(target, []):
            bound = self.bindings[activity_id]
            bound.remove(target)
            if not bound:
                self.bindings.pop(activity_id)
                self.communications.pop(activity_id, None)
                del self.rows[activity_id]
                self._listed = None
