"""Activities and calls: what people did, copied from the portal for the clocks of reaction and for analysts.

Written by the sweep and the backfill, read by reports and the API. A call's statistics and its activity come in
any order; whichever is second fills in how long was talked. A chat's messages are read later: see `chats.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, TextClause, text

from app.domain.activity_kind import Activity, ActivityKind, Call, WhyUnknown
from app.store.cards import CardKey
from app.store.database import ReadSession, WriteSession
from app.store.json_text import json_text
from app.store.stale_reactions import ask, ask_of_activities

_TOLD: Final = {True: "yes", False: "no", None: "unknown"}
_HAPPENED: Final = {told: happened for happened, told in _TOLD.items()}
_COLUMNS: Final = {
    "activity_id": "bigint",
    "kind": "text",
    "provider": "text",
    "direction": "text",
    "completed": "boolean",
    "owner_type_id": "int",
    "owner_id": "bigint",
    "responsible_id": "bigint",
    "author_id": "bigint",
    "created_at": "timestamptz",
    "start_at": "timestamptz",
    "end_at": "timestamptz",
    "updated_at": "timestamptz",
    "talk_seconds": "int",
    "happened": "text",
    "why_unknown": "text",
}
_CALL_COLUMNS: Final = {
    "statistic_id": "bigint",
    "call_id": "text",
    "direction": "text",
    "user_id": "bigint",
    "started_at": "timestamptz",
    "duration_seconds": "int",
    "talk_seconds": "int",
    "failed_code": "text",
    "entity_type_id": "int",
    "entity_id": "bigint",
    "activity_id": "bigint",
}
# One call may have several rows: each person it was passed on to has one.
_TALKED = """
    SELECT activity_id, least(sum(talk_seconds), 2147483647) AS talk_seconds FROM calls
    WHERE portal_id = :portal AND activity_id = ANY(:ids) AND talk_seconds IS NOT NULL GROUP BY activity_id
"""

_READ_CHATS = """
    SELECT activity_id, first_operator_at IS NOT NULL AS answered FROM chats
    WHERE portal_id = :portal AND activity_id = ANY(:ids) AND read_at IS NOT NULL AND refused IS NULL
"""


def _upsert(table: str, columns: Mapping[str, str], source: str, *, key: str, unless: str, given: str) -> TextClause:
    """One statement for any number of rows; it returns the keys of those that were not kept so before."""
    listed = ", ".join(columns)
    excluded = ", ".join(f"excluded.{name}" for name in columns)
    known = ", ".join(f"known.{name}" for name in columns)
    shape = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return text(f"""
        WITH listed AS (SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS listed ({shape})),
            talked AS ({_TALKED}), chat AS ({_READ_CHATS})
        INSERT INTO {table} AS known (portal_id, {listed})
        SELECT :portal, {given} FROM {source}
        ON CONFLICT (portal_id, {key}) DO UPDATE SET ({listed}) = ROW ({excluded})
        WHERE {unless} ({known}) IS DISTINCT FROM ({excluded})
        RETURNING {key}
    """)  # noqa: S608 - put together from constants


_LOCK: Final = 395_281  # the first half of a two-part advisory lock; the second is the portal
# A call and its activity, written at once by two transactions, would each not see the other: they take turns.
_IN_TURN = text(f"SELECT pg_advisory_xact_lock({_LOCK}, :portal)")
_KEEP_ACTIVITIES = _upsert(
    "activities",
    _COLUMNS,
    "listed LEFT JOIN talked USING (activity_id) LEFT JOIN chat USING (activity_id)",
    key="activity_id",
    # LAST_UPDATED has whole seconds, in which an activity may change twice.
    unless="coalesce(excluded.updated_at >= known.updated_at, true) AND",
    given=", ".join(
        {
            "talk_seconds": "talked.talk_seconds",
            "happened": "CASE WHEN talked.talk_seconds > 0 THEN 'yes' WHEN talked.talk_seconds = 0 THEN 'no'"
            " WHEN chat.answered THEN 'yes' WHEN NOT chat.answered THEN 'no' ELSE listed.happened END",
            "why_unknown": "CASE WHEN talked.talk_seconds IS NULL AND chat.answered IS NULL"
            " THEN listed.why_unknown END",
        }.get(name, f"listed.{name}" if name != "activity_id" else name)
        for name in _COLUMNS
    ),
)
_KEEP_CALLS = _upsert(
    "calls",
    _CALL_COLUMNS,
    "listed",
    key="statistic_id",
    unless="",
    given=", ".join(_CALL_COLUMNS),
)
_FILL_TALK = text(f"""
    UPDATE activities AS known
    SET talk_seconds = talked.talk_seconds, happened = CASE WHEN talked.talk_seconds > 0 THEN 'yes' ELSE 'no' END,
        why_unknown = NULL
    FROM ({_TALKED}) AS talked
    WHERE known.portal_id = :portal AND known.activity_id = talked.activity_id
      AND known.talk_seconds IS DISTINCT FROM talked.talk_seconds
