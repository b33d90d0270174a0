"""The house of `house.py` as a fixture: one portal, one database, the service, for each story anew."""

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from app.settings import Settings
from app.store.database import Database
from tests.story.house import Story, told_story


@pytest.fixture(autouse=True, scope="session")
def plain_logs() -> Iterator[None]:
    """Logs as short as in production: structlog's own default prints every local of a traceback, for seconds."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
        ],
    )
    yield
    structlog.reset_defaults()


@pytest.fixture
async def story(settings: Settings, database: Database) -> AsyncIterator[Story]:
    async with told_story(settings, database) as told:
        yield told
