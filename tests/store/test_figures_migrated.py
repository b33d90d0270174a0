"""What migration 0019 makes of the time before it: the same rows as the runs, lists and moves would have kept."""

import importlib.util
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import migrations
from app.store import cards, past_deals, runs, stage_moves
from app.store.cards import CardKey
from app.store.database import Database, WriteSession
from app.store.past_deals import PastDeal
from app.store.stage_moves import StageMove

pytestmark = pytest.mark.anyio

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
FILE = next(Path(migrations.__path__[0], "versions").glob("*_figures.py"))


def migration() -> Any:
    spec = importlib.util.spec_from_file_location("figures_migration", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def judged(session: WriteSession, card: CardKey, semantics: str, stage: str, verdict: dict[str, Any]) -> None:
    facts = {"amount": {"kind": "number", "value": "10.5"}, "margin": {"kind": "text", "value": "much"}}
    run = runs.NewRun(
        card=card,
        mode="live",
        opened_at=AT,
        seen={"semantics": semantics, "source": "WEB", "close_date": "2026-03-05"},
        facts=facts,
        facts_digest="",
        verdict=verdict,
    )
    number = await runs.open_run(session, run)
    await cards.save(
        session,
        card,
        stage_id=stage,
        assigned_by_id=7,
        created_time=AT,
        judged_at=AT,
        last_run_id=number,
        company_id=50,
        outcome="junk" if card.entity_type_id == 1 else None,
        grade="BBB" if card.entity_type_id == 2 else None,
    )


async def test_figures_of_the_time_before_are_filled(database: Database, portal_id: int) -> None:
    checklist = [{"truth": one} for one in ("yes", "no", "unknown", "yes", "yes", "no", "unknown")]
    async with database.writing() as session:
        await judged(session, CardKey(portal_id, 1, 1), "failure", "JUNK", {"client": "no", "request": "yes"})
        verdict = {"client": "yes", "declined": False, "exemption": "trial", "checklist": checklist}
        await judged(session, CardKey(portal_id, 2, 5), "process", "C4:NEW", verdict)
        await cards.save(session, CardKey(portal_id, 1, 2), parked_reason="never read", state="parked")
        past = PastDeal(
            deal_id=6,
            company_id=51,
            responsible=8,
            stage_id="C12:WON",
            semantics="success",
            source=None,
            created_at=AT,
            closed_on=AT.date(),
            amount=Decimal(3),
            profit=Decimal(1),
            industry=None,
            turnover=None,
            steam_tph=None,
        )
        await past_deals.keep_deals(session, portal_id, [past], now=AT)
        move = {"portal_id": portal_id, "entity_type_id": 2, "card_id": 5, "type_id": 2, "category_id": 4}
        await stage_moves.keep(
            session,
            [
                StageMove(**move, history_id=number, stage_id=stage, semantics=semantics, created_time=AT)
                for number, stage, semantics in ((1, "C4:NEW", "P"), (2, "C4:LOSE", "F"), (3, "C4:NEW", "P"))
            ],
        )
        kept = (await session.execute(text("SELECT * FROM stage_stays ORDER BY history_id"))).all()
        past_kept = (await session.execute(text("SELECT * FROM deal_figures"))).all()
        await session.execute(text("TRUNCATE lead_figures, deal_figures, stage_stays"))
        connection = await session.connection()
        made = migration()
        for statement in (made._FILL_LEADS, made._FILL_DEALS, made._FILL_PAST, made._FILL_STAYS):
            await connection.exec_driver_sql(statement)
        leads = (await session.execute(text("SELECT * FROM lead_figures"))).all()
        deals = (await session.execute(text("SELECT * FROM deal_figures ORDER BY card_id"))).all()
        assert (await session.execute(text("SELECT * FROM stage_stays ORDER BY history_id"))).all() == kept
    assert [(one.card_id, one.ending, one.outcome, one.client, one.request, one.source) for one in leads] == [
        (1, "lost", "junk", "no", "yes", "WEB")
    ]
    assert deals[1:] == past_kept
    deal = deals[0]
    assert (deal.card_id, deal.ending, deal.pipeline, deal.closed_on, deal.responsible) == (5, "open", 4, None, 7)
    assert (deal.grade, deal.amount, deal.profit, deal.exemption) == ("BBB", Decimal("10.5"), None, "trial")
    assert (deal.checklist, deal.declined, deal.company_id) == ("ynuyynu", False, 50)
