"""Activities and calls: what people did, copied from the portal for the clocks of reaction and for analysts.

Written by the sweep and the backfill, read by reports and the API. A call's statistics and its activity come in
any order; whichever is second fills in how long was talked.
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


def _upsert(table: str, columns: Mapping[str, str], source: str, *, key: str, unless: str, given: str) -> TextClause:
    """One statement for any number of rows; it returns the keys of those that were not kept so before."""
    listed = ", ".join(columns)
    excluded = ", ".join(f"excluded.{name}" for name in columns)
    known = ", ".join(f"known.{name}" for name in columns)
    shape = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return text(f"""
        WITH listed AS (SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS listed ({shape})), talked AS ({_TALKED})
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
    "listed LEFT JOIN talked USING (activity_id)",
    key="activity_id",
    # LAST_UPDATED has whole seconds, in which an activity may change twice.
    unless="coalesce(excluded.updated_at >= known.updated_at, true) AND",
    given=", ".join(
        {
            "talk_seconds": "talked.talk_seconds",
            "happened": "CASE WHEN talked.talk_seconds > 0 THEN 'yes' WHEN talked.talk_seconds = 0 THEN 'no'"
            " ELSE listed.happened END",
            "why_unknown": "CASE WHEN talked.talk_seconds IS NULL THEN listed.why_unknown END",
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
_OF_CARD = text(f"""
    SELECT {", ".join(_COLUMNS)} FROM activities
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
    new = set((await session.scalars(_KEEP_ACTIVITIES, values)).all())
    told = {one.activity_id: one.bindings for one in activities if one.bindings is not None}
    await keep_bindings(session, portal_id, told)
    return len(new)


async def keep_bindings(session: WriteSession, portal_id: int, told: Mapping[int, Sequence[tuple[int, int]]]) -> None:
    """Keep every card that each of these activities belongs to, as pairs of entityTypeId and id."""
    if not told:
        return
    which = {"portal": portal_id, "ids": list(told)}
    pairs = [(kind, card, activity) for activity, bound in told.items() for kind, card in bound]
    await session.execute(_DROP_BINDINGS, which)
    values = {"types": [one[0] for one in pairs], "cards": [one[1] for one in pairs], "ids": [one[2] for one in pairs]}
    await session.execute(_ADD_BINDINGS, {"portal": portal_id} | values)
    await session.execute(_KNOW_BINDINGS, which)


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
    new = (await session.scalars(_KEEP_CALLS, values | {"rows": json_text(rows)})).all()
    if ids:
        await session.execute(_FILL_TALK, values)
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
