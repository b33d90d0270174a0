"""What a digest says of a department, a pool, a person, against reckoning it from the same cards, and the pages."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, text

from app.domain.digest import Due, Kind, Led
from app.pipeline.digest_figures import gather
from app.reports import REPORTS
from app.store import portals
from app.store.database import Database
from app.store.models import ReactionRow
from app.store.secret_box import SecretBox
from tests.reports.world import NOW, POOL, SINCE, UNTIL, Card, asked, record, there, world

pytestmark = pytest.mark.anyio

WEEK = Due(Kind.WEEKLY, UNTIL, SINCE, UNTIL)
LED = [
    Led(name="Department", department=1),
    Led(name="Pool", pool=POOL),
    Led(name="", manager=8),
    *(Led(name=str(number), department=3) for number in range(4)),
]
WAITING = {1: (7, "hot", -1), 2: (7, "warm", 1), 3: (8, "hot", 1), 4: (None, "hot", -1), 5: (9, "other", -1)}
"""Holder, target and hours until the time is over, by lead."""


@pytest.fixture
async def made(database: Database) -> tuple[int, list[Card]]:
    cards = world(3)
    async with database.writing() as session:
        webhook = SecretStr("https://acme.bitrix24.ru/rest/7/wh3bh00kc0de/")
        portal = await portals.add(session, SecretBox(SecretStr("a key for tests, long enough")), webhook=webhook)
        await session.execute(
            text("INSERT INTO sweeps (portal_id, started_at, utc_offset) VALUES (:id, now(), 10800)"), {"id": portal.id}
        )
        await record(session, portal.id, cards)
        await session.execute(text("UPDATE cards SET state = 'parked', assigned_by_id = 7 WHERE card_id IN (1, 2)"))
        for card, (holder, target, hours) in WAITING.items():
            round_ = {
                "portal_id": portal.id, "entity_type_id": 1, "card_id": card, "holder": holder, "running": True,
                "arrived_at": NOW, "due_at": NOW + timedelta(hours=hours), "made_from_call": False, "target": target,
                "minutes": 15, "met": "unknown", "state": "waiting", "missing": [], "doubtful": [], "computed_at": NOW,
            }  # fmt: skip
            await session.execute(insert(ReactionRow).values(round_))
    return portal.id, cards


async def test_figures_are_those_of_the_cards_and_of_the_pages(
    database: Database, made: tuple[int, list[Card]]
) -> None:
    portal_id, cards = made
    async with database.reading() as session:
        told = await gather(session, portal_id, WEEK, LED, now=NOW)
        parked = (await session.execute(text("SELECT count(*) FROM cards WHERE state = 'parked'"))).scalar_one()
    assert (len(told.parts), told.left_out, told.nobodys, told.unjudged) == (5, 2, 1, 0)
    for part, people in zip(told.parts, ({7, 8}, {7, 9}, {8}, {7}, {7}), strict=True):
        leads = [one for one in there(cards, 1, **part.led.filters) if one.made_in()]
        deals = there(cards, 2, **part.led.filters)
        assert leads
        assert part.leads == len(leads)
        grades = Counter(one.of("grade") for one in deals if one.made_in())
        assert sorted(count for _, count in part.grades) == sorted(grades.values())
        assert {name: count for name, count in part.grades if name in {"AAA", "BBB", "CCC"}} == {
            name: count for name, count in grades.items() if name in {"AAA", "BBB", "CCC"}
        }
        won = [one for one in deals if one.ending == "won" and one.closed_in()]
        assert part.week is not None
        assert part.week.won == len(won)
        amounts = [one.of("amount") for one in won if one.of("amount") is not None]
        assert part.week.revenue == (sum(amounts, Decimal(0)) if amounts else None)
        waits = [one for one in WAITING.values() if one[0] in people]
        assert part.waiting == len(waits)
        assert part.overdue == sum(hours < 0 for _, _, hours in waits)
        assert part.hot == sum(target == "hot" for _, target, _ in waits)
        assert part.parked == (parked if 7 in people else 0)
        scope = await asked(database, portal_id, **part.led.filters)
        async with database.reading() as session:
            forecast = await REPORTS["forecast"].tell(session, scope)
        assert forecast.tables[0].totals is not None
        assert part.week.expected == forecast.tables[0].totals.cells["money_expected"]


async def test_a_daily_digest_asks_nothing_of_the_week(database: Database, made: tuple[int, list[Card]]) -> None:
    portal_id, _ = made
    async with database.reading() as session:
        told = await gather(session, portal_id, Due(Kind.DAILY, UNTIL, SINCE, UNTIL), LED[:1], now=NOW)
    assert told.parts[0].week is None
