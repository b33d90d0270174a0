"""What a portal tells us by webhook: the body of a POST made into one `Event` or `RobotCall`.

Called by the intake for every request, so it is quick and total: whatever the bytes, it gives an event or raises
`BadEvent` with a plain reason, never anything else. An event says *that* something changed, not what; it is not
signed, not ordered, and may come twice (docs: events/index). Checking the token is the caller's.

Lenient: only the event's name is always needed, and the id where the event is about a card; every other key may be
missing. Strict about what hurts later: nesting over 5, over 1,000 keys, text that is not UTF-8, NUL characters,
ids that are not positive or absurdly large, event names that are no names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, cast
from urllib.parse import quote_from_bytes, unquote_to_bytes

MOST_KEYS: Final = 1000
DEEPEST: Final = 5
LARGEST_ID: Final = 10**15
LARGEST_TYPE: Final = 2**31 - 1
_LONGEST_NAME: Final = 100
_LONGEST_NUMBER: Final = 16
_LONGEST_KEY: Final = 300


class BadEvent(ValueError):  # noqa: N818 - named for what came, not for what went wrong
    """The body is not an event we can use; the text says why, without quoting it."""


class Subject(StrEnum):
    """What an event is about."""

    CARD = "card"
    ACTIVITY = "activity"
    COMMENT = "comment"
    CALL = "call"
    FIELD = "field"
    APP = "app"
    OTHER = "other"


class Change(StrEnum):
    """What happened to it."""

    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"
    MOVE = "move"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `entity_type_id` and `item_id` name the card where there is one.

    `item_id` is also an activity's, a comment's or a field's own id. `ts` is when the queue sent it, in unix seconds:
    not the time of the change. `data` is the event's own part; the tokens of `auth` are not in it.
    """

    name: str
    subject: Subject
    change: Change
    entity_type_id: int | None
    item_id: int | None
    member_id: str
    domain: str
    application_token: str = field(repr=False)
    ts: int | None
    data: Mapping[str, Any]
    body: bytes = field(repr=False, compare=False)

    def redacted(self) -> str:
        """The body for storing: form-encoded, without any token."""
        return _redacted(self.body, self.application_token)


@dataclass(frozen=True, slots=True)
class RobotCall:
    """A call from an automation rule or workflow about one card. Carries no application token of its own accord:
    the caller proves itself by a secret in the address. `query` are the parameters the admin put there."""

    document: str
    entity_type_id: int
    item_id: int
    member_id: str
    domain: str
    application_token: str = field(repr=False)
    ts: int | None
    query: Mapping[str, Any] = field(repr=False)
    body: bytes = field(repr=False, compare=False)

    def redacted(self) -> str:
        """The body for storing: form-encoded, without any token."""
        return _redacted(self.body, self.application_token)


_TYPES: Final = {"LEAD": 1, "DEAL": 2, "CONTACT": 3, "COMPANY": 4, "QUOTE": 7}
_CHANGES: Final = {"ADD": Change.ADD, "UPDATE": Change.UPDATE, "DELETE": Change.DELETE}
_INVOICE: Final = 31
_Known = tuple[Subject, Change, int | None]


def _known_events() -> dict[str, _Known]:
    known: dict[str, _Known] = {"ONCRMDEALMOVETOCATEGORY": (Subject.CARD, Change.MOVE, 2)}
    for ending, change in _CHANGES.items():
        for name, type_id in _TYPES.items():
            known[f"ONCRM{name}{ending}"] = Subject.CARD, change, type_id
            known[f"ONCRM{name}USERFIELD{ending}"] = Subject.FIELD, change, type_id
        known[f"ONCRMDYNAMICITEM{ending}"] = Subject.CARD, change, None
        known[f"ONCRMTYPEUSERFIELD{ending}"] = Subject.FIELD, change, None
        known[f"ONCRMACTIVITY{ending}"] = Subject.ACTIVITY, change, None
        known[f"ONCRMTIMELINECOMMENT{ending}"] = Subject.COMMENT, change, None
    for name, type_id in (*_TYPES.items(), ("TYPE", None)):
        known[f"ONCRM{name}USERFIELDSETENUMVALUES"] = Subject.FIELD, Change.UPDATE, type_id
    for name, change in (("INIT", Change.ADD), ("START", Change.UPDATE), ("END", Change.UPDATE)):
        known[f"ONVOXIMPLANTCALL{name}"] = Subject.CALL, change, None
    for name, change in (("INSTALL", Change.ADD), ("UPDATE", Change.UPDATE), ("UNINSTALL", Change.DELETE)):
        known[f"ONAPP{name}"] = Subject.APP, change, None
    return known


