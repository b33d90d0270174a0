"""Group commit: who shares a flush, who waits, what a failure means for whom."""

import asyncio
from collections.abc import Sequence

import pytest

from app.store.journal_flush import RowsRefused, WriteFailed
from app.web.group_commit import GroupCommit, WaitingListFull

pytestmark = pytest.mark.anyio


class Journal:
    """Commits when told; refuses the rows it is told to refuse."""

    def __init__(self) -> None:
        self.committed: list[list[int]] = []
        self.attempts: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.refused: set[int] = set()
        self.away = False

    async def write(self, rows: Sequence[int]) -> None:
        self.attempts.append(list(rows))
        await self.gate.wait()
        if self.away:
            raise WriteFailed("away")
        if self.refused & set(rows):
            raise RowsRefused("no")
        self.committed.append(list(rows))


async def test_rows_that_arrive_during_a_flush_share_the_next() -> None:
    journal = Journal()
    journal.gate.clear()
    commit = GroupCommit(journal.write)
    first = asyncio.create_task(commit.put(1))
    await until(lambda: journal.attempts == [[1]])
    later = [asyncio.create_task(commit.put(row)) for row in (2, 3, 4)]
    await until(lambda: commit.waiting == 3)
    journal.gate.set()
    await asyncio.gather(first, *later)
    assert journal.committed == [[1], [2, 3, 4]]


async def test_rows_of_one_turn_of_the_loop_share_the_first_flush() -> None:
    journal = Journal()
    commit = GroupCommit(journal.write)
    await asyncio.gather(*(commit.put(row) for row in range(5)))
    assert journal.committed == [[0, 1, 2, 3, 4]]


async def test_put_returns_only_after_the_commit() -> None:
    journal = Journal()
    journal.gate.clear()
    commit = GroupCommit(journal.write)
    waiting = asyncio.create_task(commit.put(1))
    await until(lambda: journal.attempts == [[1]])
    assert not waiting.done()
    journal.gate.set()
    await waiting
    assert journal.committed == [[1]]


async def test_a_refused_batch_is_tried_row_by_row() -> None:
    journal = Journal()
    journal.refused = {2}
    commit = GroupCommit(journal.write)
    results = await asyncio.gather(*(commit.put(row) for row in (1, 2, 3)), return_exceptions=True)
    assert results[0] is None
    assert isinstance(results[1], RowsRefused)
    assert results[2] is None
    assert journal.committed == [[1], [3]]


async def test_a_database_away_fails_the_whole_batch_at_once() -> None:
    journal = Journal()
    journal.away = True
    commit = GroupCommit(journal.write)
    results = await asyncio.gather(*(commit.put(row) for row in (1, 2, 3)), return_exceptions=True)
    assert [type(result) for result in results] == [WriteFailed] * 3
    assert journal.attempts == [[1, 2, 3]]
    journal.away = False
    await commit.put(4)
    assert journal.committed == [[4]]


async def test_the_waiting_list_is_capped() -> None:
    journal = Journal()
    journal.gate.clear()
    commit = GroupCommit(journal.write, waiting_cap=2)
    in_flight = asyncio.create_task(commit.put(0))
    await until(lambda: journal.attempts == [[0]])
    waiting = [asyncio.create_task(commit.put(row)) for row in (1, 2)]
    await until(lambda: commit.waiting == 2)
    with pytest.raises(WaitingListFull):
        await commit.put(3)
    journal.gate.set()
    await asyncio.gather(in_flight, *waiting)
    assert journal.committed == [[0], [1, 2]]


async def test_a_batch_has_a_largest_size() -> None:
    journal = Journal()
    commit = GroupCommit(journal.write, batch=2)
    await asyncio.gather(*(commit.put(row) for row in range(5)))
    assert journal.committed == [[0, 1], [2, 3], [4]]


async def test_close_drains_and_takes_nothing_more() -> None:
    journal = Journal()
    journal.gate.clear()
    commit = GroupCommit(journal.write)
    waiting = [asyncio.create_task(commit.put(row)) for row in (1, 2)]
    await until(lambda: journal.attempts != [])
    closing = asyncio.create_task(commit.close())
    await asyncio.sleep(0)
    with pytest.raises(WaitingListFull):
        await commit.put(3)
    journal.gate.set()
    await closing
    assert [task.done() for task in waiting] == [True, True]
    assert journal.committed == [[1, 2]]


async def test_a_defect_in_the_writer_leaves_nobody_hanging() -> None:
    async def broken(_rows: Sequence[int]) -> None:
        raise KeyError("defect")

    commit = GroupCommit(broken, batch=1)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    results = await asyncio.gather(*(commit.put(row) for row in (1, 2)), return_exceptions=True)
    assert [type(result) for result in results] == [WriteFailed] * 2


async def until(condition) -> None:
    async with asyncio.timeout(180):
        while not condition():  # noqa: ASYNC110 - the condition has no event of its own
            await asyncio.sleep(0)
