"""Facts, cards and a dictionary in short hand, for the judging tests only."""

from collections.abc import Mapping
from datetime import UTC, date
from decimal import Decimal
from itertools import product
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from app.domain.facts import Fact, Facts, FactValue, Kind, Row
from app.domain.ruleset import Criterion, Operator
from app.domain.snapshot import Entity, PortalDictionary

law = settings(deadline=None)
"""On every property: a slow machine breaks no law."""

TODAY = date(2026, 8, 30)

KINDS = {
    "steam_tph": Kind.NUMBER,
    "turnover": Kind.NUMBER,
    "industry": Kind.CODE,
    "request_answer": Kind.CODE,
    "lead_request_answer": Kind.CODE,
    "rows": Kind.ROWS,
    "lead_rows": Kind.ROWS,
    "text": Kind.TEXT,
    "lead_text": Kind.TEXT,
    "company_title": Kind.TEXT,
    "company_linked": Kind.FLAG,
    "need": Kind.CODE,
    "budget": Kind.CODE,
    "needed_by": Kind.DATE,
    "margin": Kind.NUMBER,
    "amount": Kind.NUMBER,
    "roles": Kind.CODES,
    "need_scope": Kind.CODE,
    "trial": Kind.FLAG,
    "prospects": Kind.FLAG,
    "won_deals": Kind.DATES,
}

TARGET: Mapping[str, FactValue] = {
    "steam_tph": Decimal("3.5"),
    "turnover": Decimal(1_200_000_000),
    "industry": "MANUFACTURING",
}
NOT_TARGET: Mapping[str, FactValue] = {**TARGET, "steam_tph": Decimal(2)}
CATALOG_ROW = Row(77, "Boiler", (5, 1))
FREE_ROW = Row(0, "Something else")


def fact(name: str, value: FactValue | None, **more: Any) -> Fact:
    """One fact of the standard names with its kind."""
    return Fact(name, KINDS[name], value, **more)


def known(values: Mapping[str, FactValue | None], **more: FactValue | None) -> Facts:
    """Facts from values; what was gathered is empty unless given."""
    gathered: dict[str, FactValue | None] = {"rows": (), "lead_rows": (), "won_deals": (), "company_linked": False}
    return Facts(fact(name, value) for name, value in {**gathered, **values, **more}.items())


def portal_dictionary(**changes: Any) -> PortalDictionary:
    """A portal whose list items have ids that say nothing."""
    enumerations = {
        (Entity.LEAD, "UF_CRM_OGON_REQUEST_FIT"): {"41": "yes", "42": "no"},
        (Entity.DEAL, "UF_CRM_OGON_NEED"): {"51": "yes", "52": "no"},
        (Entity.DEAL, "UF_CRM_OGON_BUDGET"): {"53": "yes", "54": "no"},
        (Entity.DEAL, "UF_CRM_OGON_ROLES"): {"61": "economic", "62": "technical", "63": "user"},
        (Entity.DEAL, "UF_CRM_OGON_NEED_SCOPE"): {"71": "whole", "72": "part"},
    }
    given: dict[str, Any] = {
        "integration_user_id": 7,
        "zone": UTC,
        "enumerations": enumerations,
        "fields": frozenset({(Entity.DEAL, "UF_CRM_OGON_TRIAL"), (Entity.DEAL, "UF_CRM_OGON_PROSPECTS")}),
        "rates": {"RUB": Decimal(1), "USD": Decimal(90), "EUR": Decimal("98.5")},
        "industries": {"MANUFACTURING": "Manufacturing", "OTHER": "Other", "4": "Farming"},
        **changes,
    }
    return PortalDictionary(**given)


def completions(unknown: Mapping[str, tuple[FactValue, ...]]) -> list[dict[str, FactValue]]:
    """Every way the unknown facts may still turn out."""
    return [dict(zip(unknown, values, strict=True)) for values in product(*unknown.values())]


# Hypothesis: facts as they should be, and facts of the wrong kinds.

days = st.dates(date(2020, 1, 1), date(2032, 12, 31))
numbers = st.decimals(min_value=-10, max_value=10_000_000_000, places=2)
row_lists = st.lists(st.sampled_from((CATALOG_ROW, FREE_ROW, Row(8, "Pump", None), Row(9, "Pipe"))), max_size=3)
answers = st.sampled_from(("yes", "no"))

SENSIBLE: Mapping[str, st.SearchStrategy[Any]] = {
    "steam_tph": st.sampled_from((Decimal(0), Decimal(3), Decimal("3.1"))),
    "turnover": st.sampled_from((Decimal(1), Decimal(10) ** 9, Decimal(10) ** 9 + 1)),
    "industry": st.sampled_from(("MANUFACTURING", "OTHER")),
    "request_answer": answers,
    "lead_request_answer": answers,
    "rows": row_lists.map(tuple),
    "lead_rows": row_lists.map(tuple),
    "text": st.sampled_from(("a boiler", "нужен котёл", "hello")),
    "lead_text": st.sampled_from(("a boiler", "нужен котёл", "hello")),
    "company_title": st.just("Plant"),
    "company_linked": st.booleans(),
    "need": answers,
    "budget": answers,
    "needed_by": st.sampled_from((date(2026, 8, 29), TODAY, date(2026, 9, 29), date(2026, 9, 30))),
    "margin": st.sampled_from((Decimal("4999.99"), Decimal(5000))),
    "amount": st.sampled_from((Decimal(999), Decimal(1000))),
    "roles": st.sets(st.sampled_from(("economic", "technical", "user")), min_size=1).map(tuple),
    "need_scope": st.sampled_from(("whole", "part")),
    "trial": st.booleans(),
    "prospects": st.booleans(),
    "won_deals": st.lists(days, max_size=4).map(tuple),
}

anything = (
    st.none()
    | st.booleans()
    | st.text(max_size=12)
    | st.decimals()
    | st.dates()
    | st.lists(st.text(max_size=4), max_size=3).map(tuple)
    | st.lists(st.dates(), max_size=3).map(tuple)
    | row_lists.map(tuple)
)


@st.composite
def sensible_facts(draw: st.DrawFn) -> Facts:
    """Facts of the right kinds, each perhaps unknown."""
    return Facts(fact(name, draw(st.none() | values)) for name, values in SENSIBLE.items())


@st.composite
def wild_facts(draw: st.DrawFn) -> Facts:
    """Facts whose values and kinds have nothing to do with each other; some are missing."""
    names = draw(st.lists(st.sampled_from(sorted(KINDS)), unique=True))
    return Facts(
        Fact(name, draw(st.sampled_from(Kind)), draw(anything), draw(st.text(max_size=5)), None, ()) for name in names
    )


criteria = st.builds(
    Criterion,
    fact=st.sampled_from(sorted(KINDS)),
    operator=st.sampled_from(Operator),
    number=st.none() | st.decimals() | numbers,
    codes=st.lists(st.sampled_from(("yes", "no", "OTHER", "other_1", "MANUFACTURING", "")), max_size=3).map(tuple),
)