_KNOWN: Final = _known_events()
_OTHER: Final[_Known] = (Subject.OTHER, Change.OTHER, None)
_OF_ONE_TYPE: Final = re.compile(r"(ONCRMDYNAMICITEM(?:ADD|UPDATE|DELETE))_(\d{1,9})", re.ASCII)
_DOCUMENT: Final = re.compile(r"(?:DYNAMIC_(?P<type>\d{1,9})|(?P<name>[A-Z_]{1,40}))_(?P<id>\d{1,16})", re.ASCII)
_DOCUMENT_TYPES: Final = {**_TYPES, "SMART_INVOICE": _INVOICE}
_SAFE_AUTH: Final = frozenset({"auth[domain]", "auth[member_id]", "auth[client_endpoint]", "auth[server_endpoint]"})
_NAME: Final = re.compile(r"[A-Z0-9_]+", re.ASCII)
_PLAIN: Final = "".join(map(chr, range(128)))
_TOKENS: Final = re.compile(r"token|secret|auth_id|refresh_id|password|sessid", re.IGNORECASE)


def parse(body: bytes, query: str = "") -> Event | RobotCall:
    """The event or robot call in a form-encoded body; `query` is the request's query string, without `?`.

    Raises `BadEvent` and nothing else.
    """
    told = _nested(body)
    auth = _map(told.get("auth"))
    name = told.get("event")
    if isinstance(name, str) and name.strip():
        return _event(name.strip().upper(), told, auth, body)
    if "document_id" in told:
        return _robot_call(told, auth, body, query)
    raise BadEvent("neither an event nor a robot call: no event name and no document")


def _event(name: str, told: Mapping[str, Any], auth: Mapping[str, Any], body: bytes) -> Event:
    if len(name) > _LONGEST_NAME:
        raise BadEvent("the event name is too long")
    token = _text(auth.get("application_token"))
    if name not in _KNOWN and (_NAME.fullmatch(name) is None or (token and token.upper() in name)):
        raise BadEvent("the event name is of no known form")
    data = _map(told.get("data"))
    fields = _map(data.get("FIELDS")) or data
    (subject, change, type_id), suffix = _meaning(name)
    if subject is Subject.CARD and type_id is None:
        type_id = suffix or _identifier(fields.get("ENTITY_TYPE_ID"), "the entity type id", LARGEST_TYPE)
        if type_id is None:
            raise BadEvent("the event does not say which type of card it is about")
    raw_id = fields.get("ID", data.get("ID"))
    item_id = _identifier(raw_id, "the id") if subject is not Subject.OTHER else _perhaps(raw_id)
    if item_id is None and subject in (Subject.CARD, Subject.ACTIVITY, Subject.COMMENT):
        raise BadEvent("the event does not say which object it is about")
    return Event(
        name=name,
        subject=subject,
        change=change,
        entity_type_id=type_id,
        item_id=item_id,
        member_id=_text(auth.get("member_id")),
        domain=_text(auth.get("domain")),
        application_token=token,
        ts=_perhaps(told.get("ts")),
        data=data,
        body=body,
    )


def _meaning(name: str) -> tuple[_Known, int | None]:
    known = _KNOWN.get(name)
    if known is not None:
        return known, None
    if (match := _OF_ONE_TYPE.fullmatch(name)) is not None:
        return _KNOWN[match[1]], int(match[2]) or None
    return _OTHER, None


