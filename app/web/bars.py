"""Counts as one stacked bar: where each piece begins and how long it is. Pure; drawn by a template as SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH = 1000.0


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of the bar, in units of which the whole bar has 1000."""

    code: str
    count: int
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A stacked bar; `total` 0 has no pieces."""

    pieces: tuple[Piece, ...]
    total: int


def bar(counts: Mapping[str, int], order: Sequence[str]) -> Bar:
    """The counts in that order; codes outside it are left out, so are zeros."""
    shown = [(code, counts[code]) for code in order if counts.get(code, 0) > 0]
    total = sum(count for _, count in shown)
    pieces: list[Piece] = []
    start = 0.0
    for code, count in shown:
        width = WIDTH * count / total
        pieces.append(Piece(code, count, round(start, 1), round(width, 1)))
        start += width
    return Bar(tuple(pieces), total)
