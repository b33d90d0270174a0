"""How soon cards are answered, against reckoning it from the rounds one by one."""

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.interval import Share
from app.reports.reaction import REPORT
from app.reports.report import Number
from app.store.database import Database
from tests.reports.world import AHEAD, NOW, SINCE, UNTIL, asked

pytestmark = pytest.mark.anyio


@dataclass
class Round:
    """One round of a card, as it is kept."""

    card_id: int
    arrived_at: datetime
    deal_id: int | None
    responded_at: datetime | None
    responded_by: int | None
    holder: int | None
    target: str
    state: str
    met: str
    system_seconds: int | None
    person_seconds: int | None
    working_seconds: int | None

    @property
    def person(self) -> int | None:
        return self.responded_by if self.responded_by is not None else self.holder


def made_up(seed: int) -> list[Round]:
    dice = random.Random(seed)
    rounds: list[Round] = []
    for _ in range(120):
        at = NOW - timedelta(minutes=dice.randrange(200 * 24 * 60))
        answered, system, person = dice.random() < 0.7, dice.randrange(900), dice.randrange(20_000)
        state = dice.choice(["met", "missed"]) if answered else dice.choice(["waiting", "missed", "closed", "not_seen"])
        met = {"met": "yes", "missed": "no", "closed": "yes"}.get(state, "unknown")
        rounds.append(
            Round(
                card_id=dice.randrange(1, 60),
                arrived_at=at,
                deal_id=5 if dice.random() < 0.1 else None,
                responded_at=at + timedelta(hours=1) if answered else None,
                responded_by=dice.choice([7, 8, None]) if answered else None,
                holder=dice.choice([7, 9, None]),
                target=dice.choice(["hot", "warm", "other"]),
                state=state,
                met=met,
                system_seconds=system if answered else None,
                person_seconds=person if answered else None,
                working_seconds=system + person if answered else None,
            )
        )
    return rounds


def quantile(values: Sequence[int | None], at: float) -> float | None:
    ordered = sorted(value for value in values if value is not None)
    if not ordered:
        return None
    place = at * (len(ordered) - 1)
    low, high = int(place), min(int(place) + 1, len(ordered) - 1)
    return round(ordered[low] + (ordered[high] - ordered[low]) * (place - low), 3)


def cells(rounds: list[Round]) -> dict[str, Any]:
    answered = [one for one in rounds if one.responded_at is not None]
    decided = {one.card_id for one in rounds if one.met in {"yes", "no"}}
    within = {one.card_id for one in rounds if one.met == "yes"}
    return {
        "cards": len({one.card_id for one in rounds}),
        "answered": len({one.card_id for one in answered}),
        "within": (len(within), len(decided)) if decided else None,
        "unseen": len({one.card_id for one in rounds if one.state == "not_seen"}),
        "median": quantile([one.working_seconds for one in answered], 0.5),
        "ninth": quantile([one.working_seconds for one in answered], 0.9),
        "system": quantile([one.system_seconds for one in answered], 0.5),
        "person": quantile([one.person_seconds for one in answered], 0.5),
    }


def plain(value: Any) -> Any:
    if isinstance(value, Share):
        return value.hits, value.of
    return round(value, 3) if isinstance(value, float) else value


@pytest.mark.parametrize("manager", [None, 7])
async def test_rounds_are_told_as_reckoned_one_by_one(database: Database, portal_id: int, manager: int | None) -> None:
    rounds = made_up(1)
    async with database.writing() as session:
        for one in rounds:
            await session.execute(
                text("""
                    INSERT INTO reactions (portal_id, entity_type_id, card_id, arrived_at, deal_id, responded_at,
                        responded_by, running, holder, target, minutes, system_seconds, person_seconds,
                        working_seconds, state, met, computed_at)
                    VALUES (:portal, 1, :card_id, :arrived_at, :deal_id, :responded_at, :responded_by, false, :holder,
                        :target, 15, :system_seconds, :person_seconds, :working_seconds, :state, :met, now())
                """),
                asdict(one) | {"portal": portal_id},
            )
    counted = [
        one
        for one in rounds
        if one.deal_id is None
        and SINCE <= (one.arrived_at + AHEAD).date() <= UNTIL
        and (manager is None or one.person == manager)
    ]
    scope = await asked(database, portal_id, manager=manager)
    async with database.reading() as session:
        told = await REPORT.tell(session, scope)
        behind = await REPORT.open(session, scope, Number("targets", "answered", "hot"), 500, 0)
    keys: dict[str, Callable[[Round], Any]] = {
        "targets": lambda one: one.target,
        "people": lambda one: one.person,
        "hours": lambda one: (one.arrived_at + AHEAD).hour,
    }
    assert [table.name for table in told.tables] == list(keys)
    for table in told.tables:
        key = keys[table.name]
        wanted = {
            "" if name is None else str(name): cells([one for one in counted if key(one) == name])
            for name in {key(one) for one in counted}
        }
        assert {row.key: {n: plain(v) for n, v in row.cells.items()} for row in table.rows} == wanted
        assert table.totals is not None
        assert {n: plain(v) for n, v in table.totals.cells.items()} == cells(counted)
    hot = {one.card_id for one in counted if one.target == "hot" and one.responded_at is not None}
    assert {card.card_id for card in behind.cards} == hot
    decided = [one for one in counted if one.state != "waiting"]
    assert (told.coverage[0].known, told.coverage[0].of) == (
        sum(one.met in {"yes", "no"} for one in decided),
        len(decided),
    )
