"""The ledger of exceptions, against reading every run by hand."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

import pytest

from app.reports.exceptions import ExceptionFilter, LedgerEntry, Total, ledger, totals
from app.store.database import Database
from tests.reports.recorded import BASE, INTEGRATION, Deal, Look, record, some

pytestmark = pytest.mark.anyio


def made_up(seed: int) -> list[Deal]:
    dice = random.Random(seed)
    deals: list[Deal] = []
    for number in range(1, 61):
        looks: list[Look] = []
        profit, trial = Decimal(900), None
        for turn in range(dice.randrange(1, 6)):
            if dice.random() < 0.4:
                profit, trial = dice.choice([Decimal(900), Decimal("1200.50")]), dice.choice([True, False])
            looks.append(
                Look(
                    BASE + timedelta(hours=dice.randrange(-240, 240) if not turn else 0, days=turn, minutes=number),
                    profit,
                    trial,
                    above=dice.choice(["no", "no", "no", "yes", "unknown"]),
                    exemption=some(dice, ["regular", "trial"], unknown=0.5),
                    declined=dice.random() < 0.5,
                    held=dice.choice([(), ("person_moved",), ("deal_closed",), ("too_many_moves",)]),
                    semantics=dice.choice(["process", "process", "success", "failure", None]),
                    updated_by=dice.choice([12, 13, INTEGRATION, None]),
                    responsible=dice.choice([7, 8, None]),
                    version=turn + 1,
                )
            )
        looks.sort(key=lambda look: look.at)
        state, stage = dice.choice(["open", "deleted"]), dice.choice(["NEW", "WON", "LOSE"])
        deals.append(Deal(id=number, looks=looks, stage=stage, state=state, responsible=dice.choice([7, 9])))
    return deals


def kind(look: Look) -> str | None:
    if look.above != "no" or look.semantics == "failure":
        return None
    if look.exemption:
        return look.exemption
    if not look.declined:
        return "undecided"
    return "person" if {"person_moved", "deal_closed"} & set(look.held) else None


def by_hand(deals: list[Deal]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    for deal in deals:
        for one in {found for look in deal.looks if (found := kind(look))}:
            place = next(index for index, look in enumerate(deal.looks) if kind(look) == one)
            first = deal.looks[place]
            setting = first
            for look in reversed(deal.looks[:place]):
                if (look.profit, look.trial) != (first.profit, first.trial):
                    break
                setting = look
            told.append(
                {
                    "number": first.number,
                    "deal": deal.id,
                    "kind": one,
                    "manager": first.responsible or deal.responsible,
                    "at": first.at,
                    "ruleset_version": first.version,
                    "profit": first.profit,
                    "set_by": None if setting.updated_by == INTEGRATION else setting.updated_by,
                    "set_at": setting.at,
                    "stands": kind(deal.looks[-1]) == one,
                    "ending": deal.ending,
                    "final_profit": deal.looks[-1].profit,
                }
            )
    return sorted(told, key=lambda entry: -entry["number"])


def shown(entry: LedgerEntry, names: Any) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in names}


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_ledger_is_what_the_runs_say(database: Database, portal_id: int, seed: int) -> None:
    deals = made_up(seed)
    async with database.writing() as session:
        await record(session, portal_id, deals)
    wanted = by_hand(deals)
    assert {entry["kind"] for entry in wanted} == {"regular", "trial", "undecided", "person"}
    assert any(entry["set_at"] != entry["at"] for entry in wanted)
    async with database.reading() as session:
        found = await ledger(session, portal_id, ExceptionFilter(), limit=1000)
        assert [shown(entry, wanted[0]) for entry in found] == wanted

        pages: list[LedgerEntry] = []
        while page := await ledger(
            session, portal_id, ExceptionFilter(), before=pages[-1].number if pages else None, limit=7
        ):
            pages += page
        assert pages == found

        since, until = BASE.date() - timedelta(days=3), BASE.date() + timedelta(days=1)
        few = ExceptionFilter(since=since, until=until, kind="regular", manager=7)
        kept = [
            entry
            for entry in wanted
            if since <= (entry["at"] + timedelta(hours=3)).date() <= until
            and (entry["kind"], entry["manager"]) == ("regular", 7)
        ]
        assert [entry.number for entry in await ledger(session, portal_id, few)] == [entry["number"] for entry in kept]
        assert 0 < len(kept) < len(wanted)

        for which, entries in ((ExceptionFilter(), wanted), (few, kept)):
            ordered = sorted(entries, key=lambda entry: (entry["kind"], entry["ending"]))
            grouped = groupby(ordered, key=lambda entry: (entry["kind"], entry["ending"]))
            summed = [(one, [entry["final_profit"] for entry in of]) for one, of in grouped]
            expected = [Total(*one, len(profits), sum(profits), len(profits)) for one, profits in summed]
            assert await totals(session, portal_id, which) == expected


async def test_another_portals_runs_and_leads_are_none_of_it(database: Database, portal_id: int) -> None:
    deal = Deal(id=5, looks=[Look(datetime(2026, 3, 1, tzinfo=UTC), Decimal(1), exemption="trial")])
    async with database.writing() as session:
        await record(session, portal_id, [deal])
        assert len(await ledger(session, portal_id, ExceptionFilter(since=date.min, until=date.max))) == 1
        assert await ledger(session, portal_id + 1, ExceptionFilter()) == []
