"""What an activity of the portal is to us: its kind, and whether it surely reached the client.

Pure; called by whoever reads activities and call statistics. The portal's codes are looked at here and nowhere else.
What the portal does not tell stays unknown with its reason, e.g. a completed call without statistics: a person may
have ticked it off without a word said. Docs: crm/timeline/activities/activity-base/crm-activity-fields,
telephony/voximplant/voximplant-statistic-get; providers that the docs do not name are as seen in portals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, cast

from app.domain.first_response import Contact, ContactKind
from app.domain.printed import moment


class ActivityKind(StrEnum):
    """What was done, seen from us: `out` is towards the client."""

    CALL_OUT = "call_out"
    CALL_IN = "call_in"
    LETTER_OUT = "letter_out"
    LETTER_IN = "letter_in"
    MEETING = "meeting"
    CHAT = "chat"
    TODO = "todo"
    TASK = "task"
    OTHER = "other"


class WhyUnknown(StrEnum):
    """Why nobody can tell whether it reached the client."""

    NO_STATISTICS = "no_call_statistics"
    ENDED_BY_ITSELF = "completed_automatically"
    CHAT_NOT_READ = "chat_not_read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One activity. `happened`: True surely reached the client, False surely did not, None with `why_unknown`.

    `talk_seconds` of a call, None until its statistics are read. `bindings`: every card it belongs to as pairs of
    entityTypeId and id, the owner among them; None where only the owner is known. Of a chat: `session_id`, or the
    `user_code` by which to ask for it, as the portal's row tells; `answered_at` and `answered_by` as we know them,
    when a person of ours first answered and who.
    """

    activity_id: int
    kind: ActivityKind
    provider: str | None
    direction: str | None
    completed: bool
    owner_type_id: int | None
    owner_id: int | None
    responsible_id: int | None
    author_id: int | None
    created_at: datetime | None
    start_at: datetime | None
    end_at: datetime | None
    updated_at: datetime | None
    talk_seconds: int | None = None
    happened: bool | None = None
    why_unknown: WhyUnknown | None = None
    bindings: tuple[tuple[int, int], ...] | None = None
    session_id: int | None = None
    user_code: str | None = None
    answered_at: datetime | None = None
    answered_by: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One row of call statistics. `talk_seconds`: None where the portal tells no duration."""

    statistic_id: int
    call_id: str | None
    direction: str | None
    user_id: int | None
    started_at: datetime | None
    duration_seconds: int | None
    talk_seconds: int | None
    failed_code: str | None
    entity_type_id: int | None
    entity_id: int | None
    activity_id: int | None


FIELDS: Final = (
    "ID",
    "TYPE_ID",
    "PROVIDER_ID",
    "DIRECTION",
    "IS_INCOMING_CHANNEL",
    "COMPLETED",
    "STATUS",
    "OWNER_TYPE_ID",
    "OWNER_ID",
    "RESPONSIBLE_ID",
    "AUTHOR_ID",
    "CREATED",
    "START_TIME",
    "END_TIME",
    "LAST_UPDATED",
    "SETTINGS",
    "ORIGIN_ID",
    "ASSOCIATED_ENTITY_ID",
    "PROVIDER_PARAMS",
    "BINDINGS",
)
"""What must be selected; BINDINGS is a field by the docs, but not every list prints it."""

REACHING: Final = {
    ActivityKind.CALL_OUT: ContactKind.CALL_OUT,
    ActivityKind.CALL_IN: ContactKind.CALL_IN,
    ActivityKind.LETTER_OUT: ContactKind.LETTER,
    ActivityKind.MEETING: ContactKind.MEETING,
    ActivityKind.CHAT: ContactKind.CHAT,
}
"""Kinds by which somebody of ours reaches a client. A letter from the client is not among them."""

_MEETING, _CALL, _TASK, _LETTER = "1", "2", "3", "4"
_TYPE_OF_PROVIDER: Final = {
    "CRM_MEETING": _MEETING,
    "VOXIMPLANT_CALL": _CALL,
    "CRM_CALL_TRACKER": _CALL,
    "CRM_TASKS_TASK": _TASK,
    "CRM_EMAIL": _LETTER,
}
_TYPES: Final = frozenset({_MEETING, _CALL, _TASK, _LETTER})
_IN, _OUT = "in", "out"
_DIRECTIONS: Final = {"1": _IN, "2": _OUT}
_CALL_DIRECTIONS: Final = {"1": _OUT, "2": _IN, "3": _IN, "4": _OUT, "5": _OUT}
_AUTOMATICALLY: Final = "3"
_SUCCESS: Final = "200"
_CLIENTS: Final = {"LEAD": 1, "CONTACT": 3, "COMPANY": 4}
_SESSION_MARK: Final = "IMOL_"
_LARGEST: Final = 2**31 - 1
_LARGEST_ID: Final = 2**63 - 1
_CALL_KINDS: Final = frozenset({ActivityKind.CALL_OUT, ActivityKind.CALL_IN})


def activity_of(row: Mapping[str, Any]) -> Activity:
    """The row of a list, selected by FIELDS. Raises KeyError or ValueError only for a row without its ID."""
    kind, direction = _kind(row)
    happened, why = _happened(row, kind)
    return Activity(
        activity_id=int(row["ID"]),
        kind=kind,
        provider=_text(row.get("PROVIDER_ID")),
        direction=direction,
        completed=_completed(row),
        owner_type_id=_number(row.get("OWNER_TYPE_ID"), _LARGEST),
        owner_id=_number(row.get("OWNER_ID")),
        responsible_id=_number(row.get("RESPONSIBLE_ID")),
        author_id=_number(row.get("AUTHOR_ID")),
        created_at=moment(row.get("CREATED")),
        start_at=moment(row.get("START_TIME")),
        end_at=moment(row.get("END_TIME")),
        updated_at=moment(row.get("LAST_UPDATED")),
        happened=happened,
        why_unknown=why,
        bindings=bindings_of(row.get("BINDINGS")),
        session_id=_session(row) if kind is ActivityKind.CHAT else None,
        user_code=_user_code(row) if kind is ActivityKind.CHAT else None,
    )


def bindings_of(printed: Any) -> tuple[tuple[int, int], ...] | None:
    """Pairs of entityTypeId and id, under either spelling; None where nothing is told."""
    if not isinstance(printed, Sequence) or isinstance(printed, str) or not printed:
        return None
    pairs: list[tuple[int, int]] = []
    for row in cast("Sequence[Any]", printed):
        if isinstance(row, Mapping):
            told = cast("Mapping[str, Any]", row)
            kind = _number(told.get("OWNER_TYPE_ID", told.get("entityTypeId")), _LARGEST)
            card = _number(told.get("OWNER_ID", told.get("entityId")))
            if kind is not None and card is not None:
                pairs.append((kind, card))
    return tuple(dict.fromkeys(pairs)) or None


def call_of(row: Mapping[str, Any]) -> Call:
    """The row of call statistics. Raises KeyError or ValueError only for a row without its ID."""
    duration = _whole(row.get("CALL_DURATION"))
    code = _text(row.get("CALL_FAILED_CODE"))
    return Call(
        statistic_id=int(row["ID"]),
        call_id=_text(row.get("CALL_ID")),
        direction=_CALL_DIRECTIONS.get(str(row.get("CALL_TYPE"))),
        user_id=_number(row.get("PORTAL_USER_ID")),
        started_at=moment(row.get("CALL_START_DATE")),
        duration_seconds=duration,
        # What rang and was not answered may have a duration, but no talk.
        talk_seconds=duration if code in (None, _SUCCESS) else 0,
        failed_code=code,
        entity_type_id=_CLIENTS.get(str(row.get("CRM_ENTITY_TYPE")).upper()),
        entity_id=_number(row.get("CRM_ENTITY_ID")),
        activity_id=_number(row.get("CRM_ACTIVITY_ID")),
    )


def contact_of(activity: Activity) -> Contact | None:
    """The activity as the clocks of the first response want it; None where it reaches nobody by its kind."""
    kind, at = REACHING.get(activity.kind), activity.start_at or activity.created_at
    if kind is None or at is None:
        return None
    source_id = f"activity-{activity.activity_id}"
    if activity.answered_at is not None:
        # The session began with the client: what counts is when a person of ours wrote, and who.
        answered = activity.answered_at
        return Contact(kind, answered, answered, activity.answered_by, activity.happened, source_id)
    if activity.kind in _CALL_KINDS:
        until = at + timedelta(seconds=activity.talk_seconds) if activity.talk_seconds else activity.end_at or at
    else:
        # A meeting planned for tomorrow and ticked off today was held by then at the latest.
        at = until = min(at, activity.updated_at or at)
    # Who wrote a letter is its author; who was rung up or visited is told by who is responsible.
    people = (activity.responsible_id, activity.author_id)
    by = next((one for one in (people[::-1] if kind is ContactKind.LETTER else people) if one is not None), None)
    return Contact(kind, at, max(at, until), by, activity.happened, source_id)


def _kind(row: Mapping[str, Any]) -> tuple[ActivityKind, str | None]:
    provider = (_text(row.get("PROVIDER_ID")) or "").upper()
    type_id = str(row.get("TYPE_ID") or "")
    direction = _DIRECTIONS.get(str(row.get("DIRECTION")))
    if direction is None and str(row.get("IS_INCOMING_CHANNEL")) == "Y":
        direction = _IN
    # A known provider says more than the type, which is 6 for all that is new.
    match _TYPE_OF_PROVIDER.get(provider, type_id if type_id in _TYPES else None):
        case "1":
            return ActivityKind.MEETING, direction
        case "2":
            return (ActivityKind.CALL_IN if direction == _IN else ActivityKind.CALL_OUT), direction
        case "3":
            return ActivityKind.TASK, direction
        case "4":
            return (ActivityKind.LETTER_IN if direction == _IN else ActivityKind.LETTER_OUT), direction
        case _:
            pass
    if provider.startswith("IMOPENLINES"):
        return ActivityKind.CHAT, direction
    return (ActivityKind.TODO if provider == "CRM_TODO" else ActivityKind.OTHER), direction


def _session(row: Mapping[str, Any]) -> int | None:
    """The session's number stands in one of two places, as seen in portals; the docs name neither."""
    marked = (_text(row.get("ORIGIN_ID")) or "").upper()
    return _number(row.get("ASSOCIATED_ENTITY_ID")) or _number(marked.removeprefix(_SESSION_MARK))


