"""What the parser of deliveries promises, whatever the bytes: checked by Hypothesis and by the fuzzer."""

from urllib.parse import unquote_plus

from app.bitrix24.events import LARGEST_ID, LARGEST_TYPE, BadEvent, Event, RobotCall, Subject, parse
from app.web import hints, words
from tests.fuzz.bodies import TOKEN, YOUNG_TOKEN

_REASONS = {
    *words.PARSER_REASONS,
    "the text is not UTF-8",
    "a key is too long",
    "more than 1000 keys",
    "nested deeper than 5",
}


def hold(body: bytes, query: str = "") -> str:
    """Parse the body and check every promise; what came of it: `event`, `robot call` or the reason of its refusal."""
    try:
        delivery = parse(body, query)
    except BadEvent as refusal:
        reason = str(refusal)
        assert reason in _REASONS, reason
        return reason
    assert delivery.item_id is None or 0 < delivery.item_id <= LARGEST_ID
    assert delivery.entity_type_id is None or 0 < delivery.entity_type_id <= LARGEST_TYPE
    redacted = delivery.redacted()
    for token in {TOKEN, YOUNG_TOKEN} & {delivery.application_token}:
        assert token.lower() not in unquote_plus(redacted).lower()
        assert token not in repr(delivery)
    match delivery:
        case Event():
            _event(delivery, redacted)
            return "event"
        case RobotCall():
            assert None not in (delivery.entity_type_id, delivery.item_id)
            _storable(hints.of_robot_call(delivery, 1).event)
            return "robot call"


def _event(event: Event, redacted: str) -> None:
    assert 0 < len(event.name) <= 100
    assert event.name.isascii()
    if event.subject is Subject.CARD:
        assert None not in (event.entity_type_id, event.item_id)
    for entry in (hints.of_event(event, 1), hints.of_foreign(event)):
        _storable(entry.event)
        _storable(entry.body or "")
        assert entry.rejected is None or entry.rejected.strip()
    # What is kept for the administrator reads as the same event.
    again = parse(redacted.encode()) if "event=" in redacted else None
    assert again is None or (again.name, again.application_token) == (event.name, "")


def _storable(text: str) -> None:
    assert "\0" not in text
    text.encode()
