"""The ruleset: every threshold and route as one immutable, numbered version.

Plain frozen dataclasses so that the domain stays pure; `app/store/ruleset_document.py` turns them into JSON and back,
with the path of each wrong value, and `ruleset_check.py` tells what cannot be meant. The text under each field is
what `/docs` says about it. `DEFAULT` is version 1 of design.md, section 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Literal, TypeAlias

from app.domain.facts import Kind
from app.domain.verdict import Grade, Outcome

FieldValue: TypeAlias = str | int | float | bool
"""What a route writes into a field; for an enumeration the code of its item."""


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
    """Name of a fact, one of `facts`, or `company_linked`."""
    operator: Operator
    """How the fact is compared; `over` and `under` are strict, `at_least` and `at_most` take the bound itself too."""
    number: Decimal | None = None
    """The bound, for the comparing operators."""
    codes: tuple[str, ...] = ()
    """The list, for `one_of` and `none_of`; a box is `yes` or `no`."""


@dataclass(frozen=True, slots=True)
class FactSource:
    """Where a fact is read. `zero_is_empty` where the portal prints 0 for "not filled"; `money` is converted."""

    card: Literal["lead", "company", "deal"]
    """The card that has the field: the lead, the linked company or the deal."""
    field: str
    """Name of the field: `UF_CRM_…`, or a standard field as `crm.item` prints it, e.g. `revenue`."""
    zero_is_empty: bool = False
    """Whether 0 there means "not filled in", as in standard money fields, links and lists."""
    money: bool = False
    """Whether the field is an amount in the card's currency, to be converted to RUB."""


@dataclass(frozen=True, slots=True)
class FactDefinition:
    """A fact's name, kind and sources; the first known source wins."""

    name: str
    """Name by which criteria call the fact."""
    kind: Kind
    """What sort of value it is: number, flag, date, code, codes or text."""
    sources: tuple[FactSource, ...]
    """Where it is read; the first source that is filled in wins."""
    title: str | None = None
    """What people read for it; null: the name that Ogon has for it."""
    question: str | None = None
    """How a manager is asked for it; null: the question that Ogon has for it."""


@dataclass(frozen=True, slots=True)
class Nomenclature:
    """What we sell: catalog sections and products (both empty: any catalog row), and terms for plain text."""

    sections: tuple[int, ...] = ()
    """Ids of catalog sections; what lies in sections below them counts too."""
    products: tuple[int, ...] = ()
    """Ids of single catalog products."""
    terms: tuple[str, ...] = ()
    """Words that prove a request to be ours, in any form; words never prove that it is not."""


@dataclass(frozen=True, slots=True)
class GradeCell:
    """One of the eight cells: which of the three pluses there are, and the grade they make."""

    need: bool
    """Whether there is a need."""
    budget: bool
    """Whether a budget is allocated."""
    urgency: bool
    """Whether the delivery date is near."""
    grade: Grade
    """The grade of such a deal."""


@dataclass(frozen=True, slots=True)
class Minimum:
    """What one deal must earn (RUB), and who may earn less once."""

    profit: Decimal | None = Decimal(5000)
    """Least profit of a deal, RUB; null switches it off."""
    amount: Decimal | None = None
    """Least amount of a deal, RUB; null switches it off."""
    regular_exempt: bool = True
    """Whether a regular buyer may take less this once."""
    regular_won_deals: int = 3
    """So many won deals make a regular buyer."""
    regular_months: int = 12
    """Won deals of so many last months count."""
    trial_exempt: bool = True
    """Whether a trial delivery to a target client with prospects may be below the minimum."""


@dataclass(frozen=True, slots=True)
class Currencies:
    """Whose amounts are understood; everything is compared in RUB."""

    accepted: tuple[str, ...] = ()
    """Currencies to be understood besides RUB, amounts in others stay unknown; empty: every one that has a rate."""
    rates: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """Own rates, RUB for one unit, instead of the portal's."""


@dataclass(frozen=True, slots=True)
class LeadRoute:
    """Where a lead of one outcome goes and what is written into it."""

    stage: str | None = None
    """Code of the lead's stage; null: the portal's usual one for this outcome."""
    fields: Mapping[str, FieldValue] = field(default_factory=dict[str, FieldValue])
    """Fields of the lead and their values; for a list the code of its item."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a deal belongs; without a stage, the first of the pipeline."""

    pipeline: int | None = 0
    """Number of the pipeline; null: the one where the deal is."""
    stage: str | None = None
    """Code of the stage; null: the first one of the pipeline."""
    fields: Mapping[str, FieldValue] = field(default_factory=dict[str, FieldValue])
    """Fields of the deal and their values; for a list the code of its item."""


STAYS = Route(pipeline=None)
"""No other pipeline, no stage named."""


