"""The narrow rows of leads and deals: who may write over whom."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.figures import CardFigures, DealJudged, LeadJudged
from app.store import card_figures, past_deals
from app.store.cards import CardKey
from app.store.database import Database
from app.store.past_deals import PastDeal, PastReading

pytestmark = pytest.mark.anyio

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
LEAD = LeadJudged(outcome="junk", heat="other", client="no", request="unknown", solvent="no", failed=("turnover",))
DEAL = DealJudged(
    grade="BBB",
    heat="warm",
    amount=Decimal("100.50"),
    profit=None,
    declined=False,
    exemption="trial",
    client="yes",
    checklist="ynuyynu",
    roles=("economic", "user"),
    industry="FOOD",
    turnover=Decimal(1_000_000),
    steam_tph=None,
)
OPEN = CardFigures(
    card_id=5,
    created_at=AT,
    updated_at=AT,
    closed_on=None,
    pipeline=0,
    stage_id="NEW",
    ending="open",
    source="WEB",
    responsible=7,
    company_id=50,
)
WON = replace(OPEN, stage_id="WON", ending="won", closed_on=AT.date(), updated_at=AT + timedelta(days=1))


async def row(database: Database, portal_id: int, table: str = "deal_figures") -> Any:
    async with database.reading() as session:
        found = await session.execute(text(f"SELECT * FROM {table} WHERE portal_id = :id"), {"id": portal_id})
        return found.one()


async def judge(database: Database, portal_id: int, stands: CardFigures) -> None:
    async with database.writing() as session:
        await card_figures.judged(session, CardKey(portal_id, 2, 5), stands, DEAL, at=AT)


async def seen_in_a_list(database: Database, portal_id: int, *stands: CardFigures) -> None:
    async with database.writing() as session:
        await card_figures.listed(session, portal_id, 2, stands)


async def test_a_run_keeps_all_that_it_found(database: Database, portal_id: int) -> None:
    async with database.writing() as session:
        await card_figures.judged(session, CardKey(portal_id, 1, 5), OPEN, LEAD, at=AT)
    await judge(database, portal_id, replace(OPEN, lead_id=3, pipeline=4))
    lead, deal = await row(database, portal_id, "lead_figures"), await row(database, portal_id)
    assert (lead.outcome, lead.heat, lead.client, lead.request, lead.solvent) == (
        "junk",
        "other",
        "no",
        "unknown",
        "no",
    )
    assert (lead.failed, lead.created_at, lead.judged_at) == (["turnover"], AT, AT)
    assert (deal.grade, deal.amount, deal.profit, deal.exemption) == ("BBB", Decimal("100.50"), None, "trial")
    assert (deal.checklist, deal.roles, deal.lead_id, deal.pipeline) == ("ynuyynu", ["economic", "user"], 3, 4)


async def test_a_list_tells_where_a_card_stands_and_takes_nothing_away(database: Database, portal_id: int) -> None:
    await judge(database, portal_id, replace(OPEN, lead_id=3))
    newer = replace(WON, source=None, responsible=8)
    await seen_in_a_list(database, portal_id, newer, replace(OPEN, card_id=6))
    async with database.writing() as session:
        await card_figures.deleted(session, CardKey(portal_id, 2, 6))
        count = await session.scalar(text("SELECT count(*) FROM deal_figures WHERE deleted"))
        await session.execute(text("DELETE FROM deal_figures WHERE card_id = 6"))
    now = await row(database, portal_id)
    assert (now.ending, now.closed_on, now.stage_id, now.responsible) == ("won", date(2026, 3, 1), "WON", 8)
    assert (now.grade, now.source, now.lead_id, count) == ("BBB", "WEB", 3, 1)


async def test_an_older_list_changes_nothing_and_a_newer_one_brings_a_deleted_card_back(
    database: Database, portal_id: int
) -> None:
    await judge(database, portal_id, WON)
    await seen_in_a_list(database, portal_id, OPEN)
    assert (await row(database, portal_id)).ending == "won"
    async with database.writing() as session:
        await card_figures.deleted(session, CardKey(portal_id, 2, 5))
    await seen_in_a_list(database, portal_id, WON)
    assert (await row(database, portal_id)).deleted
    await seen_in_a_list(database, portal_id, replace(WON, updated_at=AT + timedelta(days=2)))
    assert not (await row(database, portal_id)).deleted


async def test_a_closed_card_stays_with_who_closed_it_until_it_is_opened_again(
    database: Database, portal_id: int
) -> None:
    owners: list[int | None] = []
    for stands in (OPEN, WON, replace(WON, responsible=8), replace(OPEN, responsible=9), replace(WON, responsible=9)):
        await judge(database, portal_id, stands)
        owners.append((await row(database, portal_id)).responsible)
    assert owners == [7, 7, 7, 9, 9]


def past(number: int, closed_on: date, stage: str = "C4:WON") -> PastDeal:
    return PastDeal(
        deal_id=number,
        company_id=50,
        responsible=7,
        stage_id=stage,
        semantics="success",
        source=None,
        created_at=AT,
        closed_on=closed_on,
        amount=Decimal(10),
        profit=Decimal(3),
        industry=None,
        turnover=None,
        steam_tph=None,
    )


async def test_past_deals_count_until_a_run_knows_better_or_the_portal_has_them_no_more(
    database: Database, portal_id: int
) -> None:
    began = PastReading(mapping="", names={}, began_at=AT + timedelta(days=7), closed_from=date(2025, 1, 1))
    async with database.writing() as session:
        await card_figures.judged(session, CardKey(portal_id, 2, 1), replace(WON, card_id=1), DEAL, at=AT)
        kept = [past(1, AT.date()), past(2, AT.date()), past(3, AT.date(), "WON"), past(4, date(2024, 12, 31))]
        await past_deals.keep_deals(session, portal_id, kept, now=AT)
        # A week later the lists have the third one, the second was deleted, the fourth closed too long ago.
        await past_deals.keep_deals(session, portal_id, kept[2:3], now=AT + timedelta(days=8))
        await past_deals.save_reading(session, portal_id, began)
        await past_deals.finish(session, portal_id, began, now=AT + timedelta(days=8))
    async with database.reading() as session:
        rows = await session.execute(
            text("SELECT card_id, grade, profit, pipeline, ending, deleted FROM deal_figures ORDER BY card_id")
        )
        assert [tuple(one) for one in rows] == [
            (1, "BBB", None, 0, "won", False),
            (2, None, Decimal(3), 4, "won", True),
            (3, None, Decimal(3), 0, "won", False),
            (4, None, Decimal(3), 4, "won", False),
        ]
