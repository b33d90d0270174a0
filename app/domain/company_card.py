"""What a lead tells about its company, in the form the company's card takes.

Used by `conversion.py`. The ruleset's own list of sources says which company field answers to which lead field,
so an admin's mapped fields are carried over like ours.
"""

from decimal import Decimal
from typing import Any

from app.domain.difference import enumeration_id, is_empty, link
from app.domain.facts import Fact, FactValue
from app.domain.given import Given
from app.domain.reading import rate_of
from app.domain.route_fields import wanted_fields
from app.domain.ruleset import FactSource
from app.domain.snapshot import Entity, RawCard

RUBLE = "RUB"


def told_by_lead(given: Given, card: RawCard | None) -> dict[str, Any]:
    """Company fields known from the lead; on an existing `card` only those that are empty there."""
    fields: dict[str, Any] = {}
    for definition in given.ruleset.facts:
        fact = given.facts[definition.name]
        if not fact.source.startswith("lead.") or fact.value is None:
            continue
        for source in definition.sources:
            if source.card == "company" and _is_free(source, card):
                fields |= _written(fact, source, given, card)
    return fields


def segment(given: Given) -> dict[str, Any]:
    """The mark of the nurture group, nothing when the portal has no such field or item."""
    nurture = given.ruleset.nurture
    marked = {**nurture.fields, nurture.segment_field: nurture.segment}
    return wanted_fields(given.dictionary, Entity.COMPANY, marked)


def _is_free(source: FactSource, card: RawCard | None) -> bool:
    if card is None:
        return True
    value = card.get(source.field)
    return is_empty(value) or (source.zero_is_empty and link(value) is None and _is_zero(value))


def _is_zero(value: Any) -> bool:
    return str(value).strip().strip("0") in {"", "."}


def _written(fact: Fact, source: FactSource, given: Given, card: RawCard | None) -> dict[str, Any]:
    """The field as the portal takes it; nothing where it has no such field, item or currency."""
    field = source.field
    custom = field.startswith("UF_")
    if custom and (Entity.COMPANY, field) not in given.dictionary.fields:
        return {}
    match fact.value:
        case Decimal() as rubles if source.money and not custom:
            return _money(field, rubles, given, card)
        case str() as code if (Entity.COMPANY, field) in given.dictionary.enumerations:
            item = enumeration_id(given.dictionary, Entity.COMPANY, field, code)
            return {} if item is None else {field: item}
        case value:
            plain = _plain(value)
            return {} if plain is None else {field: plain}


def _money(field: str, rubles: Decimal, given: Given, card: RawCard | None) -> dict[str, Any]:
    """The sum in the currency the card already has, else in rubles together with their code."""
    currency = card.get("currencyId") if card is not None else None
    if is_empty(currency) or currency == RUBLE:
        own = {} if currency == RUBLE else {"currencyId": RUBLE}
        return {field: _number(rubles), **own}
    rate = rate_of(str(currency), given.ruleset.currencies, given.dictionary)
    return {field: _number(round(rubles / rate, 2))} if rate else {}


def _plain(value: FactValue | None) -> Any:
    match value:
        case bool():
            return "Y" if value else "N"
        case Decimal():
            return _number(value)
        case str():
            return value
        case _:
            return None


def _number(value: Decimal) -> int | float:
    """JSON has no Decimal; crm.item takes doubles."""
    return int(value) if value == value.to_integral_value() else float(value)
