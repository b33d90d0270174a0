"""The walk all card lists share: candidates by index, filter, order, page.

Called by `crm.item.list` and the legacy lists. A walk by id with `start=-1` stops after one page.
"""

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


_NOTHING = ("", None, "0", 0, False)


def _indexed(field: Field, value: Any) -> Any:
    return as_int(value) if field.linked_number else str(value)
