"""A report as a sheet: one table as CSV, all of them as a workbook. Called by the API; knows only the common shape.

What strangers wrote (names of sources, people, stages) must not run as a formula when somebody opens the file: in CSV
such a text is marked as one with an apostrophe, in a workbook every text is stored as a text.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import xlsxwriter  # pyright: ignore[reportMissingTypeStubs] - it has none

from app.domain.interval import Share
from app.domain.messages import Message, message
from app.reports.report import Column, Kind, Row, Table, Told, Value
from app.texts import Catalogue
from app.web.report_asking import Question

CSV_TYPE: Final = "text/csv; charset=utf-8"
XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_FORMATS: Final[dict[Kind, str]] = {
    "count": "#,##0",
    "share": "0.0%",
    "money": "#,##0.00",
    "number": "#,##0.00",
    "days": "#,##0.0",
    # A workbook keeps lengths of time in days.
    "seconds": "[h]:mm:ss",
    "date": "yyyy-mm-dd",
}
_SECONDS_IN_DAY: Final = 86_400
_LONGEST_NAME: Final = 31
_NOT_IN_NAMES: Final = re.compile(r"[\[\]:*?/\\']")
_WIDE, _USUAL = 44, 16


@dataclass(frozen=True, slots=True)
class _Head:
    """One column of a sheet: of a share there are three, the share itself and its interval."""

    title: str
    column: Column | None
    part: str = "value"

    @property
    def kind(self) -> Kind:
        return "text" if self.column is None else self.column.kind


def as_csv(table: Table, texts: Catalogue) -> bytes:
    """One table, with the byte order mark by which spreadsheets know UTF-8; numbers with a point, seconds as such."""
    told = io.StringIO(newline="")
    writer = csv.writer(told)
    heads = _heads(table, texts)
    writer.writerow([_harmless(head.title) for head in heads])
    for row in _rows(table):
        writer.writerow([_harmless(_plain(_value(row, head, texts))) for head in heads])
    return told.getvalue().encode("utf-8-sig")


def as_xlsx(about: Question, answer: Told, texts: Catalogue) -> bytes:
    """A workbook: what the report is and how far it is filled, then a sheet for each table."""
    told = io.BytesIO()
    with xlsxwriter.Workbook(told, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        _front(book, about, answer, texts)
        taken: set[str] = set()
        for table in answer.tables:
            _sheet(book, table, _sheet_name(texts.say(table.title), taken), texts)
    return told.getvalue()


def _heads(table: Table, texts: Catalogue) -> list[_Head]:
    heads = [_Head(texts.say(table.heading), None)]
    for column in table.columns:
        title = texts.say(column.title)
        heads.append(_Head(title, column))
        if column.kind == "share":
            heads.append(_Head(texts.say(message("{column}, at least", column=title)), column, "low"))
            heads.append(_Head(texts.say(message("{column}, at most", column=title)), column, "high"))
    return heads


def _rows(table: Table) -> Iterator[Row]:
    yield from table.rows
    if table.totals is not None:
        yield table.totals


def _value(row: Row, head: _Head, texts: Catalogue) -> Value:
    value = row.label if head.column is None else row.cells.get(head.column.name)
    if isinstance(value, Message):
        return texts.say(value)
    return getattr(value, head.part) if isinstance(value, Share) else value if head.part == "value" else None


def _plain(value: Value) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            return f"{value:f}"
        case float():
            return repr(round(value, 6))
        case _:
            return str(value)


def _harmless(text: str) -> str:
    is_number = re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", text) is not None
    return f"'{text}" if text.startswith(_FORMULA) and not is_number else text


def _front(book: Any, about: Question, answer: Told, texts: Catalogue) -> None:
    sheet = book.add_worksheet(_sheet_name(texts.say(message("About")), set()))
    sheet.set_column(0, 0, _WIDE)
    since, until = about.scope.filter.since, about.scope.filter.until
    lines = [
        about.report.title,
        message("{since} to {until}", since=since, until=until),
        about.report.definition,
        *answer.notes,
        *(
            message("{what}: filled for {known} of {of}", what=one.said, known=one.known, of=one.of)
            for one in answer.coverage
        ),
    ]
    bold = book.add_format({"bold": True})
    for number, line in enumerate(lines):
        sheet.write_string(number, 0, texts.say(line), bold if number == 0 else None)


def _sheet(book: Any, table: Table, name: str, texts: Catalogue) -> None:
    sheet = book.add_worksheet(name)
    heads = _heads(table, texts)
    bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    formats: dict[Kind, Any] = {kind: book.add_format({"num_format": code}) for kind, code in _FORMATS.items()}
    sheet.set_column(0, 0, _WIDE)
    sheet.set_column(1, len(heads), _USUAL)
    sheet.freeze_panes(1, 1)
    for place, head in enumerate(heads):
        sheet.write_string(0, place, head.title, bold)
    for number, row in enumerate(_rows(table), 1):
        for place, head in enumerate(heads):
            _write(sheet, number, place, _value(row, head, texts), head.kind, formats)


def _write(sheet: Any, row: int, place: int, value: Value, kind: Kind, formats: dict[Kind, Any]) -> None:
    match value:
        case None:
            return
        case str():
            sheet.write_string(row, place, value)
        case date():
            sheet.write_datetime(row, place, value, formats["date"])
        case int() | float() | Decimal():
            number = float(value) / _SECONDS_IN_DAY if kind == "seconds" else float(value)
            sheet.write_number(row, place, number, formats.get(kind))
        case _:
            sheet.write_string(row, place, str(value))


def _sheet_name(title: str, taken: set[str]) -> str:
    """Short, without what a workbook does not take in a name, and no name twice."""
    plain = _NOT_IN_NAMES.sub(" ", title).strip()
    name, number = plain[:_LONGEST_NAME].strip(), 1
    while name.casefold() in taken:
        number += 1
        end = f" {number}"
        name = plain[: _LONGEST_NAME - len(end)].strip() + end
    taken.add(name.casefold())
    return name
