"""Claims: one at a time for the same people, over processes, and free when their holder dies."""

import asyncio

import psycopg
import pytest
from sqlalchemy import text

from app.store.claims import Claimed, Claims
from app.store.database import Database, DatabaseAway

pytestmark = pytest.mark.anyio

_END_CLAIMS = text("""
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'ogon-claims' AND datname = current_database()
""")
ANNA, OLEG = "+79123456789", "oleg@zavod.example"


@pytest.fixture(params=["one process", "two processes"])
async def two(request, database: Database):
    async with (
        Claims(database.conninfo, patience=0.3) as first,
        Claims(database.conninfo, patience=0.3) as second,
    ):
        yield (first, first) if request.param == "one process" else (first, second)


async def test_the_same_people_are_claimed_once(two) -> None:
    first, second = two
    async with first.held(1, [ANNA]):
        with pytest.raises(Claimed):
            async with second.held(1, [OLEG, ANNA]):
                pass
        async with second.held(1, [OLEG]), second.held(2, [ANNA]), second.held(1, []):
            pass
    async with second.held(1, [OLEG, ANNA]):
        pass


async def test_who_waits_comes_next_and_never_two_at_once(database: Database) -> None:
    inside = most = passed = 0

    async def convert(claims: Claims, values: list[str]) -> None:
        nonlocal inside, most, passed
        async with claims.held(1, values):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1
            passed += 1

    async with Claims(database.conninfo, patience=30) as first, Claims(database.conninfo, patience=30) as second:
        await asyncio.gather(
            *(
                convert(claims, values)
                for claims in (first, second)
                for values in ([ANNA, OLEG], [OLEG, ANNA], [ANNA, "other"])
            )
        )
    assert (passed, inside) == (6, 0)
    assert most == 1


async def test_an_error_inside_or_a_cancelled_wait_gives_the_claim_back(two) -> None:
    first, second = two
    with pytest.raises(ValueError, match="inside"):
        async with first.held(1, [ANNA]):
            raise ValueError("inside")

    async def wait() -> None:
        async with second.held(1, [ANNA]):
            await asyncio.sleep(60)

    async with first.held(1, [ANNA]):
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with second.held(1, [ANNA]):
        pass


async def test_a_dead_holder_holds_nothing(database: Database, database_conninfo: str) -> None:
    async with Claims(database.conninfo) as dead, Claims(database.conninfo) as alive:
        async with dead.held(1, [ANNA]):
            async with await psycopg.AsyncConnection.connect(database_conninfo, autocommit=True) as admin:
                await admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'ogon-claims' AND datname = current_database()"
                )
            async with alive.held(1, [ANNA]):
                pass
        async with dead.held(1, [ANNA]):
            pass


async def test_a_claim_that_went_with_its_connection_is_known_to_be_lost(database: Database) -> None:
    async with Claims(database.conninfo) as claims, claims.held(1, [ANNA]) as claim:
        await claims.make_sure(claim)
        async with database.writing() as session:
            await session.execute(_END_CLAIMS)
        with pytest.raises(DatabaseAway):
            await claims.make_sure(claim)
        async with claims.held(1, [OLEG]):
            with pytest.raises(Claimed):
                await claims.make_sure(claim)
