"""Past deals beside a minimum, against counting them one by one."""

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from app.domain.ruleset import DEFAULT
from app.reports.past_deals import REPORT, PastDeals, Share, past_deals
from app.reports.report import NoSuchNumber, Number
from app.reports.scope import Filter, scope_of
from app.store.database import Database
from tests.reports.recorded import BASE, Deal, Look, list_past, record, some, unlike

pytestmark = pytest.mark.anyio

PROFITS = [Decimal(one) for one in ("-10", "0", "2999.99", "3000", "4999.99", "5000", "5000.01", "90000")]


def never_judged(deal: Deal) -> bool:
    return deal.id % 3 == 0 and deal.ending in {"won", "lost"}


def made_up(seed: int) -> list[Deal]:
    dice = random.Random(seed)
    deals = [
        Deal(
            id=number,
            # An older look earned something else: only the latest counts.
            looks=[Look(BASE, Decimal(1)), Look(BASE + timedelta(days=1), some(dice, PROFITS))],
            stage=dice.choice(["NEW", "WON", "LOSE", "UNHEARD_OF"]),
            state=dice.choice(["open", "open", "open", "deleted"]),
            created=BASE + timedelta(hours=dice.randrange(-200, 200)),
        )
        for number in range(1, 81)
    ]
    deals.append(Deal(id=81, looks=[Look(BASE, semantics="success")], stage="UNHEARD_OF"))
    return deals


def one_by_one(deals: list[Deal], since: date, until: date, least: Decimal, other: Decimal) -> PastDeals:
    made = [one for one in deals if since <= (one.created + timedelta(hours=3)).date() <= until]

    def share(of: list[Deal]) -> Share:
        known = [profit for one in of if (profit := one.looks[-1].profit) is not None]
        return Share(len(of), len(known), sum(one < least for one in known), sum(one < other for one in known))

    kept = [one for one in made if one.ending != "deleted"]
    won = share([one for one in kept if one.ending == "won"])
    return PastDeals(everything=share(kept), won=won, not_judged=sum(map(never_judged, kept)), known_from=None)


@pytest.mark.parametrize("seed", [1, 2])
async def test_deals_are_counted_as_one_by_one(database: Database, portal_id: int, seed: int) -> None:
    deals = made_up(seed)
    since, until = BASE.date() - timedelta(days=4), BASE.date() + timedelta(days=4)
    async with database.writing() as session:
        judged = [one for one in deals if not never_judged(one)]
        await record(session, portal_id, judged)
        await list_past(session, portal_id, [one for one in deals if never_judged(one)])
        await list_past(session, portal_id, [unlike(one) for one in judged if one.id % 2])
        least, other = Decimal(5000), Decimal(3000)
        told = await past_deals(session, portal_id, since=since, until=until, least=least, other=other)
        without = await past_deals(session, portal_id, since=since, until=until, least=least)
    assert told == one_by_one(deals, since, until, least, other)
    assert 0 < told.won.deals < told.everything.deals < len(deals)
    assert 0 < told.not_judged < told.everything.deals
    assert 0 < told.everything.below < told.everything.known < told.everything.deals
    assert without.everything.below_other is None


@pytest.mark.parametrize("seed", [1, 2])
async def test_each_number_opens_to_the_deals_it_counts(database: Database, portal_id: int, seed: int) -> None:
    deals = made_up(seed)
    since, until = BASE.date() - timedelta(days=4), BASE.date() + timedelta(days=4)
    async with database.writing() as session:
        await record(session, portal_id, [one for one in deals if not never_judged(one)])
        await list_past(session, portal_id, [one for one in deals if never_judged(one)])
    made = [one for one in deals if since <= (one.created + timedelta(hours=3)).date() <= until]
    kept, least = [one for one in made if one.ending != "deleted"], Decimal(5000)
    past, opened = {one.id for one in deals if never_judged(one)}, 0
    async with database.reading() as session:
        scope = await scope_of(session, portal_id, Filter(since=since, until=until), now=BASE)
        scope = replace(scope, rules=replace(DEFAULT, minimum=replace(DEFAULT.minimum, profit=least)))
        (table,) = (await REPORT.tell(session, scope)).tables
        for row in table.rows:
            of = [one for one in kept if row.key == "all" or one.ending == "won"]
            known = {one.id: profit for one in of if (profit := one.looks[-1].profit) is not None}
            below = {number for number, profit in known.items() if profit < least}
            wanted = {"deals": {one.id for one in of}, "known": set(known), "below": below, "share": below}
            assert {one.name for one in table.columns if one.cards} == set(wanted)
            for name, ids in wanted.items():
                found = await REPORT.open(session, scope, Number("deals", name, row.key), 500, 0)
                assert ({one.card_id for one in found.cards}, found.total) == (ids, len(ids)), (row.key, name)
                # Of deals that closed before any run there is no story to go to.
                assert {one.card_id for one in found.cards if not one.known} == ids & past
                assert all(one.title == (f"Deal {one.card_id}" if one.known else None) for one in found.cards)
                opened += len(ids)
        for wrong in (Number("deals", "deals"), Number("deals", "other", "all"), Number("deals", "deals", "lost")):
            with pytest.raises(NoSuchNumber):
                await REPORT.open(session, scope, wrong, 10, 0)
        none = replace(scope, rules=replace(DEFAULT, minimum=replace(DEFAULT.minimum, profit=None)))
        with pytest.raises(NoSuchNumber):
            await REPORT.open(session, none, Number("deals", "deals", "all"), 10, 0)
    assert opened > 50


async def test_nothing_recorded_is_told_as_nothing(database: Database, portal_id: int) -> None:
    async with database.reading() as session:
        told = await past_deals(session, portal_id, since=date.min, until=date.max, least=Decimal(1))
    assert told.everything == told.won == Share(0, 0, 0, None)
