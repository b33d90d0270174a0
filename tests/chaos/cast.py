"""Who comes through the storm: leads and deals, what people do with them meanwhile, and what must become of each.

What must become of a card is what its author meant by it (`app/sandbox/samples.py`, the customer's story) and what
the people here did to it; nothing is asked of the service, its rules or its records.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from app.sandbox.samples import SampleLead, answer_deal, generate_leads, place_lead
from tests.story.office import COMPANY, CONTACT, DEAL, LEAD, Office
from tests.story.people import FITS, FITS_NOT, SMALL, TARGET

TERMS = ("паровой котёл", "котельная", "деаэратор", "горелка", "экономайзер", "водоподготовка")
"""What the firm sells: the samples whose text says yes are meant by these."""
MANAGER = 12
_BELOW, _REGULAR = "ниже минимума", "постоянный взял мало"
Row = Mapping[str, Any]


class Sight:
    """The portal's cards at one moment, as they are stored: many people look many times a second."""

    def __init__(self, office: Office) -> None:
        with office.portal.rest.lock:
            stores = office.portal.world.stores
            self.cards: dict[int, dict[int, Row]] = {kind: dict(stores[kind].rows) for kind in (LEAD, DEAL)}
        self.deals = {row["leadId"]: deal_id for deal_id, row in self.cards[DEAL].items() if row.get("leadId")}

    def moved_by_us(self, kind: int, card_id: int, stage: str) -> bool:
        """Whether the integration put the card into this stage: a person who disagrees takes it back."""
        row = self.cards[kind].get(card_id, {})
        return (row.get("stageId"), row.get("movedBy")) == (stage, 1)


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person does to a card, `after` seconds from the deed before, as soon as `sees` is true.

    `tells`: whether it changes what is to be thought of the card, so that one more entry in its timeline is due.
    """

    do: Callable[[Office, Sight, int], object]
    after: float
    sees: Callable[[Sight, int], bool] = lambda _sight, _card_id: True
    tells: bool = False


@dataclass(slots=True, kw_only=True)
class Role:
    """One card in the storm. `stage`: where it must stand in the end; `card_id` once it is in the portal."""

    kind: Literal[1, 2]
    stage: str
    deeds: tuple[Deed, ...] = ()
    card_id: int = 0

    @property
    def name(self) -> str:
        return f"{'lead' if self.kind == LEAD else 'deal'} {self.card_id}"

    @property
    def most_comments(self) -> int:
        return 1 + sum(deed.tells for deed in self.deeds)


@dataclass(slots=True, kw_only=True)
class LeadRole(Role):
    """A lead. Where it ends as `deal`: that deal's stage and grade, how often it may be told of, its rows.

    `company`: there must be one. `client`: it is this one, known before. `family`: the same form sent several times.
    `silent`: a person closed the lead before anybody could judge it, so it is recorded and told nothing.
    """

    sample: SampleLead
    outcome: str
    kind: Literal[1, 2] = LEAD
    company: bool = True
    client: int | None = None
    family: int | None = None
    silent: bool = False
    grade: str | None = None
    deal_stage: str = "NEW"
    deal_comments: int = 1

    def arrive(self, office: Office) -> None:
        """Nobody sees the lead before its rows are on it."""
        with office.portal.rest.lock:
            self.card_id = place_lead(office.portal, self.sample)
            if self.silent:
                office.edit(LEAD, self.card_id, MANAGER, stageId=self.stage)

    @property
    def converted(self) -> bool:
        return self.stage == "CONVERTED"


@dataclass(slots=True, kw_only=True)
class DealRole(Role):
    """A deal that a manager makes by hand. `gone`: he deletes it again; `closed`: he closes it himself."""

    fields: Mapping[str, Any]
    grade: str
    kind: Literal[1, 2] = DEAL
    gone: bool = False
    closed: bool = False

    def arrive(self, office: Office) -> None:
        self.card_id = office.add(DEAL, MANAGER, **self.fields)


def leads_of(office: Office, dice: random.Random, count: int, *, unrest: float) -> list[LeadRole]:
    """`count` leads; `unrest` is how many seconds people take at most before they do something with a card."""
    made: list[LeadRole] = []
    clients = _regular_buyers(office)
    turns: Counter[str] = Counter()
    for sample in generate_leads(dice, count):
        turns[sample.outcome] += 1
        role = _lead(sample, turns[sample.outcome], dice, clients, unrest)
        made.append(role)
        if role.converted and role.sample.answers and role.client is None and turns["deal"] % 6 == 0:
            role.family = len(made)
            made.append(_sent_again(role))
    return made[:count]


def _lead(
    sample: SampleLead, turn: int, dice: random.Random, clients: list[tuple[int, Row]], unrest: float
) -> LeadRole:
    """The sample with the people around it; in turn, so that every storm has some of each kind."""
    role = LeadRole(sample=sample, outcome=sample.outcome, stage=_STAGES[sample.outcome])
    role.company = bool(sample.fields["companyTitle"])

    def later() -> float:
        return dice.uniform(0.0, unrest)

    match sample.outcome:
        case "deal" if turn % 10 == 0:
            role.silent, role.stage = True, "JUNK"
        case "deal":
            if sample.story == _REGULAR:
                role.client, person = dice.choice(clients)
                role.sample = replace(sample, fields={**sample.fields, **person})
            _answered(role, later())
            if role.deal_stage == "NEW" and turn % 3 == 0:
                role.deal_stage = "PREPARATION"
                role.deeds += (_walks_deal(role.deal_stage, later()),)
        case "junk" if turn % 3 == 0:
            role.stage = "IN_PROCESS"
            role.deeds = (_takes_back(LEAD, "JUNK", role.stage, dice.uniform(0.0, 2.0)),)
        case "junk" | "needs_data" if turn % 4 == 1:
            _becomes_deal(role, later())
        case "needs_data" if turn % 4 == 2:
            role.outcome, role.stage = "junk", "JUNK"
            role.deeds = (_learns({**SMALL, **FITS_NOT}, later()),)
        case "needs_data" if turn % 4 == 3:
            role.stage = "IN_PROCESS"
            role.deeds = (_moves(LEAD, role.stage, later()),)
        case "review" if turn % 3 == 0:
            role.outcome, role.stage = "junk", "JUNK"
            role.deeds = (_learns(FITS_NOT, later()),)
        case _:
            pass
    if dice.random() < _RETYPED:
        role.deeds += (_notes(later()),)
    return role


_RETYPED = 0.25
_STAGES = {"deal": "CONVERTED", "company": "CONVERTED", "junk": "JUNK", "review": "NEW", "needs_data": "NEW"}


def _becomes_deal(role: LeadRole, after: float) -> None:
    """The desk learns that the client is one of ours and that we have what he asks for."""
    role.outcome, role.stage, role.grade, role.company = "deal", "CONVERTED", "none", True
    title = role.sample.fields["companyTitle"] or "ООО «Безымянный пар»"
    role.deeds = (_learns({**TARGET, **FITS, "companyTitle": title}, after),)


def _sent_again(first: LeadRole) -> LeadRole:
    """The same form once more, the phone typed in another way: another lead and deal, but no other client."""
    rows = [{**row, "value": _respelled(str(row["value"]))} for row in first.sample.fields["fm"]]
    twin = replace(first, sample=replace(first.sample, fields={**first.sample.fields, "fm": rows}))
    _answered(twin, 0.5)
    return twin


def _answered(role: LeadRole, after: float) -> None:
    """The manager answers on the deal that the lead becomes."""

    def do(office: Office, sight: Sight, card_id: int) -> object:
        return answer_deal(office.portal, sight.deals[card_id], role.sample)

    role.grade, role.deal_comments = role.sample.grade, 2
    role.deal_stage = "LOSE" if role.sample.story == _BELOW else "NEW"
    role.deeds = (Deed(do, after, sees=_has_deal),)


def _respelled(value: str) -> str:
    return value.upper() if "@" in value else "8-" + re.sub(r"\D", "", value)[-10:]


def _regular_buyers(office: Office) -> list[tuple[int, Row]]:
    """Companies that bought often this year, with how their people fill a form in."""
    found: list[tuple[int, Row]] = []
    for item in office.portal.items(CONTACT)[:2]:
        rows = [{key: row[key] for key in ("typeId", "valueType", "value")} for row in item["fm"]]
        title = office.item(COMPANY, item["companyId"])["title"]
        person = {"name": item["name"], "lastName": item["lastName"], "companyTitle": title, "fm": rows}
        found.append((item["companyId"], person))
    return found


# --- deals made by hand


def _facts(need: str, budget: str, days: int, margin: float | None, **more: Any) -> dict[str, Any]:
    told = {"UF_CRM_OGON_NEED": need, "UF_CRM_OGON_BUDGET": budget, "UF_CRM_OGON_NEEDED_BY": days, **more}
    return told if margin is None else {**told, "UF_CRM_OGON_MARGIN": margin}


_TRIAL = {"UF_CRM_OGON_TRIAL": "Y", "UF_CRM_OGON_PROSPECTS": "Y"}


def deals_of(office: Office, dice: random.Random, count: int, *, unrest: float) -> list[DealRole]:
    """`count` deals, every kind in turn."""
    companies = [item["id"] for item in office.portal.items(COMPANY)]
    return [_deal(number, companies, dice, unrest) for number in range(count)]


def _deal(number: int, companies: list[int], dice: random.Random, unrest: float) -> DealRole:
    title = {"title": f"Поставка {number}"}

    def later() -> float:
        return dice.uniform(0.0, unrest)

    def learns(**fields: Any) -> Deed:
        return Deed(lambda office, _, card_id: office.edit(DEAL, card_id, **fields), later(), tells=True)

    match number % 10:
        case 0:
            return DealRole(fields={**title, **_facts("yes", "yes", 14, 420_000)}, grade="AAA", stage="NEW")
        case 1:
            steps = (
                learns(UF_CRM_OGON_NEED="yes"),
                learns(UF_CRM_OGON_BUDGET="yes"),
                learns(UF_CRM_OGON_NEEDED_BY=20),
            )
            return DealRole(fields=title, grade="AAA", stage="NEW", deeds=steps)
        case 2:
            return DealRole(fields={**title, **_facts("yes", "yes", 200, 900)}, grade="BBB", stage="LOSE")
        case 3:
            back = _takes_back(DEAL, "LOSE", "PREPARATION", dice.uniform(0.0, 2.0))
            fields = {**title, **_facts("yes", "no", 200, 4_999)}
            return DealRole(fields=fields, grade="CCC", stage="PREPARATION", deeds=(back,))
        case 4:
            fields = {**title, **_facts("yes", "no", 20, 1_800), **_TRIAL, "companyId": companies[3]}
            return DealRole(fields=fields, grade="BBB", stage="NEW")
        case 5:
            fields = {**title, **_facts("no", "yes", 300, 2_900), "companyId": dice.choice(companies[:2])}
            return DealRole(fields=fields, grade="CCC", stage="NEW")
        case 6:
            walk = (_moves(DEAL, "PREPARATION", later()), _moves(DEAL, "EXECUTING", later()))
            fields = {**title, **_facts("yes", "yes", 90, 50_000)}
            return DealRole(fields=fields, grade="BBB", stage="EXECUTING", deeds=walk)
        case 7:
            # To another pipeline: no webhook tells of that.
            away = Deed(lambda office, _, card_id: office.edit(DEAL, card_id, categoryId=1), later())
            fields = {**title, **_facts("yes", "no", 90, 50_000)}
            return DealRole(fields=fields, grade="CCC", stage="C1:NEW", deeds=(away,))
        case 8:
            won = (learns(UF_CRM_OGON_BUDGET="yes"), _moves(DEAL, "WON", later()))
            fields = {**title, "UF_CRM_OGON_NEED": "yes"}
            return DealRole(fields=fields, grade="BBB", stage="WON", deeds=won, closed=True)
        case _:
            deleted = Deed(lambda office, _, card_id: office.portal.ui_delete(DEAL, card_id), later())
            return DealRole(fields=title, grade="none", stage="NEW", deeds=(deleted,), gone=True)


# --- what people do


def _learns(fields: Mapping[str, Any], after: float) -> Deed:
    return Deed(lambda office, _, card_id: office.edit(LEAD, card_id, **fields), after, tells=True)


def _notes(after: float) -> Deed:
    """Something is typed that decides nothing."""
    return Deed(lambda office, _, card_id: office.edit(LEAD, card_id, sourceDescription="Перезвонить"), after)


def _moves(kind: int, stage: str, after: float) -> Deed:
    return Deed(lambda office, _, card_id: office.edit(kind, card_id, stageId=stage), after)


def _takes_back(kind: int, ours: str, stage: str, after: float) -> Deed:
    return replace(_moves(kind, stage, after), sees=lambda sight, card_id: sight.moved_by_us(kind, card_id, ours))


def _walks_deal(stage: str, after: float) -> Deed:
    def do(office: Office, sight: Sight, card_id: int) -> object:
        return office.edit(DEAL, sight.deals[card_id], stageId=stage)

    return Deed(do, after, sees=_has_deal)


def _has_deal(sight: Sight, lead_id: int) -> bool:
    return lead_id in sight.deals
