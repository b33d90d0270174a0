"""Phones and e-mails of a card, in the forms in which people store the same ones elsewhere.

Called by duplicates. Pure. `crm.duplicate.findbycomm` takes up to 20 values and does not say how far it normalises
phones (api-reference/crm/duplicates/crm-duplicate-find-by-comm), so each phone is asked for in several forms.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any, Final

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat

from app.domain.snapshot import RawCard
from app.pipeline.reads import rows

MOST_VALUES: Final = 20
_REGION: Final = "RU"
_RUSSIA: Final = 7
_RUSSIAN_DIGITS: Final = 11
_FEWEST_DIGITS: Final = 6
"""Shorter ones ("0", "112") belong to nobody."""


@dataclass(frozen=True, slots=True)
class Communications:
    """Values to search by, at most 20 of each, the likeliest forms first."""

    phones: tuple[str, ...]
    emails: tuple[str, ...]


def communications_of(card: RawCard) -> Communications:
    """From a card's multifields: `fm` of universal methods, or the legacy PHONE and EMAIL lists."""
    return Communications(
        phones=_search_values(phone_forms(value) for value in _values(card, "PHONE")),
        emails=_search_values(email_forms(value) for value in _values(card, "EMAIL")),
    )


def phone_forms(typed: str) -> tuple[str, ...]:
    """E.164, as typed, and the ways Russians write it; none for what is not a phone."""
    typed = typed.strip()
    if sum(sign.isdigit() for sign in typed) < _FEWEST_DIGITS:
        return ()
    number = _parsed(typed)
    if number is None:
        return (typed,)
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    forms = [e164, typed, e164.removeprefix("+")]
    if number.country_code == _RUSSIA:
        national = phonenumbers.national_significant_number(number)
        forms += [f"8{national}", phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)]
    return tuple(dict.fromkeys(forms))


def email_forms(typed: str) -> tuple[str, ...]:
    """Lower-cased and as typed; none for what is not an e-mail."""
    typed = typed.strip()
    return tuple(dict.fromkeys((typed.lower(), typed))) if "@" in typed.strip("@") else ()


def _parsed(typed: str) -> PhoneNumber | None:
    # "7 495…" without a plus is the international form that forms and PBXs send; "8 495…" is the national one.
    digits = "".join(sign for sign in typed if sign.isdigit())
    bare_international = len(digits) == _RUSSIAN_DIGITS and digits.startswith("7") and not typed.startswith("+")
    try:
        number = phonenumbers.parse(f"+{digits}" if bare_international else typed, _REGION)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None


def _search_values(forms: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The first form of every value goes before the second of any, so that 20 are shared fairly."""
    rounds = chain.from_iterable(zip_longest(*forms))
    return tuple(dict.fromkeys(form for form in rounds if form))[:MOST_VALUES]


def _values(card: RawCard, kind: str) -> list[str]:
    universal = [str(row.get("value") or "") for row in rows(card.get("fm")) if _kind(row) == kind]
    legacy = [str(row.get("VALUE") or "") for row in rows(card.get(kind))]
    return [value for value in dict.fromkeys(universal or legacy) if value]


def _kind(row: Mapping[str, Any]) -> str:
    return str(row.get("typeId") or "").upper()
