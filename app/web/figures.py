"""A report's values as people read them. Pure, in one language. Called by the report pages."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from app.domain.interval import Share
from app.domain.messages import Message, message
from app.domain.wording import length_of_time
from app.reports.report import Kind, Value
from app.texts import Catalogue
from app.web.rendering import percent

_DASH = "—"


@dataclass(frozen=True, slots=True)
class Figure:
    """A value in words; `detail` is what stands beside it in small; `size` what a chart draws, None for no number."""

    text: str
    detail: str = ""
    size: float | None = None


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes values in one language."""

    texts: Catalogue

    def words(self, label: str | Message) -> str:
        """A title or a label."""
        return self.texts.say(label) if isinstance(label, Message) else label

    def figure(self, value: Value, kind: Kind) -> Figure:
        """One cell of a table."""
        match value:
            case None:
                return Figure(_DASH)
            case Message() | str():
                return Figure(self.words(value))
            case date():
                return Figure(self.texts.day(value))
            case Share():
                return Figure(percent(self.texts, value.value), self._interval(value), value.value)
            case _:
                return Figure(self._number(value, kind), size=float(value))

    def _interval(self, share: Share) -> str:
        low, high = percent(self.texts, share.low), percent(self.texts, share.high)
        return self.texts.say(
            message("{hits} of {of}, {low} to {high}", hits=share.hits, of=share.of, low=low, high=high)
        )

    def _number(self, value: Any, kind: Kind) -> str:
        match kind:
            case "share":
                return percent(self.texts, float(value))
            case "money":
                return self.texts.say(message("{amount} RUB", amount=self._rounded(value, 0)))
            case "seconds":
                return self.duration(float(value))
            case "days":
                return self.texts.say(message("{count} d", count=self._rounded(value, 1)))
            case "number":
                return self._rounded(value, 2)
            case _:
                return self.texts.number(Decimal(str(value)))

    def _rounded(self, value: Any, places: int) -> str:
        # Rounding to no place at all would leave an exponent that the catalogue writes out as digits.
        return self.texts.number(round(Decimal(str(value)), places))

    def duration(self, seconds: float) -> str:
        """A length of time in its two largest units: `2 h 5 min`."""
        return self.texts.say(length_of_time(seconds))
