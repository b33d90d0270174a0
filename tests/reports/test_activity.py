"""Figures of activity and the rating of clients, against plain loops over everything that counts."""

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from app.domain.messages import in_english
from app.domain.minimum import months_before
from app.domain.ruleset import DEFAULT, Indicator, Kpi
from app.reports import activity, activity_rating, kpi
from app.reports.report import NoSuchNumber, Number
from app.reports.scope import Filter, Scope, scope_of
from app.store import card_figures, companies
from app.store.companies import Company
from tests.store.test_touches import (
    AHEAD,
    NOW,
    REACHING,
    card,
    everything,
    follow,
    portal_of_its_own,
    rows,
    take,
)

pytestmark = pytest.mark.anyio

DAY = (NOW + AHEAD).date()
SINCE, UNTIL = DAY + timedelta(days=20), DAY + timedelta(days=60)
PAID = {"quote": "quotes", "invoice": "invoices", "payment": "payments", "sale": "sales"}
POINTS = {"call_out": 1, "call_in": 1, "letter_out": 1, "chat": 1, "meeting": 3, "quote": 2, "invoice": 2}


async def lived(database) -> int:
    """A portal with eighty days behind it."""
    portal, dice = await portal_of_its_own(database), random.Random(5)
    people, clients = [None, 11, 12, 13], [None, *range(41, 49)]
    for number in range(1, 80):
        at = NOW + timedelta(hours=dice.randrange(80 * 24))
        kind = dice.choice(["letter_out", "letter_in", "meeting", "call_out", "call_in"])
        bound = [(4, dice.randrange(41, 47))] + [(2, dice.randrange(1, 20))] * dice.randrange(2)
        await take(database, portal, ("activity", number, kind, dice.random() < 0.9, dice.choice(people), bound), at)
        if number % 4 == 0:
            steps = [
                ("call", 100 + number, number, dice.choice([None, 0, 70]), "out", dice.choice(people)),
                ("paper", dice.choice(["quote", "invoice"]), number, dice.choice(clients), None, number, "success", 12),
            ]
            for step in steps:
                await take(database, portal, step, at)
    async with database.writing() as session:
        for number in range(1, 20):
            ending = dice.choice(["open", "won", "lost"])
            closed = None if ending == "open" else UNTIL - timedelta(days=dice.choice([1, 30, 200, 365, 366, 500]))
            told = card(number, dice.choice(clients), ending=ending, closed_on=closed, responsible=dice.choice(people))
            await card_figures.listed(session, portal, 2, [told])
        named = [
            Company(company_id=number, title=f"Завод {number}", assigned_by_id=11 + number % 2, created_at=None,
                    updated_at=None)
            for number in range(41, 48)
        ]  # fmt: skip
        await companies.keep(session, portal, named)
    await follow(database, portal, limit=1000)
    return portal


async def asked(session, portal: int, *, manager: int | None = None, since: date = SINCE) -> Scope:
    wanted = Filter(since=since, until=UNTIL, manager=manager)
    return await scope_of(session, portal, wanted, now=NOW + timedelta(days=80))


@pytest.mark.parametrize("manager", [None, 12])
async def test_figures_by_manager_and_by_client_are_those_of_a_plain_count(database, manager) -> None:
    portal = await lived(database)
    things = [
        one for one in await everything(database, portal)
        if SINCE <= one["day"] <= UNTIL and manager in (None, one["user"])
    ]  # fmt: skip
    async with database.reading() as session:
        scope = await asked(session, portal, manager=manager)
        people = await activity.by_manager(session, scope)
        clients, total = await activity.by_client(session, scope)
        first, _ = await activity.by_client(session, scope, limit=2, offset=1)
        of_one = await activity.by_manager(session, scope, company=42)

    def figures(chosen):
        sums = {}
        for one in chosen:
            known = sums.setdefault(one["kind"], [0, 0, Decimal(0), 0])
            amount = one["amount"]
            for at, more in enumerate((1, one["talk"], amount or 0, amount is not None)):
                known[at] += more
        return activity.Figures({kind: activity.Sums(*values) for kind, values in sums.items()})

    assert things
    assert people == {user: figures([one for one in things if one["user"] == user]) for user in people}
    assert set(people) == {one["user"] for one in things}
    assert activity.together(people) == figures(things), "what belongs to two clients counts once"
    known = {company for one in things for company in one["companies"]}
    assert total == len(known)
    assert {one.company_id: one.figures for one in clients} == {
        company: figures([one for one in things if company in one["companies"]]) for company in known
    }
    order = [(-one.figures.touches, one.company_id) for one in clients]
    assert order == sorted(order)
    assert [one.company_id for one in first] == [one.company_id for one in clients[1:3]]
    of_42 = [one for one in things if 42 in one["companies"]]
    assert of_one == {
        user: figures([one for one in of_42 if one["user"] == user]) for user in {o["user"] for o in of_42}
    }


