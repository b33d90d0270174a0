"""The database dies under web and workers while leads come: nobody restarts them, and nothing is lost or done twice."""

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.sandbox.limits import Limits
from app.settings import Settings
from app.store import timers
from app.store.cluster import known_home
from app.store.database import Database, DatabaseAway, open_database
from app.store.embedded import wait_stopped
from app.store.migrate import migrate
from tests.story.burst import burst, exactly_one_of_each
from tests.story.house import Story
from tests.story.processes import told_by_processes

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

_LIMITS = Limits(requests_per_second=50, burst=1000, cost=0.01)
_MADE_UP_FOR = text("SELECT count(*) > 0 AND count(*) = count(swept_at) FROM gaps")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Outside pytest's own, which is closed to PostgreSQL's user when we are root."""
    directory = Path(tempfile.mkdtemp(prefix="ogon-d-"))
    directory.chmod(0o755)
    yield directory
    wait_stopped(directory)
    shutil.rmtree(directory)


@pytest.fixture
async def own_database(data_dir: Path, settings: Settings) -> AsyncIterator[tuple[Settings, Database]]:
    """An embedded server that only this story's processes use."""
    own = settings.model_copy(update={"data_dir": data_dir})
    async with open_database(own) as database:
        await migrate(database)
        yield own, database


@pytest.mark.slow
async def test_leads_that_come_while_the_database_is_dead_are_all_judged_by_the_same_processes(
    own_database: tuple[Settings, Database], data_dir: Path
) -> None:
    settings, database = own_database
    async with told_by_processes(settings, database, limits=_LIMITS, webs=1, workers=2, sweep_every=3600) as (
        story,
        fleet,
    ):
        leads = burst(story, 12)
        await story.until(lambda: _wrote(story))
        with _killed(data_dir):
            leads |= burst(story, 8, first=100)
            await story.until(lambda: _turned_away(story))
            assert (await story.http.get("/readyz")).status_code == 503
            assert (await story.http.get("/healthz")).status_code == 200
        # The processes bring the server back themselves, and what was told to nobody is found by the sweep.
        await story.until(lambda: _made_up_for(story))
        # What was begun when the server died is tried again some seconds later.
        await story.until(lambda: _nothing_waits(story))
        exactly_one_of_each(story, leads)
        assert all(place.process is not None and place.process.poll() is None for place in fleet.places)


@contextlib.contextmanager
def _killed(data_dir: Path) -> Iterator[None]:
    """The server is killed, and nobody can start it again while the block runs."""
    lock = os.open(data_dir / "postgres.lock", os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        record = known_home(data_dir) / "cluster" / "postmaster.pid"
        os.kill(int(record.read_text().split()[0]), signal.SIGKILL)
        yield
    finally:
        os.close(lock)


async def _wrote(story: Story) -> bool:
    return story.portal.stats.commands.get("crm.item.add", 0) > 2


async def _turned_away(story: Story) -> bool:
    return story.portal.stats.events_failed >= 8


async def _nothing_waits(story: Story) -> bool:
    async with story.database.reading() as session:
        waiting = await timers.waiting(session)
    return not waiting and await story.quiet()


async def _made_up_for(story: Story) -> bool:
    with contextlib.suppress(DatabaseAway):
        async with story.database.reading() as session:
            return bool(await session.scalar(_MADE_UP_FOR))
    return False
