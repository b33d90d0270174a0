"""What we sell, compared with product rows and with words.

Called by `request.py`. Rows can say yes or no; words can only prove yes. The stems are Snowball's, Russian for
Cyrillic words and English for the rest, so that all forms of a word are one.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import snowballstemmer  # pyright: ignore[reportMissingTypeStubs]  (the package ships no types)

from app.domain.facts import Row, Truth, any_of
from app.domain.ruleset import Nomenclature

_HYPHENS = re.compile(r"(?<=\w)[-\u2010-\u2015\u2212](?=\w)")
_WORD = re.compile(r"[^\W_]+")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_FLEETING_VOWEL = re.compile(r"(?<=[а-я][бвгджзклмнпрстфхцчшщ])[ео](?=[бвгджзклмнпрстфхцчшщ]$)")


def rows_fit(rows: Sequence[Row], nomenclature: Nomenclature) -> Truth:
    """One row in is enough; no when all are certainly out, as they are where there are none."""
    return any_of(_row_fits(row, nomenclature) for row in rows)


def first_fitting(rows: Sequence[Row], nomenclature: Nomenclature) -> Row | None:
    """The row to name as the reason."""
    return next((row for row in rows if _row_fits(row, nomenclature) is Truth.YES), None)


def _row_fits(row: Row, nomenclature: Nomenclature) -> Truth:
    if row.product_id <= 0:
        return Truth.NO
    if not nomenclature.sections and not nomenclature.products:
        return Truth.YES
    if row.product_id in nomenclature.products:
        return Truth.YES
    if not nomenclature.sections:
        return Truth.NO
    if row.section_ids is None:
        return Truth.UNKNOWN
    return Truth.of(not set(row.section_ids).isdisjoint(nomenclature.sections))


def term_in(text: str, terms: Sequence[str]) -> str | None:
    """The first term that the text has in any of its forms: all its stems, one after the other."""
    if not terms or not text:
        return None
    readings = _readings(text)
    return next((term for term in terms if _stands_in(term, readings)), None)


def _stands_in(term: str, readings: Sequence[tuple[str, ...]]) -> bool:
    return any(_consecutive(wanted, reading) for wanted in _readings(term) for reading in readings)


def _consecutive(wanted: tuple[str, ...], reading: tuple[str, ...]) -> bool:
    length = len(wanted)
    if not length:
        return False
    return any(reading[at : at + length] == wanted for at in range(len(reading) - length + 1))


def _readings(text: str) -> tuple[tuple[str, ...], ...]:
    """Stems with hyphens read both ways, as a space and as nothing: a term may be hyphenated and the text not."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е").replace("\u00ad", "")
    apart, joined = (_stems(_HYPHENS.sub(sign, folded)) for sign in (" ", ""))
    return (apart,) if apart == joined else (apart, joined)


def _stems(text: str) -> tuple[str, ...]:
    return tuple(_stem(word) for word in _WORD.findall(text))


@lru_cache(maxsize=20_000)
def _stem(word: str) -> str:
    # A stemmer holds the word it works on, so each call takes its own: threads may judge side by side.
    language = "russian" if _CYRILLIC.search(word) else "english"
    stemmer = snowballstemmer.stemmer(language)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    stem = cast("str", stemmer.stemWord(word))  # pyright: ignore[reportUnknownMemberType]
    # Snowball keeps a vowel that comes and goes (котёл, котлы; горелка, горелок), so it is dropped on both sides.
    return _FLEETING_VOWEL.sub("", stem)
