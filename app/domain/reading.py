"""Raw cards to facts: which field of which card says what, in the portal's own prints.

Called by `pipeline/process` with a snapshot. Must not judge: no threshold, no route, no date of today is known here,
so that the facts stored with a run can be judged again by another ruleset on another day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, assert_never

from app.domain import raw_values
from app.domain.facts import Fact, Facts, FactValue, Kind, Row
from app.domain.messages import Message, message
from app.domain.plain_text import plain_text
from app.domain.raw_values import NotUnderstoodError, is_empty, is_zero
from app.domain.ruleset import Currencies, FactSource, Ruleset
from app.domain.snapshot import DealSnapshot, Entity, LeadSnapshot, PortalDictionary, RawCard

REQUEST_ANSWER = "request_answer"
LEAD_REQUEST_ANSWER = "lead_request_answer"
BASE_CURRENCY = "RUB"
"""The ruleset's amounts are in it; an amount without any currency is taken to be."""

_ENTITIES = {"lead": Entity.LEAD, "company": Entity.COMPANY, "deal": Entity.DEAL}


def lead_facts(snapshot: LeadSnapshot, ruleset: Ruleset, dictionary: PortalDictionary) -> Facts:
    """The facts of a lead: the ruleset's own, in the order of their sources, and what is gathered here.

    Gathered: `rows`, `text`, `company_title`, `company_linked`.
    """
    lead, company = snapshot.lead, snapshot.company
    unread = _unread(lead, companyId=company)
    reader = _Reader({"lead": lead, "company": company}, unread, dictionary, ruleset.currencies)
    return Facts(
        [
            *(
                reader.fact(definition.name, definition.kind, sources)
                for definition in ruleset.facts
                if (sources := [source for source in definition.sources if source.card in reader.cards])
            ),
            _rows("rows", "lead", snapshot.rows),
            _text("text", lead),
            _company_title(lead, company),
            _company_linked("lead", lead, company),
        ]
    )


def deal_facts(snapshot: DealSnapshot, ruleset: Ruleset, dictionary: PortalDictionary) -> Facts:
    """The facts of a deal; for each, the deal itself, then the linked company, then the source lead.

    Gathered: `rows`, `won_deals` (close dates of the company's other won deals), `company_linked`, and of the source
    lead `lead_rows`, `lead_text`, `lead_request_answer`.
    """
    deal, company, lead = snapshot.deal, snapshot.company, snapshot.lead
    unread = _unread(deal, companyId=company, leadId=lead)
    reader = _Reader({"deal": deal, "company": company, "lead": lead}, unread, dictionary, ruleset.currencies)
    order = list(reader.cards)
    return Facts(
        [
            *(
                reader.fact(
                    LEAD_REQUEST_ANSWER if definition.name == REQUEST_ANSWER else definition.name,
                    definition.kind,
                    sorted(definition.sources, key=lambda source: order.index(source.card)),
                )
                for definition in ruleset.facts
            ),
            _rows("rows", "deal", snapshot.rows),
            _rows("lead_rows", "lead", snapshot.lead_rows),
            _text("lead_text", lead or {}),
            _won_deals(snapshot),
            _company_linked("deal", deal, company),
        ]
    )


def rate_of(currency: str, currencies: Currencies, dictionary: PortalDictionary) -> Decimal | None:
    """RUB for one unit: the rules' own rate, else the portal's."""
    return currencies.rates.get(currency, dictionary.rates.get(currency))


def _linked(raw: Any) -> bool:
    """The portal prints null, `""`, 0 or `"0"` for no link (api-reference/crm/universal/crm-item-get)."""
    return not (is_empty(raw) or is_zero(raw))


