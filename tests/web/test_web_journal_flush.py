"""The intake's own connection: what it writes, what it refuses, how it comes back."""

import psycopg
import pytest

from app.store import journal
from app.store.database import Database
from app.store.journal import NewEntry
from app.store.journal_flush import JournalFlush, RowsRefused, WriteFailed

pytestmark = pytest.mark.anyio


def lead(card_id: int, **changes) -> NewEntry:
    values = {"source": "webhook", "event": "ONCRMLEADADD", "portal_id": 1, "entity_type_id": 1, "card_id": card_id}
    return NewEntry(**(values | changes))


async def entries(database: Database) -> list[journal.Entry]:
    async with database.reading() as session:
        return list(reversed(await journal.recent(session)))


async def test_a_batch_stands_in_the_journal_in_order(database: Database, database_conninfo: str) -> None:
    flush = JournalFlush(database_conninfo)
    await flush.write([lead(3, change="add", lane=0), lead(1), lead(2)])
    await flush.close()
    stored = await entries(database)
    assert [(entry.card_id, entry.change, entry.lane) for entry in stored] == [
        (3, "add", 0),
        (1, None, 1),
        (2, None, 1),
    ]
    assert all(entry.dispatched_at is None and entry.body is None and entry.rejected is None for entry in stored)


async def test_a_rejected_entry_never_waits_for_dispatch(database: Database, database_conninfo: str) -> None:
    flush = JournalFlush(database_conninfo)
    body = {"event": "ONTASKADD", "name": "nul \x00 and half \ud800"}
    await flush.write([NewEntry(source="webhook", event="ONTASKADD \x00", rejected="unknown event", body=body)])
    await flush.close()
    async with database.reading() as session:
        assert (await journal.backlog(session)).waiting == 0
    (stored,) = await entries(database)
    assert stored.rejected == "unknown event"
    assert stored.body == {"event": "ONTASKADD", "name": "nul \ufffd and half ?"}


@pytest.mark.parametrize("text", ['"', "\\", '\\"', "{a,b}", "NULL", "", " ", "a,b", "'", "$1", "%s", "строка", "\n\t"])
async def test_any_text_comes_back_as_it_was(database: Database, database_conninfo: str, text: str) -> None:
    flush = JournalFlush(database_conninfo)
    body = {text: [text, None, 1.5, {"a": text}]}
    await flush.write([lead(1, event=text, rejected=text, body=body), lead(2, body=[text])])
    await flush.close()
    first, second = await entries(database)
    assert (first.event, first.rejected, first.body, second.body) == (text, text, body, [text])


async def test_one_impossible_entry_refuses_the_batch_and_leaves_nothing(
    database: Database, database_conninfo: str
) -> None:
    flush = JournalFlush(database_conninfo)
    with pytest.raises(RowsRefused):
        await flush.write([lead(1), lead(2**70)])
    await flush.write([lead(2)])
    await flush.close()
    assert [entry.card_id for entry in await entries(database)] == [2]


async def test_a_killed_connection_is_opened_anew(database: Database, database_conninfo: str) -> None:
    flush = JournalFlush(database_conninfo)
    await flush.write([lead(1)])
    async with await psycopg.AsyncConnection.connect(database_conninfo, autocommit=True) as admin:
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'ogon-intake' AND datname = current_database()"
        )
    await flush.write([lead(2)])
    await flush.close()
    assert [entry.card_id for entry in await entries(database)] == [1, 2]


async def test_no_server_is_a_failed_write() -> None:
    flush = JournalFlush("host=127.0.0.1 port=1 user=nobody dbname=nothing")
    with pytest.raises(WriteFailed):
        await flush.write([lead(1)])
