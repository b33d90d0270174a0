"""Values on their way to a portal: one meaning, alone or in a batch."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portal_model import nested

from app.bitrix24 import encoding


class Size(Enum):
    BIG = "big"


class Level(IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (True, "Y"),
        (False, "N"),
        (5, 5),
        (1.5, 1.5),
        (Decimal("1500.00"), "1500.00"),
        (Decimal("1E+3"), "1000"),
        (date(2026, 8, 30), "2026-08-30"),
        (datetime(2026, 8, 30, 10, 0, 1, 999, tzinfo=timezone(timedelta(hours=3))), "2026-08-30T10:00:01+03:00"),
        (Size.BIG, "big"),
        (Level.LOW, 1),
        ((1, None), [1, ""]),
        ({"a": {"b": True}}, {"a": {"b": "Y"}}),
    ],
)
def test_plain_values(value, expected):
    assert encoding.plain(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        datetime(2026, 8, 30, 10, tzinfo=UTC).replace(tzinfo=None),
        object(),
        b"bytes",
    ],
)
def test_values_without_a_form_are_refused(value):
    with pytest.raises((ValueError, TypeError)):
        encoding.plain({"fields": {"x": value}})


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, "profile"),
        ({"id": 5}, "profile?id=5"),
        (
            {"fields": {"TITLE": "Иван & Co = 100%"}},
            "profile?fields[TITLE]=%D0%98%D0%B2%D0%B0%D0%BD%20%26%20Co%20%3D%20100%25",
        ),
        ({"filter": {"@id": [3, 4], ">=x": 1}}, "profile?filter[%40id][0]=3&filter[%40id][1]=4&filter[%3E%3Dx]=1"),
        ({"order": {}, "filter": {}, "select": [], "start": 0}, "profile?start=0"),
        ({"fields": {"x": ""}}, "profile?fields[x]="),
    ],
)
def test_command_strings(params, expected):
    assert encoding.command("profile", params) == expected


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"productRows": []}, id="an empty list would vanish"),
        pytest.param({"fields": {"x": []}}, id="an inner one too"),
        pytest.param({"fields": {}}, id="an empty map too"),
        pytest.param({"fields": {"COMMENTS": "call $result[a][b] back"}}, id="text taken for a reference"),
        pytest.param({"fields": {"a]b": 1}}, id="a key with brackets"),
        pytest.param({"ids": list(range(901))}, id="more values than PHP reads"),
    ],
)
def test_what_a_command_cannot_say_goes_alone(params):
    assert encoding.command("some.method", params) is None


_KEYS = st.text(st.characters(exclude_characters="[]", exclude_categories=["Cs"]), min_size=1, max_size=8)
_LEAVES = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.integers())
_PARAMS = st.dictionaries(
    _KEYS,
    st.recursive(
        _LEAVES,
        lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(_KEYS, inner, min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=4,
)


def _as_php(value):
    """What PHP makes of it: everything a string, lists as maps by number."""
    if isinstance(value, dict):
        return {key: _as_php(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return {str(index): _as_php(inner) for index, inner in enumerate(value)}
    return str(value)


@given(_PARAMS)
def test_a_command_reads_back_as_it_was_meant(params):
    written = encoding.command("m", encoding.plain(params))
    if written is None:
        return
    assert nested(written.partition("?")[2]) == _as_php(params)


@given(st.text())
def test_user_text_never_becomes_a_reference_or_a_parameter(text):
    written = encoding.command("m", {"fields": {"x": text}})
    if "$result" in text:
        assert written is None
    else:
        assert "$" not in written
        assert len(parse_qsl(written.partition("?")[2], keep_blank_values=True)) == 1


def test_json_bodies_keep_letters_and_survive_broken_ones():
    assert json.loads(encoding.body({"x": "Иван"})) == {"x": "Иван"}
    assert encoding.body({"x": "Иван"}) == '{"x":"Иван"}'.encode()
    assert json.loads(encoding.body({"x": "\ud800"})) == {"x": "?"}


def test_aware_datetimes_keep_their_offset():
    assert encoding.plain(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00+00:00"
