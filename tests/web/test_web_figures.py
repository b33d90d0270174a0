"""How a report's values are written and drawn."""

from datetime import date
from decimal import Decimal

import pytest

from app.domain.interval import share
from app.domain.messages import message
from app.reports.report import Chart, Column, Row, Table
from app.texts import catalogue
from app.web.charts import drawing
from app.web.figures import Writer

EN, RU = Writer(catalogue("en")), Writer(catalogue("ru"))
NBSP = "\xa0"


@pytest.mark.parametrize(
    ("value", "kind", "written"),
    [
        pytest.param(None, "count", "—", id="nothing is not zero"),
        pytest.param(0, "count", "0", id="zero"),
        pytest.param(12345, "count", f"12{NBSP}345", id="a count"),
        pytest.param(Decimal("1234567.89"), "money", f"1{NBSP}234{NBSP}568 руб.", id="money"),
        pytest.param(0.4567, "share", f"46{NBSP}%", id="a share"),
        pytest.param(0.0567, "share", f"5,7{NBSP}%", id="a small share"),
        pytest.param(Decimal("2.345"), "number", "2,34", id="a number"),
        pytest.param(3.25, "days", "3,2 дн.", id="days"),
        pytest.param(59, "seconds", "59 с", id="seconds"),
        pytest.param(61, "seconds", "1 мин", id="minutes"),
        pytest.param(3600 * 2 + 300, "seconds", "2 ч 5 мин", id="hours"),
        pytest.param(86400 * 3 + 7200, "seconds", "3 дн. 2 ч", id="more than a day"),
        pytest.param(date(2026, 11, 22), "date", "22.11.2026", id="a day"),
        pytest.param("Котлы", "text", "Котлы", id="a text"),
        pytest.param(message("not known"), "text", "неизвестно", id="a message"),
    ],
)
def test_values_are_written_for_people(value, kind, written) -> None:
    assert RU.figure(value, kind).text == written


def test_a_share_says_how_sure_it_is() -> None:
    figure = EN.figure(share(7, 17), "share")
    assert figure.text == f"41{NBSP}%"
    assert figure.detail == f"7 of 17, 22{NBSP}% to 64{NBSP}%"


def table(kind, columns, *rows) -> Table:
    named = tuple(Column(name, message(name), kind_of) for name, kind_of in columns)
    lines = tuple(
        Row(label, label, dict(zip([name for name, _ in columns], values, strict=True))) for label, *values in rows
    )
    return Table("t", message("T"), message("H"), named, lines, chart=Chart(kind, tuple(name for name, _ in columns)))


def test_bars_of_one_kind_share_a_scale_and_others_have_their_own() -> None:
    columns = (("leads", "count"), ("deals", "count"), ("money", "money"))
    drawn = drawing(table("bars", columns, ("a", 10, 5, Decimal(400)), ("b", 2, None, Decimal(100))), EN)
    assert drawn is not None
    assert [[piece.length for piece in row.pieces] for row in drawn.bars] == [[100, 50, 100], [20, 25]]
    assert drawn.legend == ("leads", "deals", "money")


def test_a_funnel_says_what_is_left_of_each_step() -> None:
    drawn = drawing(table("funnel", [("leads", "count")], ("new", 200), ("talk", 50), ("won", 0)), EN)
    assert drawn is not None
    assert [row.step for row in drawn.bars] == ["", f"25{NBSP}%", f"0{NBSP}%"]


def test_stacked_bars_stand_one_after_another() -> None:
    drawn = drawing(table("stacked", (("a", "count"), ("b", "count")), ("x", 1, 3), ("y", 0, 2)), EN)
    assert drawn is not None
    assert [[(p.start, p.length) for p in row.pieces] for row in drawn.bars] == [[(0, 25), (25, 75)], [(0, 50)]]


def test_a_line_goes_from_left_to_right_and_up_to_the_highest_value() -> None:
    drawn = drawing(table("line", [("n", "count")], ("mon", 0), ("tue", 5), ("wed", None), ("thu", 10)), EN)
    assert drawn is not None
    assert drawn.lines[0].points == "0.0,100.0 33.33,50.0 100.0,0.0"
    assert (drawn.first, drawn.last, drawn.highest) == ("mon", "thu", "10")


def test_a_chart_of_nothing_is_not_drawn_and_a_long_one_is_cut() -> None:
    assert drawing(table("bars", [("n", "count")], ("a", 0), ("b", None)), EN) is None
    assert drawing(table("bars", [("n", "count")]), EN) is None
    many = drawing(table("bars", [("n", "count")], *((str(number), number + 1) for number in range(35))), EN)
    assert many is not None
    assert (len(many.bars), many.left_out) == (30, 5)
