"""A session of an open line by its messages: when the client wrote first, and when a person of ours first answered.

Pure; called by whoever reads sessions. Messages of the system and of bots are nobody's; a writer whom the answer does
not describe is neither side. Docs: imopenlines/openlines/sessions/imopenlines-session-history-get, -dialog-get.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, cast

from app.domain.printed import moment

_SYSTEM: Final = "0"
_SESSION_PLACE: Final = 5
"""Which part of `entity_data_1` is the session's number."""

Side = Literal["client", "operator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What was written in one session. `operator` answered first, at `first_operator_at`.

    The answer is the first message of a person after the client's first; where the client wrote nothing, the first.
    """

    first_client_at: datetime | None
    first_operator_at: datetime | None
    operator: int | None
    client_messages: int
    operator_messages: int


def conversation_of(answer: Any) -> Conversation:
    """The answer of `imopenlines.session.history.get`. Raises ValueError for what is no such answer."""
    told = _mapping(answer)
    if "message" not in told:
        raise ValueError("The answer has no messages in it.")
    written = sorted(_messages(told))
    clients = [at for at, _, side, _ in written if side == "client"]
    since = clients[0] if clients else None
    operators = [(at, who) for at, _, side, who in written if side == "operator"]
    answers = [one for one in operators if since is None or one[0] >= since]
    first = answers[0] if answers else (None, None)
    return Conversation(
        first_client_at=since,
        first_operator_at=first[0],
        operator=first[1],
        client_messages=len(clients),
        operator_messages=len(operators),
    )


def session_of_dialog(answer: Any) -> int | None:
    """The session that a chat is in now, by the answer of `imopenlines.dialog.get`."""
    parts = str(_mapping(answer).get("entity_data_1") or "").split("|")
    told = parts[_SESSION_PLACE] if len(parts) > _SESSION_PLACE else ""
    return int(told) if told.isdecimal() and int(told) else None


def _messages(told: Mapping[str, Any]) -> Iterator[tuple[datetime, int, Side, int]]:
    """When, in which order, from which side and by whom; PHP prints an empty map as a list."""
    users = _mapping(told.get("users"))
    for message in _mapping(told["message"]).values():
        row = _mapping(message)
        sender = str(row.get("senderid") or _SYSTEM)
        side = _side(_mapping(users.get(sender)))
        at = moment(row.get("date"))
        number = str(row.get("id") or "")
        if sender != _SYSTEM and side is not None and at is not None and number.isdecimal() and sender.isdecimal():
            yield at, int(number), side, int(sender)


def _side(user: Mapping[str, Any]) -> Side | None:
    if not user or user.get("bot") is True or user.get("type") == "bot":
        return None
    return "client" if user.get("connector") is True else "operator"


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
