"""How the figures of `benchmarks.client` are shown to a person and kept for a program."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from benchmarks.client_rows import Measured

_PLACE = Path(__file__).parent / "results" / "client.json"
Line = Measured | tuple[str, str, str]
"""A measurement, or (row, contender, why there is none)."""


def table(titles: dict[str, str], lines: Sequence[Line]) -> Table:
    """One section a row, ours first; ratios in brackets are against what is possible."""
    shown = Table(title="Calls to a portal: bucket 50, leak 2/s, 5 ms a command, operating 480 s in 10 min")
    shown.add_column("who")
    for head in ("calls", "requests", "seconds", "p50 / p99 s", "503", "429", "refused", "lost"):
        shown.add_column(head, justify="right")
    shown.add_column("what else")
    for name, title in titles.items():
        shown.add_section()
        shown.add_row(f"[bold]{title}")
        of_row = [one for one in lines if (one.row if isinstance(one, Measured) else one[0]) == name]
        floor = next((one.floor for one in of_row if isinstance(one, Measured) and one.floor), None)
        if floor is not None:
            possible = (_number(floor.requests), _number(floor.seconds), _waits(floor.p50, floor.p99))
            shown.add_row("possible", "", *possible, "0", "0", "0", "0", f"[dim]{floor.how}")
        for line in of_row:
            shown.add_row(*_cells(line))
    return shown


def _cells(line: Line) -> list[str]:
    if not isinstance(line, Measured):
        return [line[1], *["-"] * 8, line[2]]
    floor, count = line.floor, line.count
    notes = ["; ".join(line.notes)] if line.notes else []
    if floor is not None:
        notes.insert(0, f"[red]misses: {', '.join(line.misses)}[/]" if line.misses else "[green]holds[/]")
    if count.told_wrong:
        notes.append(f"{count.told_wrong} told of an error, yet written")
    return [
        line.contender,
        f"{line.calls:,}",
        _number(line.requests) + _ratio(line.requests, floor.requests if floor else None),
        _number(line.seconds) + _ratio(line.seconds, floor.seconds if floor else None),
        _waits(line.p50, line.p99),
        _number(line.stats["refused_503"]),
        _number(line.stats["refused_429"]),
        _number(count.refused),
        _number(count.lost),
        "; ".join(notes),
    ]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _ratio(value: float, least: float | None) -> str:
    return f" ({value / least:.2f})" if least else ""


def _waits(p50: float | None, p99: float | None) -> str:
    if p50 is None and p99 is None:
        return ""
    return " / ".join("" if one is None else f"{one:.3f}" for one in (p50, p99))


def said(line: Line) -> str:
    """One measurement in one line, for a log."""
    who, calls, requests, seconds, waits, *refused, rest = _cells(line)
    row = line.row if isinstance(line, Measured) else line[0]
    numbers = "/".join(refused)
    return (
        f"{row}: {who}: {calls} calls, {requests} requests, {seconds} s {waits}, 503/429/refused/lost {numbers} {rest}"
    )


def keep(lines: Sequence[Line], *, quick: bool) -> Path:
    """Write everything measured as JSON."""
    _PLACE.parent.mkdir(exist_ok=True)
    rows = [
        asdict(one) if isinstance(one, Measured) else dict(zip(("row", "contender", "dash"), one, strict=True))
        for one in lines
    ]
    _PLACE.write_text(json.dumps({"quick": quick, "rows": rows}, indent=1, default=str) + "\n")
    return _PLACE