""")  # noqa: S608 - as above
_BINDINGS = text("""
    SELECT entity_type_id, card_id, activity_id FROM activity_bindings
    WHERE portal_id = :portal AND activity_id = ANY(:ids)
""")
_DROP_BINDINGS = text("DELETE FROM activity_bindings WHERE portal_id = :portal AND activity_id = ANY(:ids)")
_ADD_BINDINGS = text("""
    INSERT INTO activity_bindings (portal_id, entity_type_id, card_id, activity_id)
    SELECT :portal, * FROM unnest(CAST(:types AS int[]), CAST(:cards AS bigint[]), CAST(:ids AS bigint[]))
    ON CONFLICT DO NOTHING
""")
_KNOW_BINDINGS = text("""
    UPDATE activities SET bindings_known = true
    WHERE portal_id = :portal AND activity_id = ANY(:ids) AND NOT bindings_known
""")
# What it counts as is kept as it was when it was first seen done: who has it later, or moves its date, did not do it.
# A chat was done when a person answered, which `chats.py` writes.
_DONE = text("""
    UPDATE activities SET
        done_at = least(coalesce(start_at, created_at), updated_at),
        done_by_id = CASE WHEN kind = 'letter_out' THEN coalesce(author_id, responsible_id)
                          ELSE coalesce(responsible_id, author_id) END
    WHERE portal_id = :portal AND activity_id = ANY(:ids) AND done_at IS NULL
      AND kind IN ('call_out', 'call_in', 'letter_out', 'letter_in', 'meeting')
      AND (happened <> 'no' OR kind = 'call_in')
""")
_WANT_CHATS = text("""
    INSERT INTO chats AS known (portal_id, activity_id, session_id, user_code, ended, changed_at)
    SELECT :portal, listed.*
    FROM json_to_recordset(CAST(:chats AS json)) AS listed (
        activity_id bigint, session_id bigint, user_code text, ended boolean, changed_at timestamptz)
    ON CONFLICT (portal_id, activity_id) DO UPDATE
    SET session_id = coalesce(excluded.session_id, known.session_id), ended = excluded.ended,
        user_code = coalesce(excluded.user_code, known.user_code), changed_at = excluded.changed_at, wanted = true
    WHERE coalesce(excluded.changed_at > known.changed_at, true) OR excluded.ended > known.ended
""")
_OF_CARD = text(f"""
    SELECT {", ".join(_COLUMNS)},
        CASE WHEN kind = 'chat' THEN done_at END AS answered_at,
        CASE WHEN kind = 'chat' THEN done_by_id END AS answered_by
    FROM activities
    WHERE portal_id = :portal AND activity_id IN (
        (SELECT activity_id FROM activities
         WHERE portal_id = :portal AND owner_type_id = :type AND owner_id = :card AND activity_id < :before
         ORDER BY activity_id DESC LIMIT :limit)
        UNION
        (SELECT activity_id FROM activity_bindings
         WHERE portal_id = :portal AND entity_type_id = :type AND card_id = :card AND activity_id < :before
         ORDER BY activity_id DESC LIMIT :limit))
    ORDER BY activity_id DESC LIMIT :limit
