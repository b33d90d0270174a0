"""Judged cards for the tests of API and pages: stored through the same functions that the worker uses."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from app.domain.facts import Fact, Facts, Kind, Truth
from app.domain.messages import message, message_to_json
from app.domain.record import verdict_to_json
from app.domain.verdict import Finding, Flip, LeadVerdict, Outcome
from app.store import cards, runs
from app.store.cards import CardKey
from app.store.database import Database

HOSTILE = "<script>alert(1)</script>\"'&{{ 7*7 }}"
OPENED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WHY = message("{fact} is not known", fact=message("Turnover"))


def facts() -> Facts:
    return Facts(
        [
            Fact("steam_tph", Kind.NUMBER, Decimal("4.5"), "lead.UF_CRM_OGON_STEAM_TPH"),
            Fact("turnover", Kind.NUMBER, None, problem=message("“{text}” is not a number", text=HOSTILE)),
            Fact("company_title", Kind.TEXT, HOSTILE, "lead.companyTitle", others=(("company.title", "Other"),)),
            Fact("needed_by", Kind.DATE, date(2026, 11, 30), "deal.UF_CRM_OGON_NEEDED_BY"),
        ]
    )


def verdict() -> LeadVerdict:
    flip = Flip("turnover", Kind.NUMBER, "1000000001", message("{fact}: what is it?", fact=message("Turnover")))
    return LeadVerdict(
        outcome=Outcome.NEEDS_DATA,
        client=Truth.UNKNOWN,
        request=Truth.YES,
        findings=(
            Finding("steam_tph", Truth.YES, message("{value} t/h", value=Decimal("4.5"))),
            Finding("turnover", Truth.UNKNOWN, WHY, flip),
        ),
        why=WHY,
    )


async def judged_lead(
    database: Database, portal_id: int, card_id: int, *, title: str = "Boiler house", **values: Any
) -> int:
    """One lead with one run and two actions; the run's number."""
    key = CardKey(portal_id, 1, card_id)
    comment = {"kind": "comment", "key": f"lead-{card_id}:comment:1", "text": HOSTILE}
    fields = {"kind": "update", "key": f"lead-{card_id}:fields:1", "fields": {"UF_CRM_OGON_VERDICT": "needs_data"}}
    async with database.writing() as session:
        run = runs.NewRun(
            card=key,
            mode="live",
            seen={"stage": "NEW"},
            facts=facts().to_json(),
            facts_digest=facts().digest(),
            verdict=verdict_to_json(verdict()),
            plan={"actions": [comment["key"], fields["key"]], "held": ["A person moved the card."]},
            ruleset_version=1,
            opened_at=OPENED,
        )
        run_id = await runs.open_run(
            session, run, [runs.PlannedAction(one["key"], one["kind"], one) for one in (comment, fields)]
        )
        await runs.close_run(session, run_id, status="done")
        stored = {
            "title": title,
            "stage_id": "NEW",
            "outcome": "needs_data",
            "why": message_to_json(WHY),
            "last_run_id": run_id,
        }
        await cards.save(session, key, **(stored | values))
    return run_id