def cards_of(things, company: int | None = None) -> set[tuple[int, int]]:
    """The leads and deals that things belong to, of one client only his; a company where there are none."""
    found: set[tuple[int, int]] = set()
    for one in things:
        of = {card for card, whose in one["cards"].items() if company in (None, whose)}
        found |= {card for card in of if card[0] != 4} or of
    return found


@pytest.mark.parametrize("manager", [None, 12])
async def test_each_number_of_activity_opens_to_the_cards_behind_what_it_counts(database, manager) -> None:
    portal = await lived(database)
    things = [
        one for one in await everything(database, portal)
        if SINCE <= one["day"] <= UNTIL and manager in (None, one["user"])
    ]  # fmt: skip
    columns = {name: (kind, False) for kind, (name, _) in activity.KINDS.items()}
    columns |= {f"{called}_amount": (kind, True) for kind, called in PAID.items()}
    opened, types, bare = 0, set(), 0
    async with database.reading() as session:
        scope = await asked(session, portal, manager=manager)
        managers, clients = (await activity.tell(session, scope)).tables
        assert {one.name for one in managers.columns if one.cards} == set(columns)
        assert [one.name for one in managers.columns if not one.cards] == ["talk_seconds"]
        assert managers.totals is not None
        rows = [(managers, row, row.key) for row in managers.rows] + [(clients, row, row.key) for row in clients.rows]
        for table, row, key in [*rows, (managers, managers.totals, None)]:
            for name, (kind, money) in columns.items():
                of = [one for one in things if one["kind"] == kind and not (money and one["amount"] is None)]
                company = None
                if table is clients:
                    company = int(row.key)
                    of = [one for one in of if company in one["companies"]]
                elif key is not None:
                    of = [one for one in of if one["user"] == int(row.key or 0)]
                number = Number(table.name, name, key)
                found = await activity.REPORT.open(session, scope, number, 1000, 0)
                cards = {(one.entity_type_id, one.card_id) for one in found.cards}
                assert (cards, found.total, len(found.cards)) == (cards_of(of, company), len(cards), len(cards)), number
                assert money or row.cells[name] == len(of)
                said = [in_english(one) for one in found.notes]
                without = sum(not one["cards"] for one in of)
                assert said[0].startswith(f"Behind the number are actions: {len(of)}. The cards that they belong to:")
                assert said[1:] == ([f"Actions that belong to no card: {without}."] if without else [])
                opened, types, bare = opened + 1, types | {code for code, _ in cards}, bare + without
        page = await activity.REPORT.open(session, scope, Number("managers", "letters_out"), 2, 1)
        every = await activity.REPORT.open(session, scope, Number("managers", "letters_out"), 1000, 0)
        assert (page.cards, page.total) == (every.cards[1:3], every.total)
        for wrong in (
            Number("managers", "talk_seconds"),
            Number("clients", "meetings"),
            Number("clients", "chats", "x"),
        ):
            with pytest.raises(NoSuchNumber):
                await activity.REPORT.open(session, scope, wrong, 10, 0)
    assert opened > 100
    assert types == {2, 4}
    assert bare or manager is not None, "a call with no card"


@pytest.mark.parametrize("manager", [None, 12])
async def test_calls_and_points_of_the_kpi_sheet_open_to_the_cards_behind_them(database, manager) -> None:
    portal = await lived(database)
    things = [one for one in await everything(database, portal) if SINCE <= one["day"] <= UNTIL]
    # What the rules give nothing for is not behind the points.
    given = {**POINTS, "letter_out": 0, "meeting": 7}
    wanted = {
        "calls": {"call_out": 1, "call_in": 1},
        "points": {kind: points for kind, points in given.items() if points},
    }
    indicators = tuple(Indicator(name, 50, Decimal(1)) for name in ("calls", "points"))
    async with database.reading() as session:
        scope = await asked(session, portal, manager=manager)
        points = replace(DEFAULT.activity, letter=0, meeting=7)
        scope = replace(scope, rules=replace(DEFAULT, kpi=Kpi(indicators=indicators), activity=points))
        tables = {table.name: table for table in (await kpi.REPORT.tell(session, scope)).tables}
        for name, kinds in wanted.items():
            assert tables[name].rows
            for row in tables[name].rows:
                of = [one for one in things if one["kind"] in kinds and one["user"] == int(row.key)]
                found = await kpi.REPORT.open(session, scope, Number(name, "fact", row.key), 1000, 0)
                assert {(one.entity_type_id, one.card_id) for one in found.cards} == cards_of(of)
                assert found.total == len(found.cards)
                assert row.cells["fact"] == sum(kinds[one["kind"]] for one in of)
                assert in_english(found.notes[0]).startswith(f"Behind the number are actions: {len(of)}.")
            with pytest.raises(NoSuchNumber):
                await kpi.REPORT.open(session, scope, Number(name, "fact"), 10, 0)


