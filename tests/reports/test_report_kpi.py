"""The KPI sheet against reckoning it person by person from the same cards, stretches and days."""

import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.interval import Share
from app.domain.messages import in_english
from app.domain.ruleset import DEFAULT, Indicator, Kpi
from app.reports.kpi import REPORT
from app.reports.report import Number, Table
from app.reports.scope import Scope
from app.store import companies, histories
from app.store.companies import Company
from app.store.database import Database, WriteSession
from tests.reports.world import AHEAD, NOW, SINCE, UNTIL, Card, asked, record, there, world

pytestmark = pytest.mark.anyio

PEOPLE = (7, 8, 9)
MONTHS = 3
WEIGHTS = {"sales": 30, "profit": 10, "won": 10, "within_target": 20, "calls": 10, "points": 10, "checklist": 10}
GOALS = {"sales": 500_000, "profit": 50_000, "won": 3, "within_target": 80, "calls": 15, "points": 40, "checklist": 1}
COSTS = {"missed_response": 300, "forgotten_client": 200, "below_minimum": 1000}
KPI = Kpi(
    fixed=Decimal(40_000),
    variable=Decimal(60_000),
    indicators=tuple(Indicator(name, weight, Decimal(GOALS[name])) for name, weight in WEIGHTS.items()),  # pyright: ignore[reportArgumentType]
    missed_response=Decimal(COSTS["missed_response"]),
    forgotten_client=Decimal(COSTS["forgotten_client"]),
    below_minimum=Decimal(COSTS["below_minimum"]),
)
POINTS = {"call_out": 1, "call_in": 1, "letter_out": 1, "chat": 1, "meeting": 3, "quote": 2, "invoice": 2}


@dataclass
class Stretch:
    """One person's time with a card of one round."""

    card_id: int
    arrived_at: datetime
    user: int
    passed_on: bool
    late: bool
    met: str

    @property
    def said(self) -> str | None:
        """Whether this person answered in time; None where it says nothing of him."""
        if self.met == "unknown":
            return "unknown"
        if self.late:
            return "no"
        return "yes" if not self.passed_on else None


def stretches(seed: int) -> list[Stretch]:
    dice = random.Random(seed)
    made: list[Stretch] = []
    for number in range(150):
        arrived = NOW - timedelta(minutes=dice.randrange(200 * 24 * 60), seconds=number)
        late = dice.random() < 0.3
        met = dice.choice(["no", "no", "unknown"]) if late else dice.choice(["yes", "yes", "no", "unknown"])
        passed_on = dice.random() < 0.3
        made.append(Stretch(1000 + number % 60, arrived, dice.choice(PEOPLE), passed_on, late, met))
    return made


async def record_stretches(session: WriteSession, portal: int, made: list[Stretch]) -> None:
    for one in made:
        due = one.arrived_at + timedelta(minutes=60)
        until = due + timedelta(minutes=1 if one.late else -1)
        await session.execute(
            text("""
                INSERT INTO reactions (portal_id, entity_type_id, card_id, arrived_at, responded_at, running, target,
                    minutes, state, met, computed_at)
                VALUES (:portal, 1, :card, :arrived, :responded, false, 'hot', 15, 'met', :met, now())
            """),
            {
                "portal": portal,
                "card": one.card_id,
                "arrived": one.arrived_at,
                "responded": until + timedelta(hours=5) if one.passed_on else until,
                "met": one.met,
            },
        )
        await session.execute(
            text("""
                INSERT INTO reaction_holders (portal_id, entity_type_id, card_id, arrived_at, since, user_id, until,
                    due_at)
                VALUES (:portal, 1, :card, :arrived, :arrived, :user, :until, :due)
            """),
            {
                "portal": portal,
                "card": one.card_id,
                "arrived": one.arrived_at,
                "user": one.user,
                "until": until,
                "due": due,
            },
        )


Days = list[tuple[date, int, int, str, int]]


def days(seed: int) -> Days:
    """Day, user, company, kind, count."""
    dice = random.Random(seed)
    kinds = [*POINTS, "call_unknown", "call_missed", "letter_in", "sale"]
    found = {
        (
            SINCE + timedelta(days=dice.randrange(-20, 110)),
            dice.choice([0, *PEOPLE]),
            dice.randrange(50, 60),
            dice.choice(kinds),
        )
        for _ in range(120)
    }
    return [(*one, dice.randrange(1, 4)) for one in sorted(found)]


