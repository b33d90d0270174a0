"""Who answered a client first, by the messages of a session as the portal prints them."""

from datetime import datetime, timedelta, timezone

import pytest

from app.domain.chat_history import Conversation, conversation_of, session_of_dialog

ZONE = timezone(timedelta(hours=1))
# Shaped as the sample of docs imopenlines/openlines/sessions/imopenlines-session-history-get, newest message first.
USERS = {
    "27": {"id": "27", "bot": False, "connector": False, "type": "user"},
    "30": {"id": "30", "bot": True, "connector": False, "type": "bot"},
    "103": {"id": "103", "bot": False, "connector": False, "type": "user"},
    "599": {"id": "599", "bot": False, "connector": True, "externalAuthId": "imconnector", "type": "user"},
}


def at(minute: int) -> datetime:
    return datetime(2026, 3, 11, 13, minute, tzinfo=ZONE)


def answer(*written: tuple[int, int, str]):
    """Messages as (number, minute, sender)."""
    messages = {
        str(number): {"id": str(number), "senderid": sender, "date": at(minute).isoformat(), "text": "…"}
        for number, minute, sender in sorted(written, reverse=True)
    }
    return {"chatId": 1763, "sessionId": 321, "message": messages or [], "users": USERS}


def told(client: int | None, operator: int | None, who: int | None, *counts: int) -> Conversation:
    return Conversation(
        first_client_at=None if client is None else at(client),
        first_operator_at=None if operator is None else at(operator),
        operator=who,
        client_messages=counts[0],
        operator_messages=counts[1],
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param([], told(None, None, None, 0, 0), id="nothing, an empty map printed as a list"),
        pytest.param([(1, 0, "0"), (2, 1, "599")], told(1, None, None, 1, 0), id="only the client"),
        pytest.param([(1, 0, "599"), (2, 1, "30"), (3, 5, "103")], told(0, 5, 103, 1, 1), id="a bot is nobody"),
        pytest.param([(1, 0, "599"), (2, 1, "0"), (3, 2, "27")], told(0, 2, 27, 1, 1), id="the system is nobody"),
        pytest.param([(1, 0, "27"), (2, 3, "599"), (3, 4, "103")], told(3, 4, 103, 1, 2), id="an answer comes after"),
        pytest.param([(1, 2, "27")], told(None, 2, 27, 0, 1), id="we wrote first and only"),
        pytest.param([(2, 1, "103"), (1, 1, "599")], told(1, 1, 103, 1, 1), id="within one second"),
        pytest.param([(1, 0, "599"), (2, 1, "777")], told(0, None, None, 1, 0), id="whom nobody describes"),
        pytest.param([(1, 0, "599"), (3, 2, "27"), (2, 1, "103")], told(0, 1, 103, 1, 2), id="the first of two"),
    ],
)
def test_the_first_answer_is_a_persons_after_the_clients_first_message(written, expected) -> None:
    assert conversation_of(answer(*written)) == expected


def test_messages_without_a_time_are_passed_over() -> None:
    broken = answer((1, 0, "599"), (2, 1, "27"))
    broken["message"]["2"]["date"] = ""
    assert conversation_of(broken) == told(0, None, None, 1, 0)


@pytest.mark.parametrize("odd", [None, [], {}, "no", {"messages": {}}])
def test_what_is_no_history_is_refused(odd) -> None:
    with pytest.raises(ValueError, match="no messages"):
        conversation_of(odd)


@pytest.mark.parametrize(
    ("dialog", "session"),
    [
        ({"entity_data_1": "Y|LEAD|1209|N|N|343|1773682918|0|0|0"}, 343),
        ({"entity_data_1": "N|NONE|0|N|N|0|0"}, None),
        ({"entity_data_1": ""}, None),
        ({"entity_data_1": "Y|LEAD|1209"}, None),
        ([], None),
    ],
)
def test_the_session_of_a_chat_is_the_sixth_part(dialog, session) -> None:
    assert session_of_dialog(dialog) == session
