"""Migrations: the database they make is the one the models describe, and concurrent starts are safe."""

import hashlib
import uuid

import anyio
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from procrastinate.schema import SchemaManager
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import text

from app.store.database import connected
from app.store.migrate import VERSION_TABLE, is_current, migrate, ours
from app.store.models import Base

pytestmark = pytest.mark.anyio


@pytest.fixture
def empty_conninfo(server_conninfo):
    name = f"ogon_empty_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield make_conninfo(server_conninfo, dbname=name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _differences(connection):
    context = MigrationContext.configure(
        connection,
        opts={"include_name": ours, "version_table": VERSION_TABLE, "compare_server_default": True},
    )
    return compare_metadata(context, Base.metadata)


async def test_migrated_database_equals_models(database):
    async with database.reading() as session:
        assert await (await session.connection()).run_sync(_differences) == []


async def test_every_table_tells_analysts_what_it_is(database):
    async with database.reading() as session:
        silent = await session.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
                " AND relname NOT LIKE 'procrastinate%' AND relname <> 'schema_version'"
                " AND obj_description(oid) IS NULL"
            )
        )
        assert silent.all() == []


async def test_request_buckets_are_unlogged(database):
    async with database.reading() as session:
        kind = await session.scalar(text("SELECT relpersistence FROM pg_class WHERE relname = 'request_buckets'"))
    assert kind == "u"


async def test_concurrent_starts_migrate_once(empty_conninfo):
    async def start() -> None:
        async with connected(empty_conninfo) as database:
            await migrate(database)

    async with anyio.create_task_group() as starts:
        for _ in range(4):
            starts.start_soon(start)
    async with connected(empty_conninfo) as database:
        assert await is_current(database)
        await migrate(database)


async def test_empty_database_is_not_current(empty_conninfo):
    async with connected(empty_conninfo) as database:
        assert not await is_current(database)


def test_queue_schema_is_the_one_that_was_migrated():
    """When this fails, procrastinate was upgraded: turn its SQL migrations into one of ours first."""
    digest = hashlib.sha256(SchemaManager.get_schema().encode()).hexdigest()
    assert digest.startswith("c70ec4b400a60ad9")
