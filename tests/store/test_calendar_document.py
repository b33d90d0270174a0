"""Calendars as documents: there and back, and what a later version of the libraries no longer knows."""

from datetime import date, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.calendars import NO_COUNTRY, Layer
from app.domain.working_time import Hours
from app.store.calendar_document import examine_calendar, layer_of, layer_to_json

MARKS = st.lists(st.integers(0, 1440), max_size=6, unique=True).map(sorted)
DAY = MARKS.map(lambda marks: tuple(Hours(*pair) for pair in zip(marks[::2], marks[1::2], strict=False)))
YEARLY = st.frozensets(st.tuples(st.integers(1, 12), st.integers(1, 28)), max_size=4)
SAID = {
    "zone": st.sampled_from([None, ZoneInfo("Europe/Moscow"), ZoneInfo("Asia/Vladivostok")]),
    "week": st.dictionaries(st.integers(0, 6), DAY, max_size=7),
    "country": st.sampled_from([None, NO_COUNTRY, "RU", "DE"]),
    "days": st.dictionaries(st.dates(), DAY, max_size=5),
}
TEXT = st.text("a19:-/\x00", max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT | st.sampled_from(["09:00-18:00", "mon", "2026-12-31"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.sampled_from(["mon", "x"]), inner),
    max_leaves=10,
)


@given(st.builds(Layer, **SAID, yearly_off=YEARLY, yearly_working=YEARLY))
def test_there_and_back(layer):
    assert layer_of(layer_to_json(layer)) == layer


@given(st.builds(Layer, **SAID))
def test_what_people_can_write_is_taken_as_it_is_shown(layer):
    examined = examine_calendar(layer_to_json(layer))
    assert (examined.layer, examined.wrong) == (layer, ())


@given(st.dictionaries(st.sampled_from(["zone", "week", "country", "days", "else"]), JSON))
def test_any_document_is_taken_or_refused_with_a_path(document):
    examined = examine_calendar(document)
    assert (examined.layer is None) is bool(examined.wrong)
    assert all(one.path for one in examined.wrong)


@pytest.mark.parametrize("document", [None, [], "mon", 7])
def test_what_is_no_document(document):
    examined = examine_calendar(document)
    assert [one.path for one in examined.wrong] == [""]


def test_what_is_no_longer_known_is_left_out():
    kept = {"zone": "Gone/City", "country": "SU", "week": {"mon": ["09:00-10:00"]}, "days": {"2026-01-02": []}}
    assert layer_of(kept) == Layer(week={0: (Hours(540, 600),)}, days={date(2026, 1, 2): ()})


def test_a_distance_from_utc_is_no_name_of_a_zone():
    assert layer_to_json(Layer(zone=timezone.utc)) == {}  # noqa: UP017 - any fixed distance
