"""Leads and deals come through a storm: webhooks are lost, the portal fails, processes die; none is lost or doubled.

The short form of `make chaos`: 200 cards, in the rhythm of the stories.
"""

from pathlib import Path

import pytest

from app.sandbox.limits import Limits
from tests.chaos.storm import Weather, storm

pytestmark = [pytest.mark.anyio, pytest.mark.long, pytest.mark.timeout(900)]

_SHORT = Weather(
    seed=1,
    cards=200,
    seconds=10,
    kills=4,
    faults=25,
    webs=1,
    limits=Limits(requests_per_second=50, burst=1000, cost=0.002),
    hurry=True,
    patience=600,
    worker=("-m", "tests.story.worker_process"),
)


async def test_nothing_is_missing_and_nothing_double_after_a_storm(database_url: str, tmp_path: Path) -> None:
    tally = await storm(_SHORT, tmp_path, database_url=database_url)
    assert tally.leads + tally.deals == 200
    assert tally.kills.total() + tally.stops == 4
    assert tally.dropped > 0
    assert tally.only_by_sweep > 0
    assert tally.faults.total() > 0
    assert tally.complaint == ""
