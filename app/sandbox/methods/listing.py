"""The walk all card lists share: candidates by index, filter, order, page.

Called by `crm.item.list` and the legacy lists. A walk by id with `start=-1` stops after one page.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice
from typing import Any

from app.sandbox.fields import Field
from app.sandbox.filters import FieldFinder, Predicate, exact_values, sort_items, split_prefix
from app.sandbox.methods.base import PAGE, page
from app.sandbox.state.store import INDEXED, Item, Store
from app.sandbox.wire import as_int, as_map

Order = list[tuple[str, bool]]
Page = tuple[list[Item], int | None, int | None]


def find_page(store: Store, *, find: FieldFinder, raw_filter: Any, test: Predicate, order: Order, start: Any) -> Page:
    """Matching cards of one page, with `total` and `next` as the list methods give them.

    `find` must be the one the filter was compiled with: an index may only be used for a condition that counts.
    """
    matching = (item for item in (store.rows[one] for one in _candidates(store, find, raw_filter)) if test(item))
    by_id = not order or order[0] == ("id", False)
    if (as_int(start) or 0) < 0 and by_id:
        return list(islice(matching, PAGE)), None, None
    found = list(matching)
    return page(found if by_id else sort_items(found, order), start)


def _candidates(store: Store, find: FieldFinder, raw_filter: Any) -> list[int]:
    """Ids that may match, ascending; never fewer than do match."""
    conditions: dict[str, Any] = {}
    for key, value in as_map(raw_filter).items():
        prefix, name = split_prefix(key)
        if name == "logic" and str(value).upper() == "OR":
            return store.ids
        field = find(name)
        if field is not None:
            conditions[("" if prefix == "=" else prefix) + field.name] = value
    wanted = exact_values(conditions, "id")
    if wanted is not None:
        numbers = {as_int(one) for one in wanted}
        return sorted(one for one in numbers if one is not None and one in store.rows)
    for name in INDEXED:
        values = exact_values(conditions, name)
        field = find(name) if values else None
        if values and field is not None and not any(value in _NOTHING for value in values):
            return store.with_value(name, [_indexed(field, value) for value in values])
    above = as_int(conditions.get(">id"))
    return store.ids if above is None else store.after(above)


def walk_page(rows: Sequence[Item], test: Predicate, *, order: Any, start: Any) -> Page | None:
    """One page of plain rows with ascending ids, for a walk by ID that counts nothing; None for any other question."""
    (column, direction), *more = as_map(order).items() or [("", "")]
    if (as_int(start) or 0) >= 0 or more or str(column).upper() != "ID":
        return None
    ordered = reversed(rows) if str(direction).upper() == "DESC" else rows
    return list(islice((row for row in ordered if test(row)), PAGE)), None, None


def within(rows: Sequence[Item], conditions: Any) -> Sequence[Item]:
    """The stretch of rows with ascending ids that conditions on the ID leave; never fewer than do match."""
    given = as_map(conditions)
    above, up_to = as_int(given.get(">ID")), as_int(given.get("<=ID"))
    first = 0 if above is None else bisect_right(rows, above, key=_row_id)
    last = len(rows) if up_to is None else bisect_right(rows, up_to, key=_row_id)
    return rows[first:last] if first or last < len(rows) else rows


def _row_id(row: Item) -> int:
    return as_int(row.get("ID")) or 0


_NOTHING = ("", None, "0", 0, False)


def _indexed(field: Field, value: Any) -> Any:
    return as_int(value) if field.linked_number else str(value)
