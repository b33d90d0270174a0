"""A portal's past in the hand: cards as they really were, what runs by earlier rules read of them, how they ended.

For the replay tests only. `read_by` does what fetching does: which rows, sections and won deals it asks for depends on
the rules. So the truth under a draft is what a run by the draft would have read of the same cards.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from hypothesis import strategies as st

from app.domain.criteria import answer
from app.domain.difference import link
from app.domain.facts import Facts, Kind, Row
from app.domain.kept_cards import kept_to_json
from app.domain.minimum import months_before
from app.domain.qualify import qualify
from app.domain.reading import deal_facts, lead_facts
from app.domain.record import verdict_to_json
from app.domain.ruleset import (
    DEFAULT,
    Criterion,
    Currencies,
    FactDefinition,
    FactSource,
    Minimum,
    Nomenclature,
    Operator,
    Ruleset,
)
from app.domain.snapshot import DealSnapshot, Entity, LeadSnapshot, PortalDictionary, Stage, WonDeal

SINCE = datetime(2026, 3, 2, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=10)
US = 7
DICTIONARY = PortalDictionary(
    integration_user_id=US,
    zone=UTC,
    stages=(
        Stage(Entity.LEAD, 0, "NEW", "New", 10, "process"),
        Stage(Entity.LEAD, 0, "CONVERTED", "Converted", 20, "success"),
        Stage(Entity.LEAD, 0, "JUNK", "Junk", 30, "failure"),
        Stage(Entity.DEAL, 0, "NEW", "New", 10, "process"),
        Stage(Entity.DEAL, 0, "WON", "Won", 20, "success"),
        Stage(Entity.DEAL, 0, "LOSE", "Lost", 30, "failure"),
    ),
    enumerations={(Entity.LEAD, "UF_CRM_OGON_REQUEST_FIT"): {"41": "yes", "42": "no"}},
    rates={"RUB": Decimal(1), "USD": Decimal(90)},
    heads={11: 3},
    industries={"MANUFACTURING": "Manufacturing", "OTHER": "Other"},
)


def _reading(name: str, kind: Kind, *places: tuple[str, str]) -> FactDefinition:
    return FactDefinition(name, kind, tuple(FactSource(card, field) for card, field in places))


_MAPPED = {
    "steam_tph": _reading("steam_tph", Kind.NUMBER, ("lead", "UF_CRM_BOILERS"), ("company", "UF_CRM_OGON_STEAM_TPH")),
    "request_answer": _reading("request_answer", Kind.CODE, ("lead", "UF_CRM_FIT")),
    "margin": _reading("margin", Kind.NUMBER, ("deal", "UF_CRM_PROFIT")),
}


@dataclass(frozen=True, slots=True)
class Past:
    """One run: when, by which version, and whether it was carried through."""

    day: int
    version: int
    status: str


@dataclass(frozen=True, slots=True)
class Told:
    """A card as it really was at all its runs, and as it stands now."""

    entity: Entity
    card_id: int
    lead: dict[str, Any]
    deal: dict[str, Any]
    company: dict[str, Any] | None
    rows: tuple[Row, ...]
    won: tuple[date, ...]
    runs: tuple[Past, ...]
    stage: str
    state: str
    moved_by: int
    responsible: int
    became: int | None
    last_move: str | None
    kept: bool


def read_by(told: Told, rules: Ruleset, today: date) -> LeadSnapshot | DealSnapshot:
    """What a run by these rules reads of the card."""
    if told.entity is Entity.LEAD:
        answered = answer(lead_facts(LeadSnapshot(told.lead), rules, DICTIONARY), "request_answer").known
        return LeadSnapshot(told.lead, told.company, () if answered else _looked_up(told.rows, rules.nomenclature))
    rows = _looked_up(told.rows, rules.nomenclature)
    return DealSnapshot(told.deal, told.company, None, rows, (), _won(told, rules, today))


def facts_of(snapshot: LeadSnapshot | DealSnapshot, rules: Ruleset) -> Facts:
    read = lead_facts if isinstance(snapshot, LeadSnapshot) else deal_facts
    return read(snapshot, rules, DICTIONARY)


def _looked_up(rows: tuple[Row, ...], wanted: Nomenclature) -> tuple[Row, ...]:
    """Only sections that the rules ask for are looked up, and not of products that they list."""
    return tuple(
        row
        if wanted.sections and row.product_id and row.product_id not in wanted.products
        else replace(row, section_ids=None)
        for row in rows
    )


def _won(told: Told, rules: Ruleset, today: date) -> tuple[WonDeal, ...] | None:
    if not link(told.deal.get("companyId")):
        return ()
    facts = deal_facts(DealSnapshot(told.deal), rules, DICTIONARY)
    limits = ((facts.number("margin"), rules.minimum.profit), (facts.number("amount"), rules.minimum.amount))
    below = any(value is not None and limit is not None and value < limit for value, limit in limits)
    if not (rules.minimum.regular_exempt and below):
        return None
    since = months_before(today, rules.minimum.regular_months) - timedelta(days=3)
    return tuple(WonDeal(900 + number, day) for number, day in enumerate(told.won) if day >= since)


@st.composite
def rulesets(draw: st.DrawFn, version: int = 1) -> Ruleset:
    """Rules that differ in what they ask, in where they read, or only in their limits."""
    mapped = draw(st.sets(st.sampled_from(sorted(_MAPPED)), max_size=1))
    return replace(
        DEFAULT,
        version=version,
        facts=tuple(_MAPPED[one.name] if one.name in mapped else one for one in DEFAULT.facts),
        client=(
            Criterion("steam_tph", Operator.OVER, number=draw(st.sampled_from((Decimal(1), Decimal(3), Decimal(8))))),
            Criterion("industry", Operator.ONE_OF, codes=draw(st.sampled_from((("MANUFACTURING",), ("OTHER",))))),
        ),
        nomenclature=Nomenclature(
            sections=draw(st.sampled_from(((), (), (5,)))),
            products=draw(st.sampled_from(((), (), (70,)))),
            terms=draw(st.sampled_from(((), ("котёл",), ("насос",)))),
        ),
        fitting_request_of_no_client=draw(st.sampled_from(("review", "junk", "deal"))),
        urgency_days=draw(st.sampled_from((5, 30))),
        minimum=Minimum(
            profit=draw(st.sampled_from((Decimal(5000), Decimal(50), None))),
            amount=draw(st.sampled_from((None, Decimal(1000)))),
            regular_exempt=draw(st.booleans()),
            regular_won_deals=draw(st.sampled_from((1, 2))),
            regular_months=draw(st.sampled_from((2, 12))),
        ),
        currencies=Currencies(rates=draw(st.sampled_from(({}, {"USD": Decimal(1)})))),
    )


_runs = st.lists(
    st.builds(
        Past,
        st.integers(-3, 12),
        st.integers(1, 2),
        st.sampled_from(("done", "done", "done", "failed", "open", "abandoned")),
    ),
    min_size=1,
    max_size=3,
).map(lambda runs: tuple(sorted(runs, key=lambda run: run.day)))
_rows = st.lists(st.sampled_from((Row(70, "Boiler", (5, 1)), Row(71, "Pump", (6,)), Row(0, "Free", ()))), max_size=2)


@st.composite
def _told(draw: st.DrawFn, entity: Entity, card_id: int) -> Told:
    one_of = st.sampled_from
    lead = {
        "id": card_id,
        "title": draw(one_of(("Нужен котёл", "Насосы", "Привет"))),
        "companyTitle": "Plant",
        "UF_CRM_OGON_STEAM_TPH": draw(one_of((None, "0", "3.5", "9"))),
        "UF_CRM_BOILERS": draw(one_of((None, "2", "9"))),
        "UF_CRM_OGON_INDUSTRY": draw(one_of((None, "MANUFACTURING", "OTHER"))),
        "UF_CRM_OGON_REQUEST_FIT": draw(one_of((None, "41", "42"))),
        "UF_CRM_FIT": draw(one_of((None, "yes", "no"))),
    }
    company_id = draw(one_of((None, 30)))
    deal = {
        "id": card_id,
        "companyId": company_id,
        "opportunity": draw(one_of((None, 10, 5000))),
        "currencyId": draw(one_of(("RUB", "USD"))),
        "UF_CRM_OGON_NEED": draw(one_of((None, "yes", "no"))),
        "UF_CRM_OGON_BUDGET": draw(one_of((None, "yes"))),
        "UF_CRM_OGON_NEEDED_BY": draw(one_of((None, "2026-03-10", "2026-03-25"))),
        "UF_CRM_OGON_MARGIN": draw(one_of((None, 10, 100, 9000))),
        "UF_CRM_PROFIT": draw(one_of((None, 10, 9000))),
        "UF_CRM_OGON_TRIAL": "N",
    }
    return Told(
        entity,
        card_id,
        lead,
        deal,
        {"id": 30, "UF_CRM_OGON_STEAM_TPH": draw(one_of((None, "4")))} if company_id else None,
        tuple(draw(_rows)),
        tuple(draw(st.lists(one_of((date(2025, 8, 1), date(2026, 2, 20))), max_size=2))),
        draw(_runs),
        draw(one_of(("NEW", "CONVERTED", "JUNK", "GONE") if entity is Entity.LEAD else ("NEW", "WON", "LOSE", "GONE"))),
        draw(one_of(("open", "deleted"))),
        draw(one_of((US, 12))),
        draw(one_of((11, 12))),
        draw(st.none() | st.integers(1, 6)) if entity is Entity.LEAD else None,
        draw(one_of((None, "S", "F", "P"))),
        draw(st.booleans()),
    )


@st.composite
def pasts(draw: st.DrawFn) -> list[Told]:
    """Some leads and deals, each with its runs."""
    leads = draw(st.sets(st.integers(1, 6), max_size=5))
    deals = draw(st.sets(st.integers(1, 6), max_size=5))
    return [draw(_told(Entity.LEAD, number)) for number in sorted(leads)] + [
        draw(_told(Entity.DEAL, number)) for number in sorted(deals)
    ]


def opened(run: Past) -> datetime:
    return SINCE + timedelta(days=run.day, hours=9)


def store(
    connection: psycopg.Connection[Any], portal_id: int, past: Sequence[Told], versions: dict[int, Ruleset]
) -> None:
    """Put the past into empty tables, as the worker would have."""
    for table in ("actions", "runs", "cards", "stage_moves"):
        connection.execute(f"DELETE FROM {table}")
    with connection.cursor() as cursor:
        for told in past:
            key = (portal_id, int(told.entity), told.card_id)
            made = None
            for run in told.runs:
                made = cursor.execute(
                    "INSERT INTO runs (portal_id, entity_type_id, card_id, ruleset_version, mode, opened_at, status,"
                    " seen, facts, facts_digest, verdict, snapshot)"
                    " VALUES (%s, %s, %s, %s, 'live', %s, %s, %s, %s, '', %s, %s) RETURNING id",
                    (*key, run.version, opened(run), run.status, *_recorded(told, run, versions[run.version])),
                ).fetchone()
            through = [opened(run) for run in told.runs if run.status in {"done", "failed"}]
            cursor.execute(
                "INSERT INTO cards (portal_id, entity_type_id, card_id, stage_id, state, moved_by, assigned_by_id,"
                " judged_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                (*key, told.stage, told.state, told.moved_by, 99, max(through, default=None)),
            )
            if told.became is not None and made is not None:
                cursor.execute(
                    "INSERT INTO actions (run_id, position, portal_id, key, kind, payload, state, result)"
                    " VALUES (%s, 0, %s, %s, 'create', '{}', 'done', %s)",
                    (made[0], portal_id, f"lead-{told.card_id}:deal", json.dumps({"id": told.became})),
                )
            if told.last_move is not None:
                for history_id, semantics in ((1, "P"), (2, told.last_move)):
                    number = history_id + 10 * told.card_id
                    cursor.execute(
                        "INSERT INTO stage_moves (portal_id, entity_type_id, history_id, card_id, type_id, stage_id,"
                        " semantics) VALUES (%s, %s, %s, %s, 2, 'X', %s)",
                        (portal_id, int(told.entity), number, told.card_id, semantics),
                    )


def _recorded(told: Told, run: Past, rules: Ruleset) -> tuple[str, str, str, str | None]:
    today = opened(run).date()
    snapshot = read_by(told, rules, today)
    facts = facts_of(snapshot, rules)
    verdict = qualify(told.entity, facts, rules, today)
    return (
        json.dumps({"stage": "NEW", "responsible": told.responsible}),
        json.dumps(facts.to_json()),
        json.dumps({**verdict_to_json(verdict), "decision": verdict.decision}),
        json.dumps(kept_to_json(snapshot)) if told.kept else None,
    )
