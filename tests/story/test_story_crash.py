"""Workers die at any moment, and still each lead gets exactly one of everything."""

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.story.burst import burst, exactly_one_of_each
from tests.story.house import Story

pytestmark = pytest.mark.anyio

# Runs that went on when the card's next one had closed them.
_WRITTEN_AFTER_THE_END = text("""
    SELECT run.card_id, action.key FROM runs AS run JOIN actions AS action ON action.run_id = run.id
    WHERE run.status = 'abandoned' AND action.started_at > run.closed_at
""")
_WRITES = (".add", ".update", ".set")
_REPOSITORY = Path(__file__).parents[2]


async def test_a_worker_that_is_stopped_in_the_middle_hands_its_cards_on(story: Story) -> None:
    await story.stop_worker()
    story.portal.limits = _slow(story)
    leads = burst(story, 12)
    dice = random.Random(3)
    for _ in range(3):
        story.start_worker()
        await _writes(story, dice.randint(5, 25))
        await story.stop_worker()
    story.start_worker()
    await story.settled()
    await story.time_passes()
    await story.settled()
    exactly_one_of_each(story, leads)


@pytest.mark.slow
async def test_killed_workers_lose_and_double_nothing(story: Story, database_url: str, tmp_path: Path) -> None:
    await story.stop_worker()
    story.portal.limits = _slow(story)
    leads = burst(story, 40)
    dice = random.Random(11)
    for _ in range(3):
        async with _worker_process(story, database_url, tmp_path) as process:
            await _writes(story, dice.randint(5, 60))
            process.kill()
            await process.wait()
    story.start_worker()
    await story.settled()
    exactly_one_of_each(story, leads)


@pytest.mark.slow
async def test_a_worker_that_stood_still_and_goes_on_leaves_alone_what_was_taken_over(
    story: Story, database_url: str, tmp_path: Path
) -> None:
    await story.stop_worker()
    story.portal.limits = _slow(story)
    leads = burst(story, 24)
    async with _worker_process(story, database_url, tmp_path) as process:
        for count in (10, 40):
            await _writes(story, count)
            process.send_signal(signal.SIGSTOP)
            story.start_worker()
            await story.settled()
            process.send_signal(signal.SIGCONT)
            more = burst(story, 6, first=count * 10)
            await story.stop_worker()
            leads |= more
            await story.until(lambda more=more: _begun(story, more))
        story.start_worker()
        await story.settled()
        await story.time_passes()
        await story.settled()
    exactly_one_of_each(story, leads)
    async with story.database.reading() as session:
        late = (await session.execute(_WRITTEN_AFTER_THE_END)).all()
    assert late == []


async def _begun(story: Story, leads: Iterable[int]) -> bool:
    """The worker that stood still works again."""
    return any(story.verdict(lead) for lead in leads)


def _slow(story: Story):
    """Commands take some time, so that there is a middle to be killed in."""
    return type(story.portal.limits)(enforced=False, cost=0.01)


async def _writes(story: Story, count: int) -> None:
    """Until the portal has taken so many more writes, or has nothing left to take."""

    def taken() -> int:
        return sum(n for name, n in story.portal.stats.commands.items() if name.endswith(_WRITES))

    goal = taken() + count

    async def reached() -> bool:
        return taken() >= goal or await story.quiet()

    await story.until(reached)


@contextlib.asynccontextmanager
async def _worker_process(story: Story, database_url: str, data_dir: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    secret_key = story.settings.secret_key
    assert secret_key is not None
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.story.worker_process",
        cwd=_REPOSITORY,
        env={
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database_url,
            "DATA_DIR": str(data_dir),
            "SECRET_KEY": secret_key.get_secret_value(),
            "WORKER_CONCURRENCY": "8",
            "SWEEP_EVERY": "0",
            "DIGEST_AT": "off",
        },
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
