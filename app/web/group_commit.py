"""Group commit: rows that arrive while a flush is in flight share the next INSERT and its commit.

Used by `intake.py`: a delivery is answered 200 only after `put` returned, and `put` returns only after the
commit. It knows neither HTTP nor SQL; the `write` it is given does the INSERT.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

from app.errors import OgonError
from app.store.journal_flush import RowsRefused, WriteFailed

Row = TypeVar("Row")
_Waiting: TypeAlias = tuple[Row, asyncio.Future[None]]

WAITING_CAP = 5_000
"""Rows that may wait for a commit at one time; about a second of work."""
BATCH = 500
"""Rows in one INSERT, so that a long queue does not become one long statement."""


class WaitingListFull(OgonError):  # noqa: N818 - named as the callers' `except` reads
    """More rows wait for a commit than we are willing to hold."""


class GroupCommit(Generic[Row]):
    """Callers of `put` share commits. One instance per kind of row, one event loop, one flush at a time."""

    def __init__(
        self,
        write: Callable[[Sequence[Row]], Awaitable[None]],
        *,
        waiting_cap: int = WAITING_CAP,
        batch: int = BATCH,
        on_flush: Callable[[int], None] = lambda _rows: None,
    ) -> None:
        """`write` commits all rows or none, raising RowsRefused or WriteFailed; `on_flush` hears of batch sizes."""
        self._write = write
        self._cap = waiting_cap
        self._batch = batch
        self._on_flush = on_flush
        self._waiting: list[_Waiting[Row]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """Rows not yet taken into a flush."""
        return len(self._waiting)

    async def put(self, row: Row) -> None:
        """Return once `row` is committed. Raises WaitingListFull, WriteFailed, or RowsRefused for this very row."""
        if self._closed or len(self._waiting) >= self._cap:
            raise WaitingListFull("Too many deliveries wait to be stored; send it again later.")
        committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, committed))
        if self._flusher is None:
            # The task starts on the next turn of the loop, so all deliveries read in this turn share the flush.
            self._flusher = asyncio.create_task(self._flush_all(), name="group-commit")
        await committed

    async def close(self) -> None:
        """Take nothing more and return when everything that waits is committed or refused."""
        self._closed = True
        if self._flusher is not None:
            await asyncio.wait([self._flusher])

    async def _flush_all(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[: self._batch]
                del self._waiting[: self._batch]
                await self._flush(batch)
        finally:
            self._flusher = None
            # Empty unless a defect in `write` or a cancellation broke the loop: nobody may be left hanging.
            left, self._waiting = self._waiting, []
            _settle_all(left, WriteFailed("The flush was broken off."))

    async def _flush(self, batch: list[_Waiting[Row]]) -> None:
        self._on_flush(len(batch))
        try:
            failure = await self._attempt([row for row, _ in batch])
            if isinstance(failure, RowsRefused) and len(batch) > 1:
                await self._one_by_one(batch)
            else:
                _settle_all(batch, failure)
        finally:
            _settle_all(batch, WriteFailed("The flush was broken off."))

    async def _one_by_one(self, batch: list[_Waiting[Row]]) -> None:
        for row, committed in batch:
            failure = await self._attempt([row])
            _settle(committed, failure)
            if isinstance(failure, WriteFailed):
                # The database went away meanwhile: do not wait for it once per row.
                _settle_all(batch, failure)
                return

    async def _attempt(self, rows: list[Row]) -> RowsRefused | WriteFailed | None:
        try:
            await self._write(rows)
        except (RowsRefused, WriteFailed) as failure:
            return failure
        return None


def _settle(committed: "asyncio.Future[None]", failure: RowsRefused | WriteFailed | None) -> None:
    if committed.done():
        return
    if failure is None:
        committed.set_result(None)
    else:
        committed.set_exception(failure)


def _settle_all(batch: Sequence[_Waiting[Row]], failure: RowsRefused | WriteFailed | None) -> None:
    for _, committed in batch:
        _settle(committed, failure)
