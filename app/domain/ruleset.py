"""The ruleset: every threshold and route as one immutable, numbered version.

Plain frozen dataclasses so that the domain stays pure; `app/store/ruleset_document.py` turns them into JSON and
back, with the path of each wrong value. `DEFAULT` is version 1 of design.md, section 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Literal

from app.domain.facts import Kind
from app.domain.verdict import Grade


class Operator(Enum):
    """How a criterion compares; `over` and `under` are strict, `at_least` and `at_most` are inclusive."""

    OVER = "over"
    AT_LEAST = "at_least"
    UNDER = "under"
    AT_MOST = "at_most"
    ONE_OF = "one_of"
    NONE_OF = "none_of"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One rule on one fact: a number for the comparing operators, codes for `one_of` and `none_of`."""

    fact: str
    operator: Operator
    number: Decimal | None = None
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FactSource:
    """Where a fact is read. `zero_is_empty` where the portal prints 0 for "not filled"; `money` is converted."""

    card: Literal["lead", "company", "deal"]
    field: str
    zero_is_empty: bool = False
    money: bool = False


@dataclass(frozen=True, slots=True)
class FactDefinition:
    """A fact's name, kind and sources; the first known source wins."""

    name: str
    kind: Kind
    sources: tuple[FactSource, ...]


@dataclass(frozen=True, slots=True)
class Nomenclature:
    """What we sell: catalog sections and products (both empty: any catalog row), and terms for plain text."""

    sections: tuple[int, ...] = ()
    products: tuple[int, ...] = ()
    terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GradeCell:
    """One of the eight cells: which of the three pluses there are, and the grade they make."""

    need: bool
    budget: bool
    urgency: bool
    grade: Grade


@dataclass(frozen=True, slots=True)
class Minimum:
    """What one deal must earn (RUB), and who may earn less once."""

    profit: Decimal | None = Decimal(5000)
    amount: Decimal | None = None
    regular_exempt: bool = True
    regular_won_deals: int = 3
    regular_months: int = 12
    trial_exempt: bool = True


@dataclass(frozen=True, slots=True)
class Route:
    """Where a card belongs; without a stage, the first of the pipeline."""

    pipeline: int = 0
    stage: str | None = None


@dataclass(frozen=True, slots=True)
class Targets:
    """Time allowed to the first response, in working minutes."""

    hot: int = 15
    warm: int = 60
    other: int = 540


def _by_count() -> tuple[GradeCell, ...]:
    grades = (Grade.NONE, Grade.CCC, Grade.BBB, Grade.AAA)
    flags = (False, True)
    return tuple(GradeCell(n, b, u, grades[n + b + u]) for n in flags for b in flags for u in flags)


STANDARD_FACTS: tuple[FactDefinition, ...] = (
    FactDefinition(
        "steam_tph",
        Kind.NUMBER,
        (FactSource("lead", "UF_CRM_OGON_STEAM_TPH"), FactSource("company", "UF_CRM_OGON_STEAM_TPH")),
    ),
    FactDefinition(
        "turnover",
        Kind.NUMBER,
        (
            FactSource("lead", "UF_CRM_OGON_TURNOVER"),
            FactSource("company", "revenue", zero_is_empty=True, money=True),
        ),
    ),
    FactDefinition(
        "industry",
        Kind.CODE,
        (
            FactSource("lead", "UF_CRM_OGON_INDUSTRY", zero_is_empty=True),
            FactSource("company", "industry", zero_is_empty=True),
        ),
    ),
    FactDefinition("request_answer", Kind.CODE, (FactSource("lead", "UF_CRM_OGON_REQUEST_FIT", zero_is_empty=True),)),
    FactDefinition("need", Kind.CODE, (FactSource("deal", "UF_CRM_OGON_NEED", zero_is_empty=True),)),
    FactDefinition("budget", Kind.CODE, (FactSource("deal", "UF_CRM_OGON_BUDGET", zero_is_empty=True),)),
    FactDefinition("needed_by", Kind.DATE, (FactSource("deal", "UF_CRM_OGON_NEEDED_BY"),)),
    FactDefinition("margin", Kind.NUMBER, (FactSource("deal", "UF_CRM_OGON_MARGIN"),)),
    FactDefinition("amount", Kind.NUMBER, (FactSource("deal", "opportunity", zero_is_empty=True, money=True),)),
    FactDefinition("roles", Kind.CODES, (FactSource("deal", "UF_CRM_OGON_ROLES", zero_is_empty=True),)),
    FactDefinition("need_scope", Kind.CODE, (FactSource("deal", "UF_CRM_OGON_NEED_SCOPE", zero_is_empty=True),)),
    FactDefinition("trial", Kind.FLAG, (FactSource("deal", "UF_CRM_OGON_TRIAL"),)),
    FactDefinition("prospects", Kind.FLAG, (FactSource("deal", "UF_CRM_OGON_PROSPECTS"),)),
)
"""Facts read from one field. Rows, text, won deals and company title are gathered by `reading.py` itself."""


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All thresholds and routes of one portal as one version."""

    version: int = 1
    facts: tuple[FactDefinition, ...] = STANDARD_FACTS
    client: tuple[Criterion, ...] = (
        Criterion("steam_tph", Operator.OVER, number=Decimal(3)),
        Criterion("turnover", Operator.OVER, number=Decimal(1_000_000_000)),
        Criterion("industry", Operator.ONE_OF, codes=("MANUFACTURING",)),
    )
    nomenclature: Nomenclature = Nomenclature()
    fitting_request_of_no_client: Literal["review", "junk", "deal"] = "review"
    grades: tuple[GradeCell, ...] = field(default_factory=_by_count)
    urgency_days: int = 30
    minimum: Minimum = Minimum()
    deal_route: Route = Route()
    grade_routes: Mapping[Grade, Route] = field(default_factory=dict[Grade, Route])
    targets: Targets = Targets()
    question_days: int = 1
    review_days: int = 1


DEFAULT = Ruleset()