async def record_days(session: WriteSession, portal: int, made: Days) -> None:
    whole = Counter[tuple[date, int, str]]()
    for day, user, company, kind, count in made:
        whole[day, user, kind] += count
        await session.execute(
            text("""
                INSERT INTO company_days (portal_id, company_id, day, user_id, kind, count, talk_seconds, amount,
                    amount_known) VALUES (:portal, :company, :day, :user, :kind, :count, 0, 0, 0)
            """),
            {"portal": portal, "company": company, "day": day, "user": user, "kind": kind, "count": count},
        )
    for (day, user, kind), count in whole.items():
        await session.execute(
            text("""
                INSERT INTO activity_days (portal_id, day, user_id, kind, count, talk_seconds, amount, amount_known)
                VALUES (:portal, :day, :user, :kind, :count, 0, 0, 0)
            """),
            {"portal": portal, "day": day, "user": user, "kind": kind, "count": count},
        )


def responsible(company: int) -> int:
    return PEOPLE[company % 3]


def facts_of(user: int, made: list[Card], held: list[Stretch], did: Days) -> dict[str, Fraction | None]:
    deals = [one for one in there(made, 2) if one.owner == user]
    won = [one for one in deals if one.ending == "won" and one.closed_in()]
    judged = [one for one in deals if one.made_in() and one.judged is not None]
    whole = sum(one.of("checklist") == "y" * 7 for one in judged)
    said = [(one.card_id, one.said) for one in held if one.user == user]
    decided = {card for card, what in said if what in {"yes", "no"}}
    kept = {card for card, what in said if what == "yes"}
    mine = [(kind, count) for day, by, _, kind, count in did if by == user and SINCE <= day <= UNTIL]

    def total(name: str) -> Fraction | None:
        amounts = [one.of(name) for one in won if one.of(name) is not None]
        return None if won and not amounts else Fraction(sum(amounts, Decimal(0)))

    return {
        "sales": total("amount"),
        "profit": total("profit"),
        "won": Fraction(len(won)),
        "within_target": Fraction(100 * len(kept), len(decided)) if decided else None,
        "calls": Fraction(sum(count for kind, count in mine if kind in {"call_out", "call_in"})),
        "points": Fraction(sum(POINTS.get(kind, 0) * count for kind, count in mine)),
        "checklist": Fraction(100 * whole, len(judged)) if judged else None,
    }


def breaches_of(user: int, made: list[Card], held: list[Stretch], did: Days) -> dict[str, set[int]]:
    deals = there(made, 2)
    clients = {
        one.company
        for one in deals
        if one.company is not None
        and (one.ending == "open" or (one.ending == "won" and one.closed_in(date(2025, 4, 30), UNTIL)))
    }
    perhaps = {
        company for day, _, company, kind, _ in did if SINCE <= day <= UNTIL and kind in {*POINTS, "call_unknown"}
    }
    return {
        "missed_response": {one.card_id for one in held if one.user == user and one.said == "no"},
        "forgotten_client": {one for one in clients - perhaps if responsible(one) == user},
        "below_minimum": {
            one.id
            for one in deals
            if one.owner == user and one.ending == "won" and one.closed_in() and one.of("declined")
        },
    }


def kopecks(value: Fraction) -> Decimal:
    return Decimal(int(value * 100 + Fraction(1, 2))) / 100


def sheet_of(facts: dict[str, Fraction | None], breaches: dict[str, set[int]]) -> dict[str, Decimal]:
    known = sum(WEIGHTS[name] for name, fact in facts.items() if fact is not None)
    variable = Decimal(0)
    for name, fact in facts.items():
        if fact is not None:
            goal = GOALS[name] * (1 if name in {"within_target", "checklist"} else MONTHS)
            share = min(max(fact / goal * 2 - 1, Fraction(0)), Fraction(6, 5))
            variable += kopecks(60_000 * MONTHS * Fraction(WEIGHTS[name], known) * share)
    charged = sum((Decimal(COSTS[name] * len(of)) for name, of in breaches.items()), Decimal(0))
    penalty = min(charged, variable)
    fixed = Decimal(40_000 * MONTHS)
    return {"fixed": fixed, "variable": variable, "penalty": penalty, "total": fixed + variable - penalty}


