"""Old journal rows go in batches, what waits stays, and the table keeps its size however long it is used."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import text

from app.store import retention
from app.store.retention import trim

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 8, 21, tzinfo=UTC)
_A_DAY = 8_000

_DAY_OF_WEBHOOKS = text("""
    INSERT INTO journal (portal_id, received_at, source, event, entity_type_id, card_id, change, lane, body)
    SELECT 1, CAST(:day AS timestamptz) + n * interval '1 second', 'webhook', 'ONCRMLEADUPDATE', 1, n, 'update', 1, NULL
    FROM generate_series(1, :rows) AS n
""")


async def _one(database, query: str, **values):
    async with database.reading() as session:
        return await session.scalar(text(query), values)


async def _a_day_passes(database, day: datetime) -> None:
    """As it is in production: rows come in, each is rewritten when it is dispatched."""
    async with database.writing() as session:
        await session.execute(_DAY_OF_WEBHOOKS, {"day": day, "rows": _A_DAY})
    async with database.writing() as session:
        await session.execute(text("UPDATE journal SET dispatched_at = received_at WHERE dispatched_at IS NULL"))


async def test_the_table_keeps_its_size_when_it_is_turned_over_again_and_again(database, database_conninfo) -> None:
    sizes = []
    for day in range(10):
        today = NOW + timedelta(days=day)
        await _a_day_passes(database, today)
        gone = await trim(database, before=today - timedelta(days=2), batch=3_000)
        assert gone == (_A_DAY if day >= 3 else 0)
        # What autovacuum does by itself within a minute or so.
        with psycopg.connect(database_conninfo, autocommit=True) as connection:
            connection.execute("VACUUM journal")
        sizes.append(await _one(database, "SELECT pg_total_relation_size('journal')"))
    assert await _one(database, "SELECT count(*) FROM journal") <= 3 * _A_DAY
    settled = sizes[4]
    assert max(sizes[5:]) <= settled * 1.1, sizes


async def test_what_waits_is_kept_and_does_not_hide_what_is_old_behind_it(database) -> None:
    async with database.writing() as session:
        await session.execute(_DAY_OF_WEBHOOKS, {"day": NOW, "rows": 50})
        await session.execute(text("UPDATE journal SET dispatched_at = now() WHERE card_id > 20"))
        await session.execute(text("UPDATE journal SET rejected = 'no' WHERE card_id = 20"))
    assert await trim(database, before=NOW + timedelta(days=1), batch=7) == 31
    assert await _one(database, "SELECT array_agg(card_id ORDER BY card_id) FROM journal") == list(range(1, 20))
    assert await trim(database, before=NOW + timedelta(days=1), batch=7) == 0


async def test_one_call_deletes_no_more_than_it_may(database) -> None:
    await _a_day_passes(database, NOW)
    assert await trim(database, before=NOW + timedelta(days=1), batch=1_000, most=3_000) == 3_000
    assert await _one(database, "SELECT count(*) FROM journal") == _A_DAY - 3_000
    assert await _one(database, "SELECT min(card_id) FROM journal") == 3_001, "the oldest go first"


async def test_while_one_process_deletes_another_does_not(database) -> None:
    await _a_day_passes(database, NOW)
    async with database.writing() as session:
        assert await retention._mine(session)
        assert await trim(database, before=NOW + timedelta(days=1)) == 0
    assert await trim(database, before=NOW + timedelta(days=1)) == _A_DAY


async def test_small_tables_follow_and_runs_stay(database, portal, lead) -> None:
    async with database.writing() as session:
        for day in ("2026-08-01", "2026-08-20"):
            await session.execute(
                text("INSERT INTO changed_cards VALUES (:portal, CAST(:day AS date), 1, 17, now())"),
                {"portal": portal.id, "day": day},
            )
        await session.execute(
            text(
                "INSERT INTO timers (portal_id, entity_type_id, card_id, reason, due_at, fired_at)"
                " VALUES (:portal, 1, 17, 'old', :then, :then), (:portal, 1, 17, 'set', :then, NULL)"
            ),
            {"portal": portal.id, "then": NOW - timedelta(days=30)},
        )
        await session.execute(
            text(
                "INSERT INTO runs (portal_id, entity_type_id, card_id, mode, opened_at, seen, facts, facts_digest)"
                " VALUES (:portal, 1, 17, 'live', :then, '{}', '[]', 'x')"
            ),
            {"portal": portal.id, "then": NOW - timedelta(days=3000)},
        )
    await trim(database, before=NOW - timedelta(days=5))
    assert await _one(database, "SELECT array_agg(day::text) FROM changed_cards") == ["2026-08-20"]
    assert await _one(database, "SELECT array_agg(reason) FROM timers") == ["set"]
    assert await _one(database, "SELECT count(*) FROM runs") == 1


@pytest.mark.parametrize("table", ["journal", "procrastinate_jobs", "procrastinate_events", "timers"])
async def test_tables_that_turn_over_are_vacuumed_early(database, table) -> None:
    options = await _one(database, "SELECT reloptions FROM pg_class WHERE relname = :table", table=table)
    assert "autovacuum_vacuum_scale_factor=0.02" in options
