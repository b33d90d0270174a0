"""Lists of plain rows (activities, history, users, products): filter, order and page without a schema.

Called by the methods whose rows are dictionaries of printed values. Numbers compare as numbers, ISO
times as moments.
"""

from collections.abc import Iterable
from typing import Any

from app.sandbox.dates import PortalTime
from app.sandbox.fields import Field
from app.sandbox.filters import Predicate, compile_filter, compile_order, sort_items
from app.sandbox.wire import as_int

Row = dict[str, Any]


class Columns:
    """Which columns exist and how each compares."""

    def __init__(self, names: Iterable[str], *, numbers: Iterable[str] = (), times: Iterable[str] = ()) -> None:
        kinds = {**dict.fromkeys(names, "string"), **dict.fromkeys(numbers, "integer")}
        kinds |= dict.fromkeys(times, "datetime")
        self.fields = {name: Field(name, name, kind) for name, kind in kinds.items()}
        self._numbers = frozenset(numbers)

    def filter(self, raw: Any, time: PortalTime, *, strict: bool) -> Predicate:
        test = compile_filter(raw, self.fields.get, time, strict=strict, nested=False)
        return lambda row: test(self._comparable(row))

    def sort(self, rows: list[Row], raw: Any, *, strict: bool, default: tuple[str, bool]) -> list[Row]:
        order = compile_order(raw, self.fields.get, strict=strict) or [default]
        keyed = [({**self._comparable(row), "": row}) for row in rows]
        return [row[""] for row in sort_items(keyed, order)]

    def _comparable(self, row: Row) -> Row:
        return {**row, **{name: as_int(row.get(name)) for name in self._numbers if name in row}}