def _user_code(row: Mapping[str, Any]) -> str | None:
    params = row.get("PROVIDER_PARAMS")
    return _text(cast("Mapping[str, Any]", params).get("USER_CODE")) if isinstance(params, Mapping) else None


def _happened(row: Mapping[str, Any], kind: ActivityKind) -> tuple[bool | None, WhyUnknown | None]:
    completed = _completed(row)
    match kind:
        case ActivityKind.CALL_OUT | ActivityKind.CALL_IN:
            planned = kind is ActivityKind.CALL_OUT and not completed and not row.get("ORIGIN_ID")
            return (False, None) if planned or _missed(row) else (None, WhyUnknown.NO_STATISTICS)
        case ActivityKind.CHAT:
            # A session is there as soon as the client writes; who answered stands in its messages only.
            return None, WhyUnknown.CHAT_NOT_READ
        case ActivityKind.MEETING if completed and str(row.get("STATUS")) == _AUTOMATICALLY:
            return None, WhyUnknown.ENDED_BY_ITSELF
        case ActivityKind.LETTER_IN:
            return True, None
        case _:
            return completed, None


def _missed(row: Mapping[str, Any]) -> bool:
    """The flag of a missed call sits in SETTINGS, where the portal sets it at all."""
    settings = row.get("SETTINGS")
    flag = cast("Mapping[str, Any]", settings).get("MISSED_CALL") if isinstance(settings, Mapping) else None
    return flag is True or str(flag).upper() in {"1", "Y", "TRUE"}


def _completed(row: Mapping[str, Any]) -> bool:
    return str(row.get("COMPLETED")).upper() in {"Y", "1", "TRUE"}


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "", False) else None


def _whole(value: Any, largest: int = _LARGEST) -> int | None:
    """A number from 0 on that a table can hold; None for anything else."""
    try:
        told = int(str(value))
    except ValueError:
        return None
    return told if 0 <= told <= largest else None


def _number(value: Any, largest: int = _LARGEST_ID) -> int | None:
    """An id; None for the portal's ways to say none (`null`, `""`, `"0"`)."""
    return _whole(value, largest) or None