def _unread(card: RawCard, **linked: RawCard | None) -> Mapping[str, Message]:
    """Cards that are linked and yet not there: what they say is not known, and neither is what they would overrule."""
    problems = {
        "companyId": message("the company card could not be read"),
        "leadId": message("the lead could not be read"),
    }
    return {
        field.removesuffix("Id"): problems[field]
        for field, found in linked.items()
        if found is None and _linked(card.get(field))
    }


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads facts off some cards of one portal."""

    cards: Mapping[str, RawCard | None]
    unread: Mapping[str, Message]
    dictionary: PortalDictionary
    currencies: Currencies

    def fact(self, name: str, kind: Kind, sources: Sequence[FactSource]) -> Fact:
        """The first known source wins; a later one is kept beside it, and so is the trouble with an earlier one."""
        known: list[tuple[str, FactValue]] = []
        problem: Message | None = None
        for source in sources:
            if source.card in self.unread:
                problem = problem if known else problem or self.unread[source.card]
                break
            try:
                value = self._value(kind, source)
            except NotUnderstoodError as error:
                problem = problem or error.problem
                continue
            if value is not None:
                known.append((_place(source), value))
        if not known and problem is None and kind is Kind.FLAG:
            known = self._unticked(sources)
        if not known:
            return Fact(name, kind, None, problem=problem)
        (place, value), *others = known
        return Fact(name, kind, value, place, problem, tuple(others))

    def _unticked(self, sources: Sequence[FactSource]) -> list[tuple[str, FactValue]]:
        """An unchecked box is No, also where the portal prints nothing; a field that does not exist is no box."""
        for source in sources:
            card = self.cards[source.card]
            exists = (_ENTITIES[source.card], source.field) in self.dictionary.fields
            if card is not None and (exists or source.field in card):
                return [(_place(source), False)]
        return []

    def _value(self, kind: Kind, source: FactSource) -> FactValue | None:
        """One source's value, None when empty. Raises NotUnderstoodError."""
        card = self.cards[source.card] or {}
        raw = card.get(source.field)
        items = self.dictionary.enumerations.get((_ENTITIES[source.card], source.field))
        if is_empty(raw) or ((source.zero_is_empty or items is not None) and is_zero(raw)):
            return None
        match kind:
            case Kind.NUMBER:
                currency = str(card.get("currencyId") or BASE_CURRENCY) if source.money else BASE_CURRENCY
                return self._roubles(raw, currency)
            case Kind.FLAG:
                return raw_values.box(raw)
            case Kind.DATE:
                return raw_values.day(raw)
            case Kind.CODE:
                return self._known_code(raw_values.code(raw, items), items)
            case Kind.CODES:
                return raw_values.codes(raw, items) or None
            case Kind.TEXT:
                return raw_values.one_line(str(raw_values.sole(raw))) or None
            case Kind.DATES | Kind.ROWS:
                return None  # gathered, never read from one field
            case _:
                assert_never(kind)

    def _roubles(self, raw: Any, currency: str) -> Decimal:
        """A number; money is turned into RUB by the portal's rate, a currency printed with it going first."""
        value, printed = raw_values.number(raw)
        currency = raw_values.one_line(printed or currency).upper()
        if currency == BASE_CURRENCY:
            return value
        if self.currencies.accepted and currency not in self.currencies.accepted:
            raise NotUnderstoodError(
                message(
                    "{amount} {currency}: the rules take no amounts in {currency}",
                    amount=value,
                    currency=raw_values.shown(currency),
                )
            )
        rate = rate_of(currency, self.currencies, self.dictionary)
        if rate is None or not rate.is_finite() or rate <= 0:
            raise NotUnderstoodError(
                message(
                    "{amount} {currency}: the portal has no rate for {currency}",
                    amount=value,
                    currency=raw_values.shown(currency),
                )
            )
        return raw_values.plain_number((value * rate).quantize(Decimal("0.01")))

    def _known_code(self, read: str, items: Mapping[str, str] | None) -> str:
        """A bare number is a code only where the portal says so; else it is the id of a list item not read yet."""
        if items is None and read.isdecimal() and read not in self.dictionary.industries:
            raise NotUnderstoodError(
                message("the portal does not know the list item “{value}”", value=raw_values.shown(read))
            )
        return read


def _place(source: FactSource) -> str:
    return f"{source.card}.{source.field}"


def _rows(name: str, card: str, rows: tuple[Row, ...] | None) -> Fact:
    problem = message("the product rows could not be read") if rows is None else None
    return Fact(name, Kind.ROWS, rows, f"{card}.productRows", problem)


def _text(name: str, lead: RawCard) -> Fact:
    """Title and comments as plain text."""
    parts = [plain_text(raw) for field in ("title", "comments") if isinstance(raw := lead.get(field), str)]
    text = ". ".join(part for part in parts if part)
    return Fact(name, Kind.TEXT, text or None, "lead.title, lead.comments" if text else "")


def _company_title(lead: RawCard, company: RawCard | None) -> Fact:
    for place, raw in (
        ("lead.companyTitle", lead.get("companyTitle")),
        ("company.title", (company or {}).get("title")),
    ):
        if isinstance(raw, str) and (title := raw_values.one_line(raw)):
            return Fact("company_title", Kind.TEXT, title, place)
    return Fact("company_title", Kind.TEXT, None)


def _company_linked(name: str, card: RawCard, company: RawCard | None) -> Fact:
    linked = company is not None or _linked(card.get("companyId"))
    return Fact("company_linked", Kind.FLAG, linked, f"{name}.companyId")


def _won_deals(snapshot: DealSnapshot) -> Fact:
    """All of them whatever their age: the ruleset says later how far back to count. This deal is left out."""
    if snapshot.won_deals is None:
        problem = message("the company's won deals were not read")
        return Fact("won_deals", Kind.DATES, None, problem=problem)
    own = str(snapshot.deal.get("id"))
    days = sorted(deal.close_date for deal in snapshot.won_deals if str(deal.id) != own)
    return Fact("won_deals", Kind.DATES, tuple(days), "company.deals")
