"""Deals as runs have recorded them, made up by a seed: what the reports must say of them is reckoned in the tests."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.domain.facts import Fact, Facts, Kind
from app.domain.figures import CardFigures, DealJudged
from app.store import card_figures, cards, past_deals, runs
from app.store.cards import CardKey
from app.store.database import WriteSession
from app.store.past_deals import PastDeal

INTEGRATION = 1
BASE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@dataclass
class Look:
    """One run over a deal: what it read, and what it decided."""

    at: datetime
    profit: Decimal | None = None
    trial: bool | None = None
    above: str = "no"
    exemption: str | None = None
    declined: bool = False
    held: tuple[str, ...] = ()
    semantics: str | None = "process"
    updated_by: int | None = 12
    responsible: int | None = 7
    version: int = 1
    number: int = 0


@dataclass
class Deal:
    """One deal and all its looks. `stage` outside the dictionary has only the meaning that the last look saw."""

    id: int
    looks: Sequence[Look]
    stage: str | None = "NEW"
    state: str = "open"
    company: int | None = None
    responsible: int | None = 7
    created: datetime = BASE
    moved: datetime | None = None
    close_date: str | None = None
    source: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def ending(self) -> str:
        if self.state == "deleted":
            return "deleted"
        known = {"NEW": "process", "WON": "success", "LOSE": "failure"}
        meaning = known.get(self.stage or "", self.looks[-1].semantics)
        return {"success": "won", "failure": "lost"}.get(meaning or "", "open")

    @property
    def closed_on(self) -> date | None:
        if self.close_date:
            return date.fromisoformat(self.close_date)
        return None if self.moved is None else (self.moved + timedelta(hours=3)).date()


async def record(session: WriteSession, portal_id: int, deals: Sequence[Deal]) -> None:
    """Write the deals' runs in the order of time, and their rows; each look learns its run's number."""
    looks = sorted(((look.at, deal.id, deal, look) for deal in deals for look in deal.looks), key=lambda one: one[:2])
    for _, _, deal, look in looks:
        facts = _facts(deal, look)
        run = runs.NewRun(
            card=CardKey(portal_id, 2, deal.id),
            mode="live",
            opened_at=look.at,
            seen={
                "semantics": look.semantics,
                "updated_by": look.updated_by,
                "responsible": look.responsible,
                "close_date": deal.close_date,
                "source": deal.source,
            },
            facts=facts.to_json(),
            facts_digest=facts.digest(),
            verdict={
                "above_minimum": look.above,
                "exemption": look.exemption,
                "declined": look.declined,
                "why": {"template": "so it is", "values": {}},
            },
            plan={"actions": [], "held": list(look.held)},
            ruleset_version=look.version,
        )
        look.number = await runs.open_run(session, run)
        await runs.close_run(session, look.number, status="done")
    for deal in deals:
        await cards.save(
            session,
            CardKey(portal_id, 2, deal.id),
            title=f"Deal {deal.id}",
            stage_id=deal.stage,
            state=deal.state,
            company_id=deal.company,
            assigned_by_id=deal.responsible,
            created_time=deal.created,
            moved_time=deal.moved,
            last_run_id=deal.looks[-1].number,
        )
        await _figures(session, portal_id, deal)


async def _figures(session: WriteSession, portal_id: int, deal: Deal) -> None:
    last, key = deal.looks[-1], CardKey(portal_id, 2, deal.id)
    # The portal's lists tell of a deal that was closed after its last look.
    ending = {"success": "won", "failure": "lost"}.get(last.semantics or "", deal.ending)
    stands = CardFigures(
        card_id=deal.id,
        created_at=deal.created,
        updated_at=last.at,
        closed_on=deal.closed_on if ending in {"won", "lost"} else None,
        pipeline=0,
        stage_id=deal.stage,
        ending="open" if ending == "deleted" else ending,  # pyright: ignore[reportArgumentType]
        source=deal.source,
        responsible=deal.responsible,
        company_id=deal.company,
    )
    told = DealJudged(
        grade="none",
        heat="other",
        amount=deal.facts.get("amount"),
        profit=last.profit,
        declined=last.declined,
        exemption=last.exemption,
        client="unknown",
        checklist="uuuuuuu",
        roles=None,
        **{name: deal.facts.get(name) for name in ("industry", "turnover", "steam_tph")},
    )
    await card_figures.judged(session, key, stands, told, at=last.at)
    if deal.state == "deleted":
        await card_figures.deleted(session, key)


async def list_past(session: WriteSession, portal_id: int, deals: Sequence[Deal]) -> None:
    """Keep closed deals as a reading of the portal's lists does: without any run."""
    await past_deals.keep_deals(session, portal_id, [_listed(deal) for deal in deals], now=BASE)


def unlike(deal: Deal) -> Deal:
    """The same deal as it was long before its last run; nothing of it may be told."""
    return replace(deal, looks=[Look(BASE, Decimal(1))], company=99, stage="WON", facts={"industry": "LONG_AGO"})


def _listed(deal: Deal) -> PastDeal:
    return PastDeal(
        deal_id=deal.id,
        company_id=deal.company,
        responsible=deal.responsible,
        stage_id=deal.stage,
        semantics="success" if deal.ending == "won" else "failure",
        source=deal.source,
        created_at=deal.created,
        closed_on=deal.closed_on or BASE.date(),
        profit=deal.looks[-1].profit,
        **{name: deal.facts.get(name) for name in ("amount", "industry", "turnover", "steam_tph")},
    )


def _facts(deal: Deal, look: Look) -> Facts:
    kinds = {"industry": Kind.CODE, "turnover": Kind.NUMBER, "steam_tph": Kind.NUMBER, "amount": Kind.NUMBER}
    return Facts(
        [
            Fact("margin", Kind.NUMBER, look.profit, "deal.UF_CRM_OGON_MARGIN"),
            Fact("trial", Kind.FLAG, look.trial),
            *(Fact(name, kinds[name], value) for name, value in deal.facts.items()),
        ]
    )


def some(dice: random.Random, values: Sequence[Any], unknown: float = 0.2) -> Any:
    """One of the values, or None."""
    return None if dice.random() < unknown else dice.choice(values)