@pytest.mark.parametrize("manager", [None, 12])
@pytest.mark.parametrize("since", [SINCE, UNTIL - timedelta(days=3)])
async def test_active_clients_their_rating_and_the_forgotten_ones(database, manager, since) -> None:
    portal = await lived(database)
    things = await everything(database, portal)
    deals = await rows(database, "SELECT * FROM deal_figures WHERE portal_id = :portal", portal)
    bought = months_before(UNTIL, 12)
    base = {
        one["company_id"] for one in deals
        if one["company_id"] and (one["ending"] == "open" or (one["ending"] == "won" and one["closed_on"] >= bought))
    }  # fmt: skip
    if manager is not None:
        base = {one for one in base if one < 48 and 11 + one % 2 == manager}
    reached = [one for one in things if one["kind"] in REACHING]
    rating = {
        company: sum(
            POINTS[one["kind"]] for one in reached if company in one["companies"] and since <= one["day"] <= UNTIL
        )
        for company in base
    }
    last = {
        company: max((one["at"] for one in reached if company in one["companies"]), default=None) for company in base
    }

    async with database.reading() as session:
        scope = await asked(session, portal, manager=manager, since=since)
        share = await activity_rating.share(session, scope, "base")
        rated, total = await activity_rating.rated(session, scope, "base")
        forgotten, left = await activity_rating.forgotten(session, scope, "base")

    touched = {company for company, points in rating.items() if points}
    assert (share.clients, share.touched, total) == (len(base), len(touched), len(base))
    assert [(one.company_id, one.rating) for one in rated] == sorted(rating.items(), key=lambda one: (-one[1], one[0]))
    assert {one.company_id: one.last_at for one in rated} == last
    assert {one.company_id for one in forgotten} == base - touched
    assert left == len(base - touched)
    ages = [activity_rating.days_since(one, scope) for one in forgotten]
    assert ages == sorted(ages, key=lambda days: -(10**9 if days is None else days))
    async with database.reading() as session:
        shares, ratings, _, _, _ = (await activity_rating.tell(session, scope)).tables
        assert [row.cells["clients"] for row in shares.rows if row.key == "base"] == [len(base)]
        for name, companies_wanted in (("clients", base), ("touched", touched), ("share", touched)):
            found = await activity_rating.REPORT.open(session, scope, Number("shares", name, "base"), 1000, 0)
            assert {(one.entity_type_id, one.card_id, one.at) for one in found.cards} == {
                (4, company, last[company]) for company in companies_wanted
            }
            assert found.total == len(found.cards)
            assert {one.title for one in found.cards if one.card_id < 48} <= {f"Завод {one}" for one in range(41, 48)}
        assert {row.key for row in ratings.rows} == {str(company) for company in base}
        for row in ratings.rows:
            company = int(row.key)
            of = [one for one in reached if company in one["companies"] and since <= one["day"] <= UNTIL]
            for name in ("touches", "rating"):
                number = Number("base_rating", name, row.key)
                found = await activity_rating.REPORT.open(session, scope, number, 1000, 0)
                assert {(one.entity_type_id, one.card_id) for one in found.cards} == cards_of(of, company)
                assert in_english(found.notes[0]).startswith(f"Behind the number are actions: {len(of)}.")
            assert row.cells["touches"] == len(of)
        for wrong in (
            Number("shares", "clients"), Number("shares", "days", "base"), Number("base_rating", "touches"),
            Number("base_rating", "days", "41"), Number("other_rating", "touches", "41"),
        ):  # fmt: skip
            with pytest.raises(NoSuchNumber):
                await activity_rating.REPORT.open(session, scope, wrong, 10, 0)
    assert {one.title for one in rated if one.company_id < 48} <= {f"Завод {number}" for number in range(41, 48)}


async def test_potential_clients_are_target_clients_at_work_and_the_nurture_group(database) -> None:
    portal = await portal_of_its_own(database)
    async with database.writing() as session:
        told = [card(number, 40 + number, ending=ending) for number, ending in enumerate(("open",) * 4 + ("lost",), 1)]
        await card_figures.listed(session, portal, 1, told)
        await card_figures.listed(session, portal, 2, [card(1, 51), card(2, 52), card(3, None)])
    judged = {"1": "client = 'yes'", "2": "client = 'no'", "3": "client = 'unknown'", "5": "outcome = 'company'"}
    async with database.writing() as session:
        for number, what in judged.items():
            await _set(session, f"UPDATE lead_figures SET {what} WHERE card_id = {number}")
        await _set(session, "UPDATE deal_figures SET client = 'yes' WHERE card_id IN (1, 3)")
    async with database.reading() as session:
        scope = await asked(session, portal)
        found, total = await activity_rating.rated(session, scope, "potential")
        opened = await activity_rating.REPORT.open(session, scope, Number("shares", "clients", "potential"), 2, 1)
    assert [one.company_id for one in found] == [41, 45, 51]
    assert total == 3
    assert ([one.card_id for one in opened.cards], opened.total) == ([45, 41], 3)


async def _set(session, statement: str) -> None:
    await session.execute(activity.text(statement))
