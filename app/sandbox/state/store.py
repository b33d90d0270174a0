"""Cards of one object type with their indexes: by id, and by the links that filters and searches use.

Called by saving (writes) and filters (candidates). Holds stored forms; renders and checks nothing.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable
from typing import Any

Item = dict[str, Any]

INDEXED = ("leadId", "originId", "companyId", "contactId", "parentId2", "dealId", "stageId")


class Store:
    def __init__(self) -> None:
        self.rows: dict[int, Item] = {}
        self.ids: list[int] = []
        self._next = 1
        self._index: dict[str, dict[Any, set[int]]] = {name: {} for name in INDEXED}

    def new_id(self) -> int:
        issued = self._next
        self._next += 1
        return issued

    def put(self, item: Item) -> None:
        item_id: int = item["id"]
        before = self.rows.get(item_id)
        if before is None:
            insort(self.ids, item_id)
        else:
            self._unindex(before)
        self.rows[item_id] = item
        for name, index in self._index.items():
            if item.get(name):
                index.setdefault(item[name], set()).add(item_id)

    def drop(self, item_id: int) -> None:
        self._unindex(self.rows.pop(item_id))
        self.ids.remove(item_id)

    def after(self, item_id: int) -> list[int]:
        """Ids greater than the given one, ascending: what a walk by `>id` asks for."""
        return self.ids[bisect_right(self.ids, item_id) :]

    def with_value(self, name: str, values: Iterable[Any]) -> list[int]:
        """Ids of the cards whose indexed field holds one of the values, ascending."""
        found: set[int] = set()
        for value in values:
            found |= self._index[name].get(value, set())
        return sorted(found)

    def _unindex(self, item: Item) -> None:
        for name, index in self._index.items():
            if item.get(name):
                index[item[name]].discard(item["id"])
