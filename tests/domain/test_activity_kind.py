"""What each row of the portal's activities and calls is taken for, one line a case."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.activity_kind import ActivityKind, WhyUnknown, activity_of, bindings_of, call_of, contact_of
from app.domain.first_response import ContactKind

NOON = datetime(2026, 8, 21, 12, 0, tzinfo=UTC)
STATISTICS, ITSELF, CHAT = WhyUnknown.NO_STATISTICS, WhyUnknown.ENDED_BY_ITSELF, WhyUnknown.CHAT_NOT_READ


def row(type_id: object, provider: str = "", direction: object = "0", completed: str = "Y", **more: Any):
    return {
        "ID": "880",
        "TYPE_ID": type_id,
        "PROVIDER_ID": provider,
        "DIRECTION": direction,
        "COMPLETED": completed,
        "STATUS": "2" if completed == "Y" else "1",
        "OWNER_TYPE_ID": "1",
        "OWNER_ID": "3817",
        "RESPONSIBLE_ID": "12",
        "AUTHOR_ID": "13",
        "CREATED": NOON.isoformat(),
        "START_TIME": NOON.isoformat(),
        "END_TIME": (NOON + timedelta(minutes=5)).isoformat(),
        "LAST_UPDATED": (NOON + timedelta(minutes=6)).isoformat(),
        **more,
    }


@pytest.mark.parametrize(
    ("raw", "kind", "happened", "why"),
    [
        pytest.param(row("2", "VOXIMPLANT_CALL", "2"), "call_out", None, STATISTICS, id="ticked off, perhaps by hand"),
        pytest.param(row("2", "VOXIMPLANT_CALL", "2", "N"), "call_out", False, None, id="a planned call"),
        pytest.param(
            row("2", "VOXIMPLANT_CALL", "2", "N", ORIGIN_ID="VI_1.2"), "call_out", None, STATISTICS, id="of telephony"
        ),
        pytest.param(row("2", "VOXIMPLANT_CALL", "1"), "call_in", None, STATISTICS, id="incoming"),
        pytest.param(
            row("2", "VOXIMPLANT_CALL", "1", "N"), "call_in", None, STATISTICS, id="missed or just not ticked"
        ),
        pytest.param(
            row("2", "VOXIMPLANT_CALL", "1", "N", SETTINGS={"MISSED_CALL": True}), "call_in", False, None, id="missed"
        ),
        pytest.param(row("2", "VOXIMPLANT_CALL", "1", SETTINGS=[]), "call_in", None, STATISTICS, id="settings empty"),
        pytest.param(row("6", "CRM_CALL_TRACKER", "2"), "call_out", None, STATISTICS, id="provider over type 6"),
        pytest.param(row(2, "REST_APP", 1), "call_in", None, STATISTICS, id="type where the provider says nothing"),
        pytest.param(row("2", "VOXIMPLANT_CALL", "0"), "call_out", None, STATISTICS, id="no direction: ours"),
        pytest.param(
            row("2", "VOXIMPLANT_CALL", "0", IS_INCOMING_CHANNEL="Y"), "call_in", None, STATISTICS, id="by the channel"
        ),
        pytest.param(row("4", "CRM_EMAIL", "2"), "letter_out", True, None, id="a sent letter"),
        pytest.param(row("4", "CRM_EMAIL", "2", "N"), "letter_out", False, None, id="a draft"),
        pytest.param(row("4", "CRM_EMAIL", "1", "N"), "letter_in", True, None, id="a letter from the client"),
        pytest.param(row("1", "CRM_MEETING"), "meeting", True, None, id="a meeting held"),
        pytest.param(row("1", "CRM_MEETING", completed="N"), "meeting", False, None, id="a meeting planned"),
        pytest.param(row("1", "CRM_MEETING", STATUS="3"), "meeting", None, ITSELF, id="ended by a rule of the portal"),
        pytest.param(row("6", "IMOPENLINES_SESSION", "1"), "chat", None, CHAT, id="a chat, answered or not"),
        pytest.param(row("6", "IMOPENLINES_SESSION", "1", "N"), "chat", None, CHAT, id="a chat that goes on"),
        pytest.param(row("6", "CRM_TODO"), "todo", True, None, id="a to-do done"),
        pytest.param(row("6", "CRM_TODO", completed="N"), "todo", False, None, id="a to-do"),
        pytest.param(row("3", "CRM_TASKS_TASK"), "task", True, None, id="a task"),
        pytest.param(row("6", "CRM_WEBFORM", "1"), "other", True, None, id="a form"),
        pytest.param(row("6", "CRM_SMS", "2"), "other", True, None, id="a text message, which robots send"),
        pytest.param(row("5", "CALENDAR"), "other", True, None, id="a calendar import"),
        pytest.param(row(None, None), "other", True, None, id="nothing told"),
    ],
)
def test_kind_and_whether_it_happened(raw, kind, happened, why) -> None:
    told = activity_of(raw)
    assert (told.kind, told.happened, told.why_unknown) == (kind, happened, why)


def test_empty_ids_and_odd_times_are_nothing() -> None:
    told = activity_of(row("2", OWNER_ID="0", AUTHOR_ID="", START_TIME="soon", END_TIME="2026-08-21T12:00:00"))
    assert (told.owner_id, told.author_id, told.start_at, told.end_at, told.provider) == (None, None, None, None, None)
    assert activity_of({"ID": 5}).kind is ActivityKind.OTHER


@pytest.mark.parametrize(
    ("printed", "pairs"),
    [
        pytest.param([{"OWNER_TYPE_ID": "1", "OWNER_ID": "7"}, {"OWNER_TYPE_ID": "2", "OWNER_ID": "9"}],
                     ((1, 7), (2, 9)), id="as a field"),
        pytest.param([{"entityTypeId": 2, "entityId": 9}] * 2, ((2, 9),), id="as crm.activity.binding.list"),
        pytest.param(None, None, id="not printed"),
        pytest.param([], None, id="empty"),
        pytest.param([{"OWNER_TYPE_ID": "1"}, "?"], None, id="not understood"),
    ],
)  # fmt: skip
def test_bindings_come_in_two_spellings_or_not_at_all(printed, pairs) -> None:
    assert bindings_of(printed) == pairs


@pytest.mark.parametrize(
    ("duration", "code", "talk"),
    [
        ("64", "200", 64),
        ("0", "304", 0),
        ("17", "603", 0),
        ("30", "", 30),
        ("", "200", None),
        (None, "486", 0),
        ("9" * 12, "200", None),
        ("-5", "200", None),
    ],
)
def test_a_call_was_talked_on_as_far_as_its_result_says(duration, code, talk) -> None:
    told = call_of({"ID": "9001", "CALL_DURATION": duration, "CALL_FAILED_CODE": code})
    assert told.talk_seconds == talk


def test_a_row_of_statistics() -> None:
    raw = {
        "ID": "9001",
        "CALL_ID": "A1.2",
        "CALL_TYPE": "3",
        "PORTAL_USER_ID": "12",
        "CALL_START_DATE": "2026-08-21T10:00:00+03:00",
        "CALL_DURATION": "64",
        "CALL_FAILED_CODE": "200",
        "CRM_ENTITY_TYPE": "CONTACT",
        "CRM_ENTITY_ID": "5",
        "CRM_ACTIVITY_ID": "880",
    }
    told = call_of(raw)
    assert (told.direction, told.user_id, told.entity_type_id, told.entity_id) == ("in", 12, 3, 5)
    assert (told.activity_id, told.started_at) == (880, datetime(2026, 8, 21, 7, 0, tzinfo=UTC))
    assert call_of({"ID": 1}).entity_type_id is None


@pytest.mark.parametrize(
    ("raw", "kind", "by", "at", "until"),
    [
        pytest.param(row("2", "", "2"), ContactKind.CALL_OUT, 12, 0, 5, id="a call lasts to its end"),
        pytest.param(row("4", "", "2"), ContactKind.LETTER, 13, 0, 0, id="a letter is its author's"),
        pytest.param(row("1", "", START_TIME=(NOON + timedelta(days=1)).isoformat()), ContactKind.MEETING, 12, 6, 6,
                     id="a meeting ticked off before its time"),
        pytest.param(row("2", "", "2", RESPONSIBLE_ID="0"), ContactKind.CALL_OUT, 13, 0, 5, id="nobody responsible"),
        pytest.param(row("2", "", "2", START_TIME=None), ContactKind.CALL_OUT, 12, 0, 5, id="no time but its making"),
    ],
)  # fmt: skip
def test_what_the_clocks_are_told(raw, kind, by, at, until) -> None:
    contact = contact_of(activity_of(raw))
    assert contact is not None
    assert (contact.kind, contact.by) == (kind, by)
    assert (contact.at, contact.until) == (NOON + timedelta(minutes=at), NOON + timedelta(minutes=until))


@pytest.mark.parametrize("raw", [row("4", "", "1"), row("6", "CRM_TODO"), row("3"), row("6", "CRM_SMS", "2")])
def test_what_reaches_no_client_is_no_contact(raw) -> None:
    assert contact_of(activity_of(raw)) is None
