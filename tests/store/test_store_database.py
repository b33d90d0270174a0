"""Sessions: what commits, what is refused, what an absent database looks like."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from app.store.database import DatabaseAway, connected, open_database, sqlalchemy_url
from app.store.migrate import is_current

pytestmark = pytest.mark.anyio

INSERT = text("INSERT INTO gaps (noticed_at, reason) VALUES (now(), 'x')")
COUNT = text("SELECT count(*) FROM gaps")


async def test_writing_commits_at_the_edge(database):
    async with database.writing() as session:
        await session.execute(INSERT)
        async with database.reading() as other:
            assert await other.scalar(COUNT) == 0
    async with database.reading() as session:
        assert await session.scalar(COUNT) == 1


async def test_writing_rolls_back_when_the_block_raises(database):
    async def fail() -> None:
        async with database.writing() as session:
            await session.execute(INSERT)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with database.reading() as session:
        assert await session.scalar(COUNT) == 0


async def test_reading_cannot_write_and_leaves_the_connection_clean(database):
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with database.reading() as session:
            await session.execute(INSERT)
    async with database.writing() as session:
        await session.execute(INSERT)


async def test_a_wrong_statement_is_not_a_database_away(database):
    with pytest.raises(ProgrammingError):
        async with database.reading() as session:
            await session.execute(text("SELECT FROM nowhere"))


@pytest.mark.parametrize(
    "conninfo",
    [
        pytest.param("host=/nonexistent user=x dbname=x", id="no socket"),
        pytest.param("postgresql://user:pa55word@127.0.0.1:1/x", id="nobody listens"),
    ],
)
async def test_absent_database_is_away_without_its_password(conninfo):
    async with connected(conninfo) as database:
        for edge in (database.reading, database.writing):
            with pytest.raises(DatabaseAway, match="check that PostgreSQL runs") as caught:
                async with edge() as session:
                    await session.execute(text("SELECT 1"))
            assert "pa55word" not in str(caught.value)
    assert "pa55word" not in repr(database)


async def test_cut_connection_is_away_and_the_next_one_works(database):
    async def be_cut() -> None:
        async with database.writing() as session:
            pid = await session.scalar(text("SELECT pg_backend_pid()"))
            async with database.writing() as other:
                await other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
            await session.execute(INSERT)

    with pytest.raises(DatabaseAway):
        await be_cut()
    async with database.reading() as session:
        assert await session.scalar(COUNT) == 0


async def test_exhausted_pool_is_away(database_conninfo, monkeypatch):
    monkeypatch.setattr("app.store.database._POOL_SECONDS", 0.5)
    async with (
        connected(database_conninfo, pool_size=1) as database,
        database.reading() as one,
        database.reading() as two,
    ):
        await asyncio.gather(one.execute(COUNT), two.execute(COUNT))
        with pytest.raises(DatabaseAway):
            async with database.reading() as three:
                await three.execute(COUNT)


async def test_root_opens_what_settings_name(settings_with_database):
    async with open_database(settings_with_database) as database:
        assert await is_current(database)


def test_url_keeps_password_and_socket_directory():
    url = sqlalchemy_url("host=/run/a user=u password='p@:/' dbname=d port=5433")
    assert (url.username, url.password, url.database) == ("u", "p@:/", "d")
    assert dict(url.query) == {"host": "/run/a", "port": "5433"}
    assert sqlalchemy_url("postgresql://u:p%40@h/d").password == "p@"
