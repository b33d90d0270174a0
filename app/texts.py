"""What people read, in their language: Russian by default, English on request.

Called by the roots and the web pages, which hand `Catalogue.say` to the domain as its `Say` and `gettext` to the
templates. The catalogue is `app/locale/<language>/LC_MESSAGES/ogon.po`, read as it is; English is the language of
the code and has none. This module knows a message only by its shape and imports nothing from app.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from io import BytesIO
from pathlib import Path
from string import Formatter
from typing import Any, Protocol, cast, runtime_checkable

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations

LOCALE_DIR = Path(__file__).parent / "locale"
DOMAIN = "ogon"
_DAY = {"ru": "dd.MM.yyyy", "en": "d MMM yyyy"}
_MOMENT = {"ru": "dd.MM.yyyy HH:mm", "en": "d MMM yyyy HH:mm"}
_SENTENCE_ENDS = (".", "!", "?", "…")
_KEEPS_CAPITAL = (*_SENTENCE_ENDS, "«", "“", "„", '"')


@runtime_checkable
class Said(Protocol):
    """A message by its shape: an English template with `{name}` places, and pairs of name and value."""

    @property
    def template(self) -> str:
        """English, and the key in the catalogue."""
        ...

    @property
    def values(self) -> tuple[tuple[str, Any], ...]:
        """Texts, numbers, dates, messages, and tuples of them."""
        ...


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One language: its translations and its way to write numbers and dates."""

    locale: Locale
    translations: NullTranslations

    def gettext(self, text: str) -> str:
        """The translation, or the text itself where there is none."""
        # The catalogue keeps its own header under the empty text.
        return self.translations.gettext(text) if text else text

    def ngettext(self, one: str, many: str, count: int) -> str:
        """The translation in the plural form that `count` takes."""
        return self.translations.ngettext(one, many, count)

    def say(self, said: Said) -> str:
        """A message with everything inside it, in this language."""
        return self.render(said.template, dict(said.values))

    def render(self, template: str, values: Mapping[str, Any]) -> str:
        """The translated template with its places filled in.

        A message inside a sentence begins in lower case; of two in a row, a question keeps its own mark instead of
        a semicolon. Raises KeyError when a place has no value.
        """
        text = ""
        for literal, name, _, _ in Formatter().parse(self.gettext(template)):
            text += literal.removeprefix(";") if text.endswith("?") else literal
            if name is not None:
                text += self._inside(text, values[name])
        return text

    def number(self, value: Decimal | int) -> str:
        """With the language's separators and every digit it has: `1 000 000,5`."""
        digits = f"{value:f}"
        plain = digits.rstrip("0").rstrip(".") if "." in digits else digits
        return format_decimal(Decimal(plain), locale=self.locale, decimal_quantization=False)

    def day(self, value: date) -> str:
        """A calendar date: `21.08.2026`."""
        return format_date(value, _DAY[self.locale.language], locale=self.locale)

    def moment(self, value: datetime) -> str:
        """A date and time of day, in the zone that `value` is in."""
        return format_datetime(value, _MOMENT[self.locale.language], tzinfo=value.tzinfo, locale=self.locale)

    def _inside(self, before: str, value: Any) -> str:
        text = self._value(value)
        first = cast("tuple[Any, ...]", value)[:1] if isinstance(value, tuple) else (value,)
        mid_sentence = bool(before.strip()) and not before.rstrip().endswith(_KEEPS_CAPITAL)
        return _lower_first(text) if mid_sentence and isinstance(first and first[0], Said) else text

    def _value(self, value: Any) -> str:
        match value:
            case tuple() | list():
                return self._several([self._value(item) for item in cast("list[Any]", value)])
            case bool():
                return str(value)
            case Decimal() | int():
                return self.number(value)
            case datetime():
                return self.moment(value)
            case date():
                return self.day(value)
            case Said():
                return self.say(value)
            case _:
                return str(value)

    def _several(self, items: list[str]) -> str:
        """A list with commas, except after what is a sentence of its own."""
        text = ""
        for item in items:
            text += ("" if not text else " " if text.endswith(_SENTENCE_ENDS) else ", ") + item
        return text


def marked(text: str) -> str:
    """The text itself, noted for the catalogue: for texts kept in a table and translated when they are shown."""
    return text


@cache
def catalogue(language: str) -> Catalogue:
    """The catalogue of a language, `ru` or `en`; read once. Raises ValueError for another language."""
    if language not in _DAY:
        raise ValueError(f"There is no catalogue for the language {language!r}; give ru or en.")
    locale = Locale.parse(language)
    return Catalogue(
        locale, NullTranslations() if language == "en" else _translations(catalogue_path(language), locale)
    )


def catalogue_path(language: str) -> Path:
    """Where a language's texts are kept."""
    return LOCALE_DIR / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def _translations(path: Path, locale: Locale) -> Translations:
    """Compiled in memory: a compiled file in the repository would one day differ from its source."""
    compiled = BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale=locale, domain=DOMAIN))
    compiled.seek(0)
    return Translations(compiled, domain=DOMAIN)


def _lower_first(text: str) -> str:
    """`Budget is there` becomes `budget is there`; `IT`, `AAA` and `5 t/h` stay."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
