"""Portal prints of numbers, boxes, dates and list items; and never another exception than "not understood"."""

from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import raw_values
from app.domain.messages import in_english
from app.domain.raw_values import NotUnderstoodError
from tests.domain.judging_world import law

ITEMS = {"41": "yes", "42": "no"}


@pytest.mark.parametrize(
    ("raw", "value", "currency"),
    [
        pytest.param(3, "3", "", id="int"),
        pytest.param(3.5, "3.5", "", id="float"),
        pytest.param(0.1, "0.1", "", id="float-as-printed"),
        pytest.param(1e16, "10000000000000000", "", id="large-float"),
        pytest.param("3.5", "3.5", "", id="point"),
        pytest.param("3,5", "3.5", "", id="comma"),
        pytest.param("3,125", "3.125", "", id="one-comma-is-decimal"),
        pytest.param(" 3.50 ", "3.5", "", id="trailing-zero"),
        pytest.param("-2", "-2", "", id="negative"),
        pytest.param("−2", "-2", "", id="true-minus"),
        pytest.param("0", "0", "", id="zero"),
        pytest.param("-0.0", "0", "", id="negative-zero"),
        pytest.param(",5", "0.5", "", id="no-whole-part"),
        pytest.param("1 200 000", "1200000", "", id="spaces"),
        pytest.param("1\u00a0200\u00a0000,50", "1200000.5", "", id="no-break-spaces"),
        pytest.param("1\u202f200", "1200", "", id="narrow-space"),
        pytest.param("1'200'000", "1200000", "", id="apostrophes"),
        pytest.param("1,200,000", "1200000", "", id="commas-group"),
        pytest.param("1,200.50", "1200.5", "", id="comma-groups-point-decimal"),
        pytest.param("1.200,50", "1200.5", "", id="point-groups-comma-decimal"),
        pytest.param("1.200.000", "1200000", "", id="points-group"),
        pytest.param("1e9", "1000000000", "", id="exponent"),
        pytest.param("1500|RUB", "1500", "RUB", id="money"),
        pytest.param("1500.50|usd", "1500.5", "USD", id="money-lower-case"),
        pytest.param(["3.5"], "3.5", "", id="alone-in-a-list"),
    ],
)
def test_numbers(raw: Any, value: str, currency: str) -> None:
    read, printed = raw_values.number(raw)
    assert (str(read), printed) == (value, currency)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(raw, id=repr(raw)[:20])
        for raw in (
            "много", "3.5 т/ч", "1 20", "12 000 00", "--3", "3..5", "1_000", "٣", "0x10", "|RUB", "NaN", "nan",
            "Infinity", "-inf", float("nan"), float("inf"), "1e99", "1e999999999", 1e300, "1e-30", 10**400, "9" * 41,
            True, {"a": 1}, [1, 2], [True],
        )
    ],
)  # fmt: skip
def test_not_numbers(raw: Any) -> None:
    with pytest.raises(NotUnderstoodError):
        raw_values.number(raw)


@pytest.mark.parametrize(
    ("raw", "ticked"),
    [
        *[pytest.param(raw, True, id=repr(raw)) for raw in (True, 1, "1", "Y", "y", "true", "да", ["1"])],
        *[pytest.param(raw, False, id=repr(raw)) for raw in (False, 0, "0", "N", "false", "нет")],
    ],
)
def test_boxes(raw: Any, ticked: bool) -> None:
    assert raw_values.box(raw) is ticked


@pytest.mark.parametrize("raw", ["2", "maybe", 7, ["1", "0"]])
def test_not_boxes(raw: Any) -> None:
    with pytest.raises(NotUnderstoodError):
        raw_values.box(raw)


@pytest.mark.parametrize(
    ("raw", "day"),
    [
        pytest.param("2026-08-30", date(2026, 8, 30), id="date"),
        pytest.param("2026-08-30T03:00:00+03:00", date(2026, 8, 30), id="moscow-midnight"),
        pytest.param("2026-08-30T00:00:00+14:00", date(2026, 8, 30), id="as-printed-not-converted"),
        pytest.param("2026-08-30 23:59:59", date(2026, 8, 30), id="space"),
        pytest.param("30.08.2026", date(2026, 8, 30), id="russian"),
        pytest.param("1.9.2026 10:00:00", date(2026, 9, 1), id="russian-short-with-time"),
        pytest.param("2024-02-29", date(2024, 2, 29), id="leap-day"),
    ],
)
def test_dates(raw: Any, day: date) -> None:
    assert raw_values.day(raw) == day


@pytest.mark.parametrize("raw", ["2026-02-30", "0000-00-00", "30/08/2026", "soon", "2026", 20260830, "31.13.2026"])
def test_not_dates(raw: Any) -> None:
    with pytest.raises(NotUnderstoodError):
        raw_values.day(raw)


@pytest.mark.parametrize("raw", [41, "41", 41.0, ["41"], [41], [41, ""]])
def test_a_list_item_by_its_id(raw: Any) -> None:
    assert raw_values.code(raw, ITEMS) == "yes"


def test_an_unknown_list_item_is_not_understood() -> None:
    with pytest.raises(NotUnderstoodError) as caught:
        raw_values.code("99", ITEMS)
    assert "99" in in_english(caught.value.problem)


def test_several_items_in_any_order() -> None:
    assert raw_values.codes([42, "41", "", 0, "41"], ITEMS) == ("no", "yes")


@pytest.mark.parametrize("raw", [None, "", "  ", "\u00a0", [], {}, False])
def test_empty(raw: Any) -> None:
    assert raw_values.is_empty(raw)


@pytest.mark.parametrize("raw", [0, "0", "N", True, [0], "x"])
def test_not_empty(raw: Any) -> None:
    assert not raw_values.is_empty(raw)


@pytest.mark.parametrize(
    ("raw", "zero"),
    [(0, True), (0.0, True), ("0.00", True), ("0|RUB", True), (False, False), ("", False), ("10", False)],
)
def test_zero(raw: Any, zero: bool) -> None:
    assert raw_values.is_zero(raw) is zero


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50)
json_values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner))


@law
@given(json_values | st.from_regex(r"[-+]?[0-9 .,e|]{0,45}"))
def test_reading_gives_a_value_or_says_why_not(raw: Any) -> None:
    for read in (raw_values.number, raw_values.box, raw_values.day, lambda value: raw_values.code(value, ITEMS)):
        with suppress(NotUnderstoodError):
            read(raw)
    raw_values.is_empty(raw)
    raw_values.is_zero(raw)


@law
@given(st.decimals(min_value=-(10**15), max_value=10**15, places=3))
def test_every_way_to_print_a_number_reads_the_same(value: Decimal) -> None:
    russian = f"{value:,f}".replace(",", "\u00a0").replace(".", ",")
    assert raw_values.number(russian)[0] == raw_values.number(str(value))[0] == value
