"""What of a delivery is written into the journal, and how urgent it is. Pure; called by `intake.py`.

A row is a hint that a card changed, never what changed. Leads and deals are judged themselves; from a company's
row the dispatcher finds the open cards it touches; rows of activities and of ended calls name the activity, which is
then read at once; comments and other objects are kept, and dispatching them judges nothing. An event we do not know
is kept as rejected.
"""

from app.bitrix24.events import Change, Event, RobotCall, Subject
from app.store.journal import NewEntry
from app.web.words import FOREIGN, UNKNOWN_EVENT

HOT, NORMAL, BACKGROUND = 0, 1, 2
_LEAD = 1
_JUDGED = frozenset({1, 2, 3, 4})  # lead, deal, contact, company
_MOST_TEXT = 4000
_LONGEST_ID = 15


def of_event(event: Event, portal_id: int) -> NewEntry:
    """The journal row of an event whose token was right."""
    if event.subject is Subject.OTHER:
        return _rejected(event, portal_id, UNKNOWN_EVENT)
    return NewEntry(
        source="webhook",
        event=event.name,
        portal_id=portal_id,
        entity_type_id=event.entity_type_id,
        card_id=event.item_id or _activity_of_call(event),
        change=event.change.value,
        lane=_lane(event),
    )


def of_foreign(event: Event) -> NewEntry:
    """The journal row of an event with a right token that names a portal we do not serve."""
    return _rejected(event, None, FOREIGN)


def of_robot_call(call: RobotCall, portal_id: int) -> NewEntry:
    """The journal row of a robot's call: somebody's rule asks for this card, so a lead goes first."""
    return NewEntry(
        source="robot",
        event="ROBOT",
        portal_id=portal_id,
        entity_type_id=call.entity_type_id,
        card_id=call.item_id,
        change=Change.OTHER.value,
        lane=HOT if call.entity_type_id == _LEAD else NORMAL,
    )


def of_not_understood(reason: str, portal_id: int) -> NewEntry:
    """The journal row of a delivery that proved itself and still can't be used; `reason` quotes nothing of it."""
    return NewEntry(source="webhook", event="", portal_id=portal_id, rejected=reason)


def _activity_of_call(event: Event) -> int | None:
    """A call that ended names its activity (telephony/voximplant/events/on-voximplant-call-end)."""
    told = event.data.get("CRM_ACTIVITY_ID") if event.subject is Subject.CALL else None
    text = str(told or "")
    known = text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID
    return int(text) or None if known else None


def _lane(event: Event) -> int:
    """A new lead is hot: its clock is running. What no card is judged by comes last."""
    if event.subject is not Subject.CARD or event.entity_type_id not in _JUDGED:
        return BACKGROUND
    return HOT if event.entity_type_id == _LEAD and event.change is Change.ADD else NORMAL


def _rejected(event: Event, portal_id: int | None, reason: str) -> NewEntry:
    return NewEntry(
        source="webhook",
        event=event.name,
        portal_id=portal_id,
        entity_type_id=event.entity_type_id,
        card_id=event.item_id,
        change=event.change.value,
        lane=BACKGROUND,
        body=event.redacted()[:_MOST_TEXT],
        rejected=reason,
    )
