"""Reads a whole list, however long, in as few requests as its ids allow.

Used by `PortalClient.walk`. The documented way (docs: settings/performance/huge-data) walks page by page by `>id` with
`start: -1`; each page waits for the one before it. Here the first request asks for both ends, and what lies between is
cut into ranges of ids that are asked for independently, 50 pages to a batch. A range that holds more than a page is
cut again from its last id on, so gaps and crowds cost requests, never rows.

Rows come in ascending order of id. Rows created after the first request are not part of the walk: go on from
the last id seen. Rows deleted meanwhile may be missing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from app.bitrix24.errors import Rejected
from app.bitrix24.protocol import LARGEST_BATCH, PAGE, items_of

Row = dict[str, Any]
Read = Callable[[Mapping[str, Any]], Awaitable[Any]]
"""Calls the list method with these parameters; gives its `result`."""

_AHEAD: Final = 8
"""Batches of pages asked for before the reader has taken the first: bounds memory to some 20,000 rows."""
_DENSE: Final = 0.8
_AIM: Final = 40
"""Rows aimed at per page when ids have gaps, so that most pages need no second one."""
_WIDEST: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk over one list method. `id_name` is how the method spells its id in filter and order.

    `few`: the list is likely to fit into a page, so that the other end is asked for only when it does not.
    """

    read: Read
    method: str
    params: Mapping[str, Any]
    id_name: str
    few: bool = False

    async def rows(self) -> AsyncIterator[Row]:
        """Every row once, ids ascending."""
        if self.few:
            first, last = await self._page("ASC"), []
        else:
            first, last = await asyncio.gather(self._page("ASC"), self._page("DESC"))
        for row in first:
            yield row
        if len(first) < PAGE:
            return
        last = last or await self._page("DESC")
        low, high = self._id(first[-1]), min(self._id(row) for row in last) - 1
        async for row in self._between(low, high, width=_width(self._density(first), self._density(last))):
            yield row
        for row in sorted(last, key=self._id):
            if self._id(row) > low:
                yield row

    async def _between(self, low: int, high: int, *, width: int) -> AsyncIterator[Row]:
        """Rows with `low < id <= high`, several batches of pages ahead of the reader."""
        ahead: deque[tuple[int, asyncio.Task[list[Row]]]] = deque()
        try:
            while low < high or ahead:
                while low < high and len(ahead) < _AHEAD:
                    edge = min(high, low + width * LARGEST_BATCH)
                    ahead.append((edge - low, asyncio.create_task(self._ranges(low, edge, width))))
                    low = edge
                span, task = ahead[0]
                rows = await task
                ahead.popleft()
                width = _width(max(len(rows) / span, 1 / (width * LARGEST_BATCH)))
                for row in rows:
                    yield row
        finally:
            for _, task in ahead:
                task.cancel()
            await asyncio.gather(*(task for _, task in ahead), return_exceptions=True)

    async def _ranges(self, low: int, high: int, width: int) -> list[Row]:
        """The same, in ranges of `width` ids asked for together; wider ones when that made over a batch of them."""
        width = max(width, -(-(high - low) // LARGEST_BATCH))
        edges = range(low, high, width)
        parts = await asyncio.gather(*(self._range(edge, min(edge + width, high)) for edge in edges))
        return [row for part in parts for row in part]

    async def _range(self, low: int, high: int) -> list[Row]:
        """The same, in one page; what does not fit is cut by how crowded the page was."""
        page = await self._page("ASC", {f">{self.id_name}": low, f"<={self.id_name}": high})
        ids = [self._id(row) for row in page]
        if any(not low < one <= high for one in ids):
            raise Rejected("The list does not filter by id; read it page by page", method=self.method)
        if len(page) < PAGE or max(ids) == high:
            return page
        return page + await self._ranges(max(ids), high, _width(len(page) / (max(ids) - low)))

    async def _page(self, direction: str, between: Mapping[str, int] | None = None) -> list[Row]:
        given = cast("Mapping[str, Any]", self.params.get("filter") or {})
        question = {
            **self.params,
            "filter": {**given, **(between or {})},
            "order": {self.id_name: direction},
            "start": -1,
        }
        rows: list[Row] = []
        for row in items_of(await self.read(question)):
            if not isinstance(row, dict):
                detail = "A row came back empty: with useOriginalUfNames select only ['*']"
                raise Rejected(detail, method=self.method)
            rows.append(cast("Row", row))
        return rows

    def _id(self, row: Row) -> int:
        for name in (self.id_name, "id", "ID"):
            if name in row:
                return int(row[name])
        raise Rejected("A row came back without its id; name it in select", method=self.method)

    def _density(self, rows: Sequence[Row]) -> float:
        """Rows per id, at this end of the list."""
        ids = [self._id(row) for row in rows]
        return len(ids) / (max(ids) - min(ids) + 1)


def _width(*densities: float) -> int:
    """Ids per page: a full page where there are no gaps, wider where there are."""
    density = max(densities)
    return PAGE if density > _DENSE else min(_WIDEST, int(_AIM / density))
