"""Who buys most and most often, against reckoning it client by client; and what is suggested of it."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.minimum import months_before
from app.domain.ruleset import DEFAULT, Criterion, Minimum, Operator
from app.reports.regular_clients import REPORT, TRAITS, Band, Group, RegularClients, Suggestion, regular_clients
from app.reports.report import NoSuchNumber, Number
from app.reports.scope import Filter, scope_of
from app.store import companies
from app.store.companies import Company
from app.store.database import Database
from tests.reports.recorded import BASE, Deal, Look, list_past, record, some, unlike

pytestmark = pytest.mark.anyio

SINCE, UNTIL = date(2024, 3, 1), date(2026, 3, 1)
RULES = replace(
    DEFAULT,
    client=(
        Criterion("steam_tph", Operator.OVER, number=Decimal("4.5")),
        Criterion("turnover", Operator.OVER, number=Decimal(1_000_000_000)),
        Criterion("industry", Operator.ONE_OF, codes=("manufacturing", "GOVERNMENT")),
    ),
    minimum=Minimum(regular_won_deals=3, regular_months=6),
)
STEAM = [Decimal(one) for one in ("1", "3", "4.5", "10", "25", "50")]
TURNOVER = [Decimal(one) for one in (10**8, 5 * 10**8, 10**9, 5 * 10**9, 10**10)]


def made_up(seed: int) -> list[Deal]:
    dice = random.Random(seed)
    deals: list[Deal] = []
    for number in range(1, 141):
        day = SINCE + timedelta(days=dice.randrange(-40, 780))
        deals.append(
            Deal(
                id=number,
                looks=[Look(BASE, some(dice, [Decimal(900), Decimal(7000)]), semantics="success")],
                stage=dice.choice(["WON", "WON", "WON", "LOSE", "NEW", "UNHEARD_OF"]),
                state=dice.choice(["final", "final", "final", "final", "deleted"]),
                company=some(dice, range(1, 13), unknown=0.1),
                close_date=some(dice, [day.isoformat()]),
                moved=BASE.replace(hour=23) - timedelta(days=dice.randrange(400)),
                source=some(dice, ["WEB", "CALL", "TRADE_SHOW"]),
                facts={
                    "industry": some(dice, ["MANUFACTURING", "DELIVERY", "IT"]),
                    "turnover": some(dice, [*TURNOVER, Decimal(1), TURNOVER[2] + 1, Decimal(10) ** 12]),
                    "steam_tph": some(dice, [*STEAM, Decimal("0.5"), Decimal("4.51"), Decimal(400)]),
                    "amount": some(dice, [Decimal("1000.55"), Decimal(250_000)]),
                },
            )
        )
    return deals


def won_in_time(deals: Iterable[Deal]) -> list[Deal]:
    return [one for one in deals if one.ending == "won" and one.closed_on and SINCE <= one.closed_on <= UNTIL]


def regulars(won: Iterable[Deal]) -> set[int]:
    """Clients with a day on which they had won enough within the months before it."""
    days: dict[int, list[date]] = defaultdict(list)
    for one in won:
        if one.company is not None and one.closed_on is not None:
            days[one.company].append(one.closed_on)
    return {
        company
        for company, closed in days.items()
        if any(sum(months_before(last, 6) <= day <= last for day in closed) >= 3 for last in closed)
    }


def band(edges: list[Decimal]) -> Callable[[Decimal], Band]:
    def of(value: Decimal) -> Band:
        below = [edge for edge in edges if value > edge]
        above = [edge for edge in edges if value <= edge]
        return Band(max(below, default=None), min(above, default=None))

    return of


def reckoned(won: list[Deal], trait: str, years: Decimal) -> set[Group]:
    regular = regulars(won)
    banded = {"steam_tph": band(STEAM), "turnover": band(TURNOVER)}
    groups: dict[Any, list[Deal]] = defaultdict(list)
    for one in won:
        value = one.source if trait == "source" else one.facts[trait]
        groups[banded[trait](value) if trait in banded and value is not None else value].append(one)
    told: set[Group] = set()
    for value, deals in groups.items():
        clients = {one.company for one in deals} - {None}
        money = [one.facts["amount"] for one in deals if one.facts["amount"] is not None]
        profit = [one.looks[-1].profit for one in deals if one.looks[-1].profit is not None]
        of_clients = sum(one.company is not None for one in deals)
        often = (of_clients / (len(clients) * years)).quantize(Decimal("0.01")) if clients else None
        told.add(
            Group(
                code=value if isinstance(value, str) else None,
                band=value if isinstance(value, Band) else None,
                clients=len(clients),
                regular_clients=len(clients & regular),
                won_deals=len(deals),
                of_clients=of_clients,
                money=sum(money, Decimal(0)),
                money_known=len(money),
                profit=sum(profit, Decimal(0)),
                profit_known=len(profit),
                deals_a_year=often,
            )
        )
    return told


async def asked(database: Database, portal_id: int, deals: list[Deal], **how: Any) -> RegularClients:
    async with database.writing() as session:
        await record(session, portal_id, deals)
        return await regular_clients(session, portal_id, RULES, since=SINCE, until=UNTIL, **how)


@pytest.mark.parametrize("seed", [1, 2])
async def test_groups_are_as_reckoned_client_by_client(database: Database, portal_id: int, seed: int) -> None:
    deals = made_up(seed)
    past = [one for one in deals if one.id % 3 == 0 and one.closed_on and one.ending in {"won", "lost"}]
    judged = [one for one in deals if one not in past]
    async with database.writing() as session:
        await list_past(session, portal_id, past)
        await list_past(session, portal_id, [unlike(one) for one in judged if one.id % 2])
    told = await asked(database, portal_id, judged)
    won = won_in_time(deals)
    assert told.not_judged == len(won_in_time(past)) > 0
    assert 0 < told.regular_clients < told.clients
    assert told.won_deals == len(won) < len(deals)
    assert told.clients == len({one.company for one in won} - {None})
    assert told.regular_clients == len(regulars(won))
    assert told.counted_from == min(one.closed_on for one in won if one.closed_on)
    assert told.years == (Decimal((UNTIL - told.counted_from).days + 1) / Decimal("365.25")).quantize(Decimal("0.01"))
    for trait in TRAITS:
        assert set(told.groups[trait]) == reckoned(won, trait, told.years), trait
        assert [one.money for one in told.groups[trait]] == sorted(
            (one.money for one in told.groups[trait]), reverse=True
        )
        known = sum(one.won_deals for one in told.groups[trait] if one.code is not None or one.band is not None)
        assert told.known[trait] == known < len(won)
    assert told.known["client"] == sum(one.company is not None for one in won)
    assert told.known["amount"] == sum(one.facts["amount"] is not None for one in won)
    assert told.known["profit"] == sum(one.looks[-1].profit is not None for one in won)


@pytest.mark.parametrize("seed", [1, 2])
async def test_each_number_opens_to_the_clients_or_deals_it_counts(
    database: Database, portal_id: int, seed: int
) -> None:
    deals = made_up(seed)
    past = [one for one in deals if one.id % 3 == 0 and one.closed_on and one.ending in {"won", "lost"}]
    async with database.writing() as session:
        await record(session, portal_id, [one for one in deals if one not in past])
        await list_past(session, portal_id, past)
        plant = Company(company_id=5, title="Plant", assigned_by_id=21, created_at=None, updated_at=None)
        await companies.keep(session, portal_id, [plant])
    won = won_in_time(deals)
    regular, opened, titles = regulars(won), 0, set()
    banded = {"steam_tph": band(STEAM), "turnover": band(TURNOVER)}
    async with database.reading() as session:
        scope = await scope_of(session, portal_id, Filter(since=SINCE, until=UNTIL), now=BASE)
        scope = replace(scope, rules=RULES)
        for table in (await REPORT.tell(session, scope)).tables:
            assert [one.name for one in table.columns if not one.cards] == ["deals_a_year"]
            by_key: dict[str, list[Deal]] = defaultdict(list)
            for one in won:
                value = one.source if table.name == "source" else one.facts[table.name]
                if value is not None and table.name in banded:
                    value = banded[table.name](value).over or 0
                by_key["" if value is None else str(value)].append(one)
            assert {row.key for row in table.rows} == set(by_key)
            for row in table.rows:
                of = by_key[row.key]
                clients = {one.company for one in of} - {None}
                wanted: dict[str, tuple[int, set[Any]]] = {
                    "clients": (4, clients),
                    "regular_clients": (4, clients & regular),
                    "won_deals": (2, {one.id for one in of}),
                    "money": (2, {one.id for one in of if one.facts["amount"] is not None}),
                    "profit": (2, {one.id for one in of if one.looks[-1].profit is not None}),
                }
                for name, (kind, ids) in wanted.items():
                    found = await REPORT.open(session, scope, Number(table.name, name, row.key), 500, 0)
                    cards = {(one.entity_type_id, one.card_id) for one in found.cards}
                    assert (cards, found.total) == ({(kind, number) for number in ids}, len(ids)), (row.key, name)
                    opened += len(ids)
                    titles |= {(one.card_id, one.title, one.responsible) for one in found.cards if kind == 4}
        for wrong in (
            Number("source", "won_deals"), Number("other", "clients", ""), Number("source", "deals_a_year", "WEB"),
            Number("turnover", "clients", "7"),
        ):  # fmt: skip
            with pytest.raises(NoSuchNumber):
                await REPORT.open(session, scope, wrong, 10, 0)
    assert opened > 500
    assert titles == {
        (one, "Plant", 21) if one == 5 else (one, None, None) for one in {d.company for d in won} - {None}
    }


async def test_what_is_suggested_stands_beside_what_is_in_force(database: Database, portal_id: int) -> None:
    def buys(first: int, company: int, industry: str, times: int) -> list[Deal]:
        return [
            Deal(
                id=first + time,
                looks=[Look(BASE, semantics="success")],
                stage="WON",
                company=company,
                close_date=(date(2025, 6, 1) + timedelta(days=30 * time)).isoformat(),
                facts={"industry": industry, "amount": Decimal(1000)},
            )
            for time in range(times)
        ]

    deals = [
        *buys(10, 1, "DELIVERY", 4),
        *buys(20, 2, "DELIVERY", 3),
        *buys(30, 3, "MANUFACTURING", 3),
        *buys(40, 4, "IT", 2),
    ]
    told = await asked(database, portal_id, deals)
    assert list(told.industries) == [
        Suggestion("DELIVERY", in_force=False, advice="add", regular_clients=2),
        Suggestion("MANUFACTURING", in_force=True, advice="look", regular_clients=1),
        Suggestion("IT", in_force=False, advice=None, regular_clients=0),
        Suggestion("GOVERNMENT", in_force=True, advice="look", regular_clients=0),
    ]
    async with database.reading() as session:
        one = await regular_clients(session, portal_id, RULES, since=SINCE, until=UNTIL, least_regular=1)
    assert [item.advice for item in one.industries] == ["add", "keep", None, "look"]


async def test_nothing_recorded_suggests_nothing_new(database: Database, portal_id: int) -> None:
    never = replace(RULES, minimum=Minimum(regular_won_deals=10**9, regular_months=10**9))
    async with database.reading() as session:
        told = await regular_clients(session, portal_id, never, since=date.min, until=date.max)
    assert (told.won_deals, told.clients, told.counted_from, told.years) == (0, 0, None, 0)
    assert [(one.code, one.advice) for one in told.industries] == [("GOVERNMENT", "look"), ("manufacturing", "look")]


async def test_without_a_close_date_the_day_of_the_last_move_counts_by_the_portals_clock(
    database: Database, portal_id: int
) -> None:
    midnight = datetime(2026, 3, 1, 21, 0, tzinfo=UTC)
    deals = [
        Deal(id=number, looks=[Look(BASE, semantics="success")], stage="WON", company=1, moved=moved)
        for number, moved in enumerate((midnight - timedelta(seconds=1), midnight), start=1)
    ]
    told = await asked(database, portal_id, deals)
    assert (told.won_deals, told.counted_from) == (1, UNTIL)