@dataclass(frozen=True, slots=True)
class Nurture:
    """The mark of a company that has no fitting request yet."""

    segment_field: str = "UF_CRM_OGON_SEGMENT"
    """The company's field that marks it."""
    segment: str = "nurture"
    """The value of that field; for a list the code of its item."""
    fields: Mapping[str, FieldValue] = field(default_factory=dict[str, FieldValue])
    """Further fields of the company and their values."""


@dataclass(frozen=True, slots=True)
class Segments:
    """Companies as new, regular, sleeping or in the nurture group, and when the last two are spoken to again."""

    written: bool = True
    """Whether a company's segment is written into the field of the nurture mark."""
    new: str = "new"
    """The value of that field for a company that bought, and too little to be regular; for a list the item's code."""
    regular: str = "regular"
    """Its value for a regular company."""
    sleeping: str = "sleeping"
    """Its value for a company that bought once and no more."""
    sleeping_days: int = 180
    """A company that has bought nothing for more days than these is sleeping."""
    regular_won_deals: int | None = None
    """So many won deals make a regular company; null: as many as make a regular buyer of the minimum."""
    regular_months: int | None = None
    """Won deals of so many last months count; null: as for the minimum."""
    todos: bool = True
    """Whether the owner of a sleeping or nurture company is asked by a to-do to speak to it."""
    sleeping_cadence: int = 30
    """Days from one contact with a sleeping company to the next."""
    nurture_cadence: int = 30
    """Days from one contact with a company of the nurture group to the next."""
    todos_a_day: int = 5
    """At most so many of these to-dos for one person on one day; the rest waits, who has waited longest goes first."""


@dataclass(frozen=True, slots=True)
class Heat:
    """Which cards are of one heat: a lead by its outcome, a deal by its grade."""

    outcomes: tuple[Outcome, ...] = ()
    """Leads with one of these outcomes."""
    grades: tuple[Grade, ...] = ()
    """Deals of one of these grades."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Time allowed to the first response, in working minutes, and what happens when it runs out.

    Hot is looked at first, then warm. Nobody is told of cards that came before clocks were watched.
    """

    hot: int = 15
    """Working minutes to the first response for hot cards."""
    warm: int = 60
    """Working minutes to the first response for warm cards."""
    other: int = 540
    """Working minutes to the first response for all others."""
    hot_cards: Heat = Heat((Outcome.DEAL,), (Grade.AAA,))
    """Which cards are hot."""
    warm_cards: Heat = Heat((Outcome.REVIEW, Outcome.NEEDS_DATA), (Grade.BBB,))
    """Which of the others are warm."""
    warn: bool = True
    """Whether the owner gets a notification before the time is over."""
    warn_percent: int = 70
    """After how much of the time the owner is warned, in percent of its working minutes."""
    escalate: bool = True
    """Whether the head of the desk gets a notification when the time is over."""
    pass_on: bool = False
    """Whether a card passes to the next person of its pool when the time is over."""


@dataclass(frozen=True, slots=True)
class ActivityPoints:
    """What one touch of a client is worth in the activity rating."""

    call: int = 1
    """Points for a call that was talked on, either way."""
    letter: int = 1
    """Points for a letter sent."""
    chat: int = 1
    """Points for a chat that a person answered."""
    meeting: int = 3
    """Points for a meeting held."""
    proposal: int = 2
    """Points for a proposal."""
    invoice: int = 2
    """Points for an invoice."""


KpiFigure = Literal["sales", "profit", "won", "within_target", "calls", "points", "checklist"]
"""What is measured of a manager: see `kpi.py`, which names each."""
KpiBreach = Literal["missed_response", "forgotten_client", "below_minimum"]
"""What may cost: keys of the section `kpi`."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator of the variable part: what is measured, its share of the pay, and what pays all of it."""

    figure: KpiFigure
    """What is measured: sales, profit (RUB of won deals), won (deals), within_target (first responses in time, %),
    calls (talked on), points (of the activity rating) or checklist (deals with the whole self-check list, %)."""
    weight: int
    """Its share of the variable part, in percent; all weights together are 100."""
    goal: Decimal
    """What is to be reached: in a month, or in percent for within_target and checklist."""