@pytest.fixture
async def lived(database: Database, portal_id: int) -> tuple[list[Card], list[Stretch], Days]:
    made, held, did = world(3), stretches(3), days(3)
    async with database.writing() as session:
        await record(session, portal_id, made)
        await record_stretches(session, portal_id, held)
        await record_days(session, portal_id, did)
        named = [
            Company(company_id=number, title=f"Plant {number}", assigned_by_id=responsible(number), created_at=None,
                    updated_at=None)
            for number in range(50, 65)
        ]  # fmt: skip
        await companies.keep(session, portal_id, named)
    return made, [one for one in held if SINCE <= (one.arrived_at + AHEAD).date() <= UNTIL], did


async def whole_histories(database: Database, portal_id: int) -> None:
    async with database.writing() as session:
        for source in (histories.ACTIVITIES, histories.CALLS):
            await histories.read(session, portal_id, source, since=NOW - timedelta(days=400), now=NOW)


async def told(database: Database, scope: Scope) -> dict[str, Table]:
    async with database.reading() as session:
        return {table.name: table for table in (await REPORT.tell(session, scope)).tables}


@pytest.mark.parametrize("manager", [None, 8])
async def test_each_sheet_is_what_reckoning_by_hand_gives(
    database: Database, portal_id: int, lived: tuple[list[Card], list[Stretch], Days], manager: int | None
) -> None:
    await whole_histories(database, portal_id)
    scope = await asked(database, portal_id, manager=manager)
    scope = replace(scope, rules=replace(DEFAULT, kpi=KPI))
    tables = await told(database, scope)
    people = [user for user in PEOPLE if manager in {None, user}]
    facts = {user: facts_of(user, *lived) for user in people}
    breaches = {user: breaches_of(user, *lived) for user in people}
    wanted = {str(user): sheet_of(facts[user], breaches[user]) for user in people}

    assert {row.key: dict(row.cells) for row in tables["sheet"].rows} == wanted
    assert tables["sheet"].totals is not None
    assert tables["sheet"].totals.cells["total"] == sum(one["total"] for one in wanted.values())
    for name in WEIGHTS:
        assert {row.key: number(row.cells["fact"]) for row in tables[name].rows} == {
            str(user): facts[user][name] for user in people
        }, name
    async with database.reading() as session:
        for row in tables["penalties"].rows:
            for name, cards in breaches[int(row.key)].items():
                found = await REPORT.open(session, scope, Number("penalties", name, row.key), 500, 0)
                assert {card.card_id for card in found.cards} == cards, (name, row.key)
                assert row.cells[name] == found.total == len(cards)
    assert all(any(of[name] for of in breaches.values()) for name in COSTS if manager is None)


def number(value: Any) -> Fraction | None:
    if isinstance(value, Share):
        return Fraction(100 * value.hits, value.of)
    return None if value is None else Fraction(value)


@pytest.mark.usefixtures("lived")
async def test_what_is_not_kept_whole_pays_and_costs_nothing(database: Database, portal_id: int) -> None:
    scope = await asked(database, portal_id)
    tables = await told(database, replace(scope, rules=replace(DEFAULT, kpi=KPI)))
    assert {row.cells["pay"] for name in ("calls", "points") for row in tables[name].rows} == {None}
    assert "forgotten_client" not in {column.name for column in tables["penalties"].columns}
    only = replace(KPI, indicators=(Indicator("calls", 100, Decimal(10)),))
    tables = await told(database, replace(scope, rules=replace(DEFAULT, kpi=only)))
    assert {row.cells["total"] for row in tables["sheet"].rows} == {None}


@pytest.mark.usefixtures("lived")
async def test_switched_off_by_the_rules_it_says_so(database: Database, portal_id: int) -> None:
    scope = await asked(database, portal_id)
    off = replace(DEFAULT, kpi=replace(KPI, fixed=Decimal(0), indicators=()))
    async with database.reading() as session:
        answer = await REPORT.tell(session, replace(scope, rules=off))
    assert [(table.name, table.rows) for table in answer.tables] == [("sheet", ())]
    assert "Switched off" in in_english(answer.notes[0])
