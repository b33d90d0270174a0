"""A portal with a dictionary and a clock three hours ahead of UTC, to record deals for."""

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from app.store import dictionary, portals
from app.store.database import Database
from app.store.secret_box import SecretBox
from tests.reports.recorded import INTEGRATION

WEBHOOK = SecretStr("https://acme.bitrix24.ru/rest/7/wh3bh00kc0de/")
STAGES = [
    [2, 0, "NEW", "New", 10, "process", False],
    [2, 0, "WON", "Won", 20, "success", False],
    [2, 0, "LOSE", "Lost", 30, "failure", False],
    [1, 0, "GONE", "A lead's", 10, "success", False],
]


@pytest.fixture
async def portal_id(database: Database) -> int:
    async with database.writing() as session:
        added = await portals.add(session, SecretBox(SecretStr("a key for tests, long enough")), webhook=WEBHOOK)
        await session.execute(
            text("UPDATE portals SET integration_user_id = :user WHERE id = :id"), {"user": INTEGRATION, "id": added.id}
        )
        await session.execute(
            text("INSERT INTO sweeps (portal_id, started_at, utc_offset) VALUES (:id, now(), 10800)"), {"id": added.id}
        )
        await dictionary.save(
            session, portal_id=added.id, document={"stages": STAGES}, read_at=datetime(2026, 11, 1, tzinfo=UTC)
        )
    return added.id