@dataclass(frozen=True, slots=True)
class Kpi:
    """How the sheet of a manager is reckoned: fixed, variable and penalty part, RUB. Only told, never paid or written.

    Without indicators and with a fixed part of 0 it is switched off.
    """

    fixed: Decimal = Decimal(50_000)
    """The fixed part of a month, RUB."""
    variable: Decimal = Decimal(50_000)
    """The variable part of a month when every goal is reached, RUB."""
    indicators: tuple[Indicator, ...] = (
        Indicator("sales", 40, Decimal(3_000_000)),
        Indicator("within_target", 20, Decimal(90)),
        Indicator("won", 15, Decimal(10)),
        Indicator("calls", 15, Decimal(200)),
        Indicator("checklist", 10, Decimal(80)),
    )
    """What the variable part depends on, each figure at most once; none: there is no variable part."""
    floor_percent: int = 50
    """Up to so many percent of the goal an indicator pays nothing; from there evenly up to all at the goal."""
    cap_percent: int = 120
    """Above the goal the pay rises on along the same line, to so many percent of the indicator's share at most."""
    missed_response: Decimal = Decimal(300)
    """Taken for each card whose first response the person missed, RUB; all penalties never exceed the variable part."""
    forgotten_client: Decimal = Decimal(200)
    """Taken for each active client of the person that nobody touched in the period, RUB."""
    below_minimum: Decimal = Decimal(1000)
    """Taken for each deal that the rules declined and the person won all the same, RUB."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Own wording of what is written into the portal; null: Ogon's own, in the portal's language."""

    deal: str | None = None
    """Headline of the timeline entry of a lead with the outcome deal."""
    company: str | None = None
    """Headline of the timeline entry of a lead with the outcome company."""
    junk: str | None = None
    """Headline of the timeline entry of a lead with the outcome junk."""
    review: str | None = None
    """Headline of the timeline entry of a lead with the outcome review."""
    needs_data: str | None = None
    """Headline of the timeline entry of a lead with the outcome needs_data."""
    declined: str | None = None
    """Headline of the timeline entry of a declined deal."""
    question_title: str | None = None
    """Title of the to-do that asks for data."""
    review_title: str | None = None
    """Title of the to-do that asks for a decision."""
    contact_title: str | None = None
    """Title of the to-do that asks to speak to a sleeping or nurture company."""
    contact_sleeping: str | None = None
    """What that to-do asks for with a sleeping company."""
    contact_nurture: str | None = None
    """What that to-do asks for with a company of the nurture group."""


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
    """Number of the version; in a draft, of the version it was made from."""
    facts: tuple[FactDefinition, ...] = STANDARD_FACTS
    """What is known about a card and in which fields it is read; any field of the portal can become a fact."""
    client: tuple[Criterion, ...] = (
        Criterion("steam_tph", Operator.OVER, number=Decimal(3)),
        Criterion("turnover", Operator.OVER, number=Decimal(1_000_000_000)),
        Criterion("industry", Operator.ONE_OF, codes=("MANUFACTURING",)),
    )
    """What makes a target client; all must hold."""
    request: tuple[Criterion, ...] = ()
    """What makes a target request besides the nomenclature; all must hold."""
    nomenclature: Nomenclature = Nomenclature()
    """What we sell."""
    fitting_request_of_no_client: Literal["review", "junk", "deal"] = "review"
    """What becomes of a fitting request of somebody who is no target client."""
    unfitting_request_of_client: Literal["company", "review", "junk"] = "company"
    """What becomes of a target client whose request does not fit."""
    grades: tuple[GradeCell, ...] = field(default_factory=_by_count)
    """The eight cells of need, budget and urgency with their grades, each once."""
    urgency_days: int = 30
    """A delivery date within so many days is urgent, today and the last day counted."""
    minimum: Minimum = Minimum()
    """What one deal must earn, and who may earn less once."""
    currencies: Currencies = Currencies()
    """Which currencies are understood, and at which rates."""
    outcome_routes: Mapping[Outcome, LeadRoute] = field(default_factory=dict[Outcome, LeadRoute])
    """By outcome, where a lead goes and what is written into it; what is not named goes the usual way."""
    deal_route: Route = Route()
    """Where a new deal is made; its fields are written once, as it is made."""
    grade_routes: Mapping[Grade, Route] = field(default_factory=dict[Grade, Route])
    """By grade, where an open deal goes and what is written into it; deals of other grades stay."""
    declined_route: Route = STAYS
    """Where a declined deal goes; without a stage, to the failed one of the pipeline."""
    nurture: Nurture = Nurture()
    """How a company of the nurture group is marked."""
    segments: Segments = Segments()
    """Which companies are new, regular or sleeping, and when sleeping and nurture ones are spoken to again."""
    targets: Targets = Targets()
    """Time allowed to the first response."""
    activity: ActivityPoints = ActivityPoints()
    """What each kind of touch is worth in the activity rating of clients."""
    kpi: Kpi = Kpi()
    """How the KPI sheet of a manager is reckoned."""
    question_days: int = 1
    """Days until the to-do with questions is due."""
    review_days: int = 1
    """Days until the to-do with a decision is due."""
    texts: Texts = Texts()
    """Own wording of headlines and to-dos."""


DEFAULT = Ruleset()
