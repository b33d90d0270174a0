"""Sentences as data, so that the domain can explain itself without knowing a language.

A message is an English template and its values; `Say` turns it into the reader's language. The catalogue
lives in `app/texts.py`; the domain is only handed a `Say`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeAlias

MessageValue: TypeAlias = "str | int | Decimal | date | Message | tuple[MessageValue, ...]"


@dataclass(frozen=True, slots=True)
class Message:
    """An English template with `{name}` places and the values for them; a value may be a message itself."""

    template: str
    values: tuple[tuple[str, MessageValue], ...] = ()


def message(template: str, **values: MessageValue) -> Message:
    """Make a message; `message("Steam {value} t/h", value=Decimal("3.5"))`."""
    return Message(template, tuple(values.items()))


Say: TypeAlias = Callable[[Message], str]
"""Renders a message in the reader's language."""


def in_english(said: Message) -> str:
    """Render without a catalogue: for tests, logs and the English switch."""
    return said.template.format(**{name: _plain(value) for name, value in said.values})


def _plain(value: MessageValue) -> str:
    match value:
        case Message():
            return in_english(value)
        case tuple():
            return ", ".join(_plain(item) for item in value)
        case Decimal():
            return f"{value:,f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:,f}"
        case date():
            return value.isoformat()
        case _:
            return str(value)
