"""What fetching gives: cards as the portal printed them, and what we remember of them. Data only.

Raw cards are `crm.item.*` rows read with `useOriginalUfNames=Y`: standard fields in camelCase, custom ones as
`UF_CRM_…` (api-reference/crm/universal/crm-item-get). `reading.py` makes facts of them, `plan.py` compares with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, tzinfo
from decimal import Decimal
from enum import IntEnum
from typing import Any, Literal

from app.domain.facts import Row
from app.domain.verdict import Outcome

RawCard = Mapping[str, Any]


class Entity(IntEnum):
    """CRM object types by their `entityTypeId` (api-reference/crm/data-types)."""

    LEAD = 1
    DEAL = 2
    CONTACT = 3
    COMPANY = 4


Semantics = Literal["process", "success", "failure"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a pipeline; leads have the single pipeline 0. `apology` marks an analysed failure."""

    entity: Entity
    pipeline: int
    code: str
    name: str
    sort: int
    semantics: Semantics
    apology: bool = False


@dataclass(frozen=True, slots=True)
class PortalDictionary:
    """What a portal calls things; read at start, hourly and on an unknown code.

    `enumerations`: (entity, field) -> code (XML_ID, else the text) by numeric item id as text.
    `fields`: custom fields that exist. `rates`: RUB for one unit of a currency. `heads`: user id -> head of the
    user's department. `industries`, `sources`: known codes of either and their names. `paper_stages`: what stages of
    quotes and invoices mean, by code. `pipelines`: of deals, by number; empty where we may not read their names.
    """

    integration_user_id: int
    zone: tzinfo
    stages: tuple[Stage, ...] = ()
    enumerations: Mapping[tuple[Entity, str], Mapping[str, str]] = field(
        default_factory=dict[tuple[Entity, str], Mapping[str, str]]
    )
    fields: frozenset[tuple[Entity, str]] = frozenset()
    rates: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    heads: Mapping[int, int] = field(default_factory=dict[int, int])
    industries: Mapping[str, str] = field(default_factory=dict[str, str])
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    paper_stages: Mapping[str, Semantics] = field(default_factory=dict[str, Semantics])
    pipelines: Mapping[int, str] = field(default_factory=dict[int, str])


@dataclass(frozen=True, slots=True)
class WonDeal:
    """A deal of the company in a stage with semantics S."""

    id: int
    close_date: date


@dataclass(frozen=True, slots=True)
class LeadSnapshot:
    """A lead as it is now. `rows` None: they could not be read, which is not the same as none."""

    lead: RawCard
    company: RawCard | None = None
    rows: tuple[Row, ...] | None = ()


@dataclass(frozen=True, slots=True)
class DealSnapshot:
    """A deal as it is now, with its company, its source lead and that lead's rows, and the company's won deals.

    None in `rows`, `lead_rows` or `won_deals` means: could not be read.
    """

    deal: RawCard
    company: RawCard | None = None
    lead: RawCard | None = None
    rows: tuple[Row, ...] | None = ()
    lead_rows: tuple[Row, ...] | None = ()
    won_deals: tuple[WonDeal, ...] | None = ()


Snapshot = LeadSnapshot | DealSnapshot


@dataclass(frozen=True, slots=True)
class OpenTodo:
    """The to-do we made for this card and the digest of what it asks."""

    activity_id: int
    digest: str


@dataclass(frozen=True, slots=True)
class SecondLook:
    """The lead's verdict was drawn by lot for a person to look at again.

    `week`: the Monday of the week of the verdict. `activity_id`: the to-do that asks, once it is made; `answered`: an
    answer is there; `closed`: the to-do is completed.
    """

    week: date
    outcome: Outcome
    activity_id: int | None = None
    answered: bool = False
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """What we remember of a card from earlier runs.

    `our_stages`: stages we wrote or set out to write, newest last. `stage_before`: where the card stood before our
    last move. `seen_before_move`: digest of the facts in the last run before the card's present `movedTime`, and
    `outcome_before_move` that run's outcome or decline; None when there was no such run. `comment_digest`: of the last
    timeline entry. `recent_moves`: our stage moves within the last hour. `recent_writes`: how often we wrote fields of
    cards within the last hour, by the key of the action. `second_look`: the newest one, of a lead. `told`: keys of
    the notifications that went out or were refused.
    """

    our_stages: tuple[str, ...] = ()
    stage_before: str | None = None
    seen_before_move: str | None = None
    outcome_before_move: str | None = None
    comment_digest: str | None = None
    todo: OpenTodo | None = None
    recent_moves: int = 0
    recent_writes: Mapping[str, int] = field(default_factory=dict[str, int])
    second_look: SecondLook | None = None
    told: frozenset[str] = frozenset()


NOTHING_REMEMBERED = Memory()


@dataclass(frozen=True, slots=True)
class Found:
    """An existing company or contact to reuse and how it was found: its own link, our origin mark, phone or e-mail."""

    id: int
    how: Literal["linked", "origin", "phone", "email"]
    card: RawCard | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """What conversion would otherwise make twice: looked up before planning for the outcomes that need it.

    `deal_ids`: deals with this lead as source or with our origin mark, lowest first.
    `lead_rows_raw`: product rows of the lead in `crm.item.productrow` form, to be copied.
    """

    company: Found | None = None
    contact: Found | None = None
    deal_ids: tuple[int, ...] = ()
    deal_has_rows: bool = False
    lead_rows_raw: tuple[Mapping[str, Any], ...] = ()


NO_LINKS = Links()
LINKING_OUTCOMES = frozenset({Outcome.DEAL, Outcome.COMPANY})
"""The outcomes whose plan needs `Links`."""
