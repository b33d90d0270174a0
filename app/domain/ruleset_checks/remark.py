"""What a check has to say about a ruleset. Used by all checks and by whoever shows them."""

from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from decimal import Decimal

from app.domain.messages import Message, message

_LARGEST_POWER = 18


@dataclass(frozen=True, slots=True)
class Remark:
    """One value that is wrong, or (`wrong` False) that may not be meant so; `path` as in `client.0.number`."""

    path: str
    said: Message
    wrong: bool = True


def warning(path: str, said: Message) -> Remark:
    """A remark that does not keep the rules from being published."""
    return Remark(path, said, wrong=False)


def between(path: str, value: int, least: int, most: int) -> Iterator[Remark]:
    """Nothing when the whole number is in the span, the bounds included."""
    if not least <= value <= most:
        yield Remark(path, message("must be from {least} to {most}", least=least, most=most))


def usable(number: Decimal) -> bool:
    """Finite and of a size that people use."""
    return number.is_finite() and (not number or abs(number.adjusted()) <= _LARGEST_POWER)


def too_many(path: str, values: Sized, most: int) -> Iterator[Remark]:
    """Nothing for a list that people could have written."""
    if len(values) > most:
        yield Remark(path, message("has too many entries: at most {most}", most=most))


def text_given(path: str, text: str | None, longest: int = 255) -> Iterator[Remark]:
    """Nothing for null and for a text that says something and is not too long."""
    if text is None:
        return
    if not text.strip():
        yield Remark(path, message("is empty: write a text, or null for Ogon's own"))
    elif len(text) > longest:
        yield Remark(path, message("is too long: at most {longest} characters", longest=longest))


def repeated(path: str, values: Iterable[str | int]) -> Iterator[Remark]:
    """A warning for each value that was there before."""
    seen: set[str | int] = set()
    for at, value in enumerate(values):
        known = value.casefold() if isinstance(value, str) else value
        if known in seen:
            yield warning(f"{path}.{at}", message("is on the list already"))
        seen.add(known)