""")  # noqa: S608 - as above


async def keep(session: WriteSession, portal_id: int, activities: Sequence[Activity]) -> int:
    """Keep the activities as they are now; how many were not known so. Those known in a newer state stay."""
    if not activities:
        return 0
    rows = [
        {name: _plain(getattr(one, name)) for name in _COLUMNS} | {"happened": _TOLD[one.happened]}
        for one in activities
    ]
    values = {"portal": portal_id, "rows": json_text(rows), "ids": [one.activity_id for one in activities]}
    await session.execute(_IN_TURN, {"portal": portal_id})
    await _ask_former_owners(session, portal_id, activities)
    new = set((await session.scalars(_KEEP_ACTIVITIES, values)).all())
    await session.execute(_DONE, {"portal": portal_id, "ids": values["ids"]})
    await _want_chats(session, portal_id, activities)
    told = {one.activity_id: one.bindings for one in activities if one.bindings is not None}
    await keep_bindings(session, portal_id, told)
    await ask_of_activities(session, portal_id, new)
    return len(new)


async def _want_chats(session: WriteSession, portal_id: int, activities: Sequence[Activity]) -> None:
    chats = [
        {
            "activity_id": one.activity_id,
            "session_id": one.session_id,
            "user_code": one.user_code,
            "ended": one.completed,
            "changed_at": _plain(one.updated_at),
        }
        for one in activities
        if one.kind is ActivityKind.CHAT
    ]
    if chats:
        await session.execute(_WANT_CHATS, {"portal": portal_id, "chats": json_text(chats)})


async def _ask_former_owners(session: WriteSession, portal_id: int, activities: Sequence[Activity]) -> None:
    """Whose activity it was until now loses a contact, e.g. when two cards were merged."""
    query = text("""
        SELECT activity_id, owner_type_id, owner_id FROM activities
        WHERE portal_id = :portal AND activity_id = ANY(:ids)
    """)
    rows = await session.execute(query, {"portal": portal_id, "ids": [one.activity_id for one in activities]})
    owner = {one.activity_id: (one.owner_type_id, one.owner_id) for one in activities}
    former = [(kind, card) for activity, kind, card in rows if (kind, card) != owner[activity] and card is not None]
    await ask(session, portal_id, former)


async def keep_bindings(session: WriteSession, portal_id: int, told: Mapping[int, Sequence[tuple[int, int]]]) -> None:
    """Keep every card that each of these activities belongs to, as pairs of entityTypeId and id."""
    if not told:
        return
    which = {"portal": portal_id, "ids": list(told)}
    pairs = [(kind, card, activity) for activity, bound in told.items() for kind, card in bound]
    known = {(row[0], row[1], row[2]) for row in await session.execute(_BINDINGS, which)}
    # What is bound anew and what is bound no more: both change what is known of a card.
    await ask(session, portal_id, [(kind, card) for kind, card, _ in known.symmetric_difference(pairs)])
    await session.execute(_DROP_BINDINGS, which)
    values = {"types": [one[0] for one in pairs], "cards": [one[1] for one in pairs], "ids": [one[2] for one in pairs]}
    await session.execute(_ADD_BINDINGS, {"portal": portal_id} | values)
    await session.execute(_KNOW_BINDINGS, which)


async def add_bindings(session: WriteSession, portal_id: int, told: Sequence[tuple[CardKey, int]]) -> None:
    """Keep that these cards have these activities, kept already; which others do is not said."""
    pairs = [(card.entity_type_id, card.card_id, activity) for card, activity in told]
    if pairs:
        values = {"types": [one[0] for one in pairs], "cards": [one[1] for one in pairs]}
        await session.execute(_ADD_BINDINGS, {"portal": portal_id, "ids": [one[2] for one in pairs]} | values)


async def without_statistics(session: ReadSession, portal_id: int, ids: Sequence[int]) -> list[int]:
    """Which of these activities have no call statistics that tell how long was talked."""
    query = text("""
        SELECT asked.id FROM unnest(CAST(:ids AS bigint[])) AS asked (id) WHERE NOT EXISTS (
            SELECT FROM calls WHERE portal_id = :portal AND activity_id = asked.id AND talk_seconds IS NOT NULL)
    """)
    return list((await session.scalars(query, {"portal": portal_id, "ids": list(ids)})).all())


async def without_bindings(session: ReadSession, portal_id: int, listed: Sequence[Activity]) -> list[int]:
    """Which of these activities are not kept in this state with all the cards they belong to."""
    query = text("""
        SELECT activity_id, updated_at FROM activities
        WHERE portal_id = :portal AND activity_id = ANY(:ids) AND bindings_known
    """)
    rows = await session.execute(query, {"portal": portal_id, "ids": [one.activity_id for one in listed]})
    known = {row[0]: row[1] for row in rows}
    return [
        one.activity_id
        for one in listed
        if one.bindings is None and (one.activity_id not in known or known[one.activity_id] != one.updated_at)
    ]


async def keep_calls(session: WriteSession, portal_id: int, calls: Sequence[Call]) -> int:
    """Keep the calls, and on their activities how long was talked; how many calls were not known so."""
    if not calls:
        return 0
    rows = [{name: _plain(value) for name, value in asdict(call).items()} for call in calls]
    ids = sorted({call.activity_id for call in calls if call.activity_id is not None})
    values = {"portal": portal_id, "ids": ids}
    await session.execute(_IN_TURN, {"portal": portal_id})
    new = set((await session.scalars(_KEEP_CALLS, values | {"rows": json_text(rows)})).all())
    if ids:
        await session.execute(_FILL_TALK, values)
    of_new = {call.activity_id for call in calls if call.statistic_id in new and call.activity_id is not None}
    await ask_of_activities(session, portal_id, of_new)
    return len(new)


async def of_card(
    session: ReadSession, card: CardKey, *, before: int | None = None, limit: int = 100
) -> list[Activity]:
    """The card's activities as far as they are kept, the newest first; `before`: only with lower ids.

    By their owner and, where all their cards are known, by those. `bindings` are not told.
    """
    values = {"portal": card.portal_id, "type": card.entity_type_id, "card": card.card_id, "limit": limit}
    rows = await session.execute(_OF_CARD, values | {"before": before or 2**63 - 1})
    return [_activity(row) for row in rows.mappings()]


def _activity(row: RowMapping) -> Activity:
    values = dict(row)
    values["kind"] = ActivityKind(values["kind"])
    values["happened"] = _HAPPENED[values["happened"]]
    values["why_unknown"] = WhyUnknown(values["why_unknown"]) if values["why_unknown"] else None
    return Activity(**values)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