def _robot_call(told: Mapping[str, Any], auth: Mapping[str, Any], body: bytes, query: str) -> RobotCall:
    document = _document(told["document_id"])
    match = _DOCUMENT.fullmatch(document)
    type_id = None
    if match is not None:
        type_id = int(match["type"]) if match["type"] else _DOCUMENT_TYPES.get(match["name"])
    if match is None or not type_id:
        raise BadEvent("the document of the robot call is of no known form")
    item_id = _identifier(match["id"], "the id")
    if item_id is None:
        raise BadEvent("the robot call does not say which card it is about")
    return RobotCall(
        document=document,
        entity_type_id=type_id,
        item_id=item_id,
        member_id=_text(auth.get("member_id")),
        domain=_text(auth.get("domain")),
        application_token=_text(auth.get("application_token")),
        ts=_perhaps(told.get("ts")),
        query=_nested(query.encode("utf-8", "surrogatepass")),
        body=body,
    )


def _document(raw: object) -> str:
    """The third part of `[module, class, id]`; some portals send only the id."""
    parts = _map(raw)
    chosen = parts.get("2", next(reversed(parts.values()), "")) if parts else raw
    return _text(chosen).upper()


def _nested(body: bytes) -> dict[str, Any]:
    """Bracket keys made into maps, the way PHP reads them: `a[]` appends, a later key wins."""
    if body.count(b"&") >= MOST_KEYS:
        raise BadEvent(f"more than {MOST_KEYS} keys")
    result: dict[str, Any] = {}
    for part in body.split(b"&"):
        raw, _, value = part.partition(b"=")
        if len(raw) > _LONGEST_KEY:
            raise BadEvent("a key is too long")
        path = _path(raw)
        if not path:
            continue
        place = result
        for name in path[:-1]:
            name = name or str(len(place))  # noqa: PLW2901 - `[]` is the next free number
            inside = place.get(name)
            if not isinstance(inside, dict):
                inside = place[name] = {}
            place = cast("dict[str, Any]", inside)
        place[path[-1] or str(len(place))] = _decoded(value)
    return result


def _decoded(raw: bytes) -> str:
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    try:
        text = (unquote_to_bytes(raw) if b"%" in raw else raw).decode()
    except UnicodeDecodeError:
        raise BadEvent("the text is not UTF-8") from None
    if "\0" in text:
        raise BadEvent("a NUL character")
    return text


@lru_cache(maxsize=1024)
def _path(raw: bytes) -> tuple[str, ...]:
    """`a[b][c]` as its three parts; an unclosed bracket belongs to the name. Few keys ever come, so it is cached."""
    key = _decoded(raw)
    name, bracket, rest = key.partition("[")
    if not name or not bracket or not rest.endswith("]"):
        return (key,) if key else ()
    parts = rest[:-1].split("][")
    if len(parts) > DEEPEST:
        raise BadEvent(f"nested deeper than {DEEPEST}")
    return (name, *parts)


def _redacted(body: bytes, token: str) -> str:
    """Without keys that hold secrets, and without the token wherever else somebody put it. In ASCII."""
    kept = [part for part in body.split(b"&") if _may_be_stored(part.partition(b"=")[0])]
    if token:
        kept = [part for part in kept if token.lower() not in _decoded(part).lower()]
    return quote_from_bytes(b"&".join(kept), _PLAIN)


@lru_cache(maxsize=1024)
def _may_be_stored(raw: bytes) -> bool:
    key = _decoded(raw)
    if key.lower().startswith("auth"):
        return key in _SAFE_AUTH
    # A value without a key was never looked at, so nobody knows whether it is text.
    return bool(key) and _TOKENS.search(key) is None


def _map(raw: object) -> dict[str, Any]:
    return cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}


def _text(raw: object) -> str:
    return raw.strip() if isinstance(raw, str) else ""


def _perhaps(raw: object, largest: int = LARGEST_ID) -> int | None:
    """A positive number, or None for anything else."""
    text = _text(raw)
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST_NUMBER:
        return None
    number = int(text)
    return number if 0 < number <= largest else None


def _identifier(raw: object, what: str, largest: int = LARGEST_ID) -> int | None:
    """A positive number; None when missing. Raises `BadEvent` for anything else."""
    if raw is None:
        return None
    number = _perhaps(raw, largest)
    if number is None:
        raise BadEvent(f"{what} is not a positive number of a sensible size")
    return number
