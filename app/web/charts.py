"""A table of a report as a picture: how long each bar is, where a line goes. Pure; drawn by a template as SVG.

Lengths are per cent of the room there is, so that words around the bars keep their size on every screen. The table
itself stands below each chart, for who cannot see it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.reports.report import ChartKind, Table
from app.web.figures import Figure, Writer
from app.web.rendering import percent

MOST_ROWS = 30
HEIGHT = 100.0
_FEWEST_POINTS = 2


@dataclass(frozen=True, slots=True)
class Piece:
    """One bar: its series, its words, where it begins and how long it is, both per cent."""

    series: int
    text: str
    start: float
    length: float


@dataclass(frozen=True, slots=True)
class Bars:
    """The bars of one row; `step` is what is left of the row above, in a funnel."""

    label: str
    pieces: tuple[Piece, ...]
    step: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One series over the rows: points in a field of 100 by 100, y downwards."""

    series: int
    points: str
    last: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn. `legend` names the series where there are several; `left_out` rows are in the table only."""

    kind: ChartKind
    legend: tuple[str, ...]
    bars: tuple[Bars, ...] = ()
    lines: tuple[Line, ...] = ()
    first: str = ""
    last: str = ""
    highest: str = ""
    left_out: int = 0


def drawing(table: Table, writer: Writer) -> Drawing | None:
    """The table's chart; None where it has none, or nothing to draw."""
    chart = table.chart
    columns = [column for column in table.columns if chart is not None and column.name in chart.columns]
    if chart is None or not columns or not table.rows:
        return None
    labels = [writer.words(row.label) for row in table.rows]
    figures = [[writer.figure(row.cells.get(one.name), one.kind) for one in columns] for row in table.rows]
    if not any(figure.size for row in figures for figure in row):
        return None
    legend = tuple(writer.words(column.title) for column in columns)
    if chart.kind == "line" and len(figures) >= _FEWEST_POINTS:
        return _lines(labels, figures, legend)
    kinds = [column.kind for column in columns]
    highest = _scales(figures[:MOST_ROWS], kinds, stacked=chart.kind == "stacked")
    rows: list[Bars] = []
    for at, (label, row) in enumerate(zip(labels[:MOST_ROWS], figures[:MOST_ROWS], strict=True)):
        pieces = _stacked(row, highest[0]) if chart.kind == "stacked" else _beside(row, highest)
        above = figures[at - 1][0].size if chart.kind == "funnel" and at else None
        rows.append(Bars(label, pieces, percent(writer.texts, (row[0].size or 0) / above) if above else ""))
    return Drawing(chart.kind, legend, bars=tuple(rows), left_out=max(0, len(labels) - MOST_ROWS))


def _scales(figures: Sequence[Sequence[Figure]], kinds: Sequence[str], *, stacked: bool) -> list[float]:
    """What a full bar means, by column: columns of one kind share a scale."""
    if stacked:
        return [max(sum(figure.size or 0 for figure in row) for row in figures) or 1.0] * len(kinds)
    columns = [max((row[at].size or 0) for row in figures) for at in range(len(kinds))]
    return [max(most for most, other in zip(columns, kinds, strict=True) if other == kind) or 1.0 for kind in kinds]


def _beside(row: Sequence[Figure], highest: Sequence[float]) -> tuple[Piece, ...]:
    return tuple(
        Piece(at, figure.text, 0.0, _length(figure.size, highest[at]))
        for at, figure in enumerate(row)
        if figure.size is not None
    )


def _stacked(row: Sequence[Figure], highest: float) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    start = 0.0
    for at, figure in enumerate(row):
        length = _length(figure.size, highest)
        if length:
            pieces.append(Piece(at, figure.text, round(start, 2), length))
        start += length
    return tuple(pieces)


def _length(size: float | None, highest: float) -> float:
    return round(max(0.0, size or 0.0) / highest * 100, 2)


def _lines(labels: Sequence[str], figures: Sequence[Sequence[Figure]], legend: tuple[str, ...]) -> Drawing:
    top = max(((figure.size or 0.0), figure.text) for row in figures for figure in row)
    lines: list[Line] = []
    for at in range(len(legend)):
        sizes = [(index, row[at]) for index, row in enumerate(figures) if row[at].size is not None]
        points = " ".join(f"{_across(index, len(figures))},{_down(one.size, top[0])}" for index, one in sizes)
        lines.append(Line(at, points, sizes[-1][1].text if sizes else ""))
    return Drawing("line", legend, lines=tuple(lines), first=labels[0], last=labels[-1], highest=top[1])


def _across(index: int, points: int) -> float:
    return round(index / (points - 1) * 100, 2)


def _down(size: float | None, highest: float) -> float:
    return round(HEIGHT - (size or 0.0) / (highest or 1.0) * HEIGHT, 2)
