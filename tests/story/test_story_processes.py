"""Several web and worker processes on one database: one budget, one worker for a card, nothing lost at a stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import text

from app.pipeline.jobs import GRACE_SECONDS
from app.sandbox.limits import Limits
from app.settings import Settings
from app.store.database import Database
from tests.story.burst import burst, exactly_one_of_each
from tests.story.house import Story
from tests.story.processes import told_by_processes

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

_LIMITS = Limits(requests_per_second=20, burst=30, cost=0.005)
# A run that was cut off is closed by the next one of its card; what is done in it afterwards is done by two at once.
_TOGETHER = text("""
    SELECT one.card_id, one.id FROM runs AS one JOIN runs AS other
        ON (other.portal_id, other.entity_type_id, other.card_id) = (one.portal_id, one.entity_type_id, one.card_id)
        AND other.id > one.id AND other.opened_at < one.closed_at AND one.status <> 'abandoned'
    UNION
    SELECT one.card_id, one.id FROM runs AS one JOIN actions ON actions.run_id = one.id
        AND one.status = 'abandoned' AND actions.finished_at > one.closed_at
""")
_WORKERS = text("SELECT count(DISTINCT worker_id) FROM procrastinate_jobs WHERE status = 'doing'")


@pytest.mark.slow
async def test_processes_share_budget_and_cards_and_hand_back_what_they_had_begun(
    settings_with_database: Settings, database: Database
) -> None:
    async with told_by_processes(settings_with_database, database, limits=_LIMITS, webs=2, workers=2) as (story, fleet):
        leads = burst(story, 12)
        await story.until(lambda: _both_work(story))
        stopped = fleet.workers[0]
        await stopped.stop()
        assert stopped.process is not None
        assert stopped.process.returncode == 0
        stopped.start()
        await story.settled()
        exactly_one_of_each(story, leads)
        assert story.portal.stats.refused_503 == 0, "two processes that write at once stay within one budget"
        assert await _judged_together(story) == []

        # Now somebody else on this address takes half of what the portal gives, and sometimes more.
        async with _neighbour(story.settings) as refused:
            more = burst(story, 6, first=100)
            await story.settled()
        assert refused, "it was tight"
        exactly_one_of_each(story, leads | more)
        assert await _judged_together(story) == []
        assert all(place.process is not None and place.process.poll() is None for place in fleet.places)


def test_a_stopping_worker_has_four_of_its_ten_seconds_left_to_hand_back() -> None:
    assert GRACE_SECONDS <= 6


async def _both_work(story: Story) -> bool:
    async with story.database.reading() as session:
        return await session.scalar(_WORKERS) == 2


async def _judged_together(story: Story) -> list[tuple[int, int]]:
    """Cards, with a run, in which two were at work at a time."""
    async with story.database.reading() as session:
        return [tuple(row) for row in await session.execute(_TOGETHER)]


@contextlib.asynccontextmanager
async def _neighbour(settings: Settings) -> AsyncIterator[list[int]]:
    """More than the portal's burst at once, then half of its steady rate in one go every second; yields refusals."""
    webhook = settings.bitrix24_webhook_url
    assert webhook is not None
    refused: list[int] = []

    async def call(http: httpx.AsyncClient) -> None:
        if (await http.post("profile")).status_code == 503:
            refused.append(503)

    async def go_on(http: httpx.AsyncClient) -> None:
        rate = int(_LIMITS.requests_per_second / 2)
        await asyncio.gather(*(call(http) for _ in range(_LIMITS.burst * 2)))
        while True:
            await asyncio.gather(*(call(http) for _ in range(rate)))
            await asyncio.sleep(1)

    async with httpx.AsyncClient(base_url=webhook.get_secret_value(), trust_env=False) as http:
        going = asyncio.create_task(go_on(http))
        try:
            yield refused
        finally:
            going.cancel()
            await asyncio.wait([going])
