"""Some days of the desk, checked by the oracle; `make quarter` plays the whole quarter."""

import pytest

from app.settings import Settings
from app.store.database import Database
from tests.quarter.cast import quarter
from tests.quarter.desk import opened
from tests.quarter.reckoning import reckon

pytestmark = [pytest.mark.anyio, pytest.mark.long]


async def test_a_few_days_at_the_desk_come_out_as_the_oracle_reckons(settings: Settings, database: Database) -> None:
    played = quarter(7, leads=60, days=6)
    async with opened(settings, database, played, seed=7) as desk:
        await desk.live(lambda _: None)
    found = await reckon(desk)
    assert found.wrong == []
    for what in ("handed over", "passed on", "told", "met", "working seconds"):
        assert found.counts[what] >= 5, found.counts
