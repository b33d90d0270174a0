"""Sentences as data, so that the domain can explain itself without knowing a language.

A message is an English template and its values; `Say` turns it into the reader's language. The catalogue
lives in `app/texts.py`; the domain is only handed a `Say`.
"""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias, cast

MessageValue: TypeAlias = "str | int | Decimal | date | Message | tuple[MessageValue, ...]"


class Message:
    """An English template with `{name}` places and the values for them; a value may be a message itself.

    Never changed once made. Written out because judging makes dozens for each card, and most are never read: the
    values are put in order only when somebody looks.
    """

    __slots__ = ("_values", "template")

    def __init__(
        self, template: str, values: Mapping[str, MessageValue] | tuple[tuple[str, MessageValue], ...] = ()
    ) -> None:
        self.template = template
        self._values = values

    @property
    def values(self) -> tuple[tuple[str, MessageValue], ...]:
        """Pairs of name and value, by name."""
        values = self._values
        return values if isinstance(values, tuple) else tuple((name, values[name]) for name in sorted(values))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and (self.template, self.values) == (other.template, other.values)

    def __hash__(self) -> int:
        return hash((self.template, self.values))

    def __repr__(self) -> str:
        return f"Message({self.template!r}, {self.values!r})"


def message(template: str, **values: MessageValue) -> Message:
    """Make a message; `message("Steam {value} t/h", value=Decimal("3.5"))`."""
    return Message(template, values)


Say: TypeAlias = Callable[[Message], str]
"""Renders a message in the reader's language."""


def in_english(said: Message) -> str:
    """Render without a catalogue: for tests, logs and the English switch."""
    return said.template.format(**{name: _plain(value) for name, value in said.values})


def message_to_json(said: Message) -> dict[str, Any]:
    """As stored with a run: `{"template", "values"}`, so that it can be said in any language later."""
    return {"template": said.template, "values": {name: _value_to_json(value) for name, value in said.values}}


def message_from_json(stored: Mapping[str, Any]) -> Message:
    """Read what `message_to_json` wrote; equal whatever order the store keeps the values in."""
    return Message(stored["template"], {name: _value_from_json(value) for name, value in stored["values"].items()})


def _value_to_json(value: MessageValue) -> Any:
    match value:
        case Message():
            return message_to_json(value)
        case tuple():
            return [_value_to_json(item) for item in value]
        case Decimal():
            return {"number": str(value)}
        case date():
            return {"date": value.isoformat()}
        case _:
            return value


def _value_from_json(stored: Any) -> MessageValue:
    match stored:
        case {"template": str()}:
            return message_from_json(cast("Mapping[str, Any]", stored))
        case {"number": str(number)}:
            return Decimal(number)
        case {"date": str(day)}:
            return date.fromisoformat(day)
        case list():
            return tuple(_value_from_json(item) for item in cast("list[Any]", stored))
        case _:
            return cast("str | int", stored)


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
