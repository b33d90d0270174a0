"""Chats: sessions of open lines, when the client wrote first, when a person of ours first answered, and who.

A row is made with the session's activity (`activities.py`), filled in here once its messages are read. What is
learned goes on the activity as well: whoever counts contacts reads those.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from app.domain.chat_history import Conversation
from app.store.database import ReadSession, WriteSession
from app.store.json_text import json_text
from app.store.stale_reactions import ask_of_activities


@dataclass(frozen=True, slots=True)
class WantedChat:
    """A session to be read. `changed_at` is the activity's last change that was known when it was asked for."""

    activity_id: int
    session_id: int | None
    user_code: str | None
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReadChat:
    """A session that was read, or why it may not be."""

    asked: WantedChat
    session_id: int | None = None
    conversation: Conversation | None = None
    refused: str | None = None


_WANTED = text("""
    SELECT activity_id, session_id, user_code, changed_at FROM chats
    WHERE portal_id = :portal AND wanted AND (read_at IS NULL OR read_at < :before)
    ORDER BY read_at NULLS FIRST, activity_id DESC LIMIT :limit
""")
_READ = """
    SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS read (
        activity_id bigint, session_id bigint, changed_at timestamptz, refused text, first_client_at timestamptz,
        first_operator_at timestamptz, operator bigint, client_messages int, operator_messages int)
"""
# A session that changed while its messages were read stays wanted; so does an open one that nobody has answered. An
# answer that was seen is not unseen, whatever a later reading leaves out.
_KEEP = text(f"""
    UPDATE chats AS known SET
        session_id = coalesce(read.session_id, known.session_id),
        first_client_at = coalesce(known.first_client_at, read.first_client_at),
        first_operator_at = coalesce(known.first_operator_at, read.first_operator_at),
        operator_id = CASE WHEN known.first_operator_at IS NULL THEN read.operator ELSE known.operator_id END,
        client_messages = coalesce(read.client_messages, known.client_messages),
        operator_messages = coalesce(read.operator_messages, known.operator_messages),
        read_at = :now, refused = read.refused,
        wanted = known.changed_at IS DISTINCT FROM read.changed_at
            OR read.refused IS NULL AND NOT known.ended
               AND coalesce(known.first_operator_at, read.first_operator_at) IS NULL
    FROM ({_READ}) AS read
    WHERE known.portal_id = :portal AND known.activity_id = read.activity_id
""")  # noqa: S608 - constants
_TELL = text("""
    UPDATE activities AS known SET
        happened = CASE WHEN chat.first_operator_at IS NULL THEN 'no' ELSE 'yes' END,
        why_unknown = NULL, done_at = chat.first_operator_at, done_by_id = chat.operator_id
    FROM chats AS chat
    WHERE known.portal_id = :portal AND known.activity_id = ANY(:ids) AND known.kind = 'chat'
      AND chat.portal_id = :portal AND chat.activity_id = known.activity_id AND chat.refused IS NULL
      AND (known.happened, known.done_at, known.done_by_id) IS DISTINCT FROM
          (CASE WHEN chat.first_operator_at IS NULL THEN 'no' ELSE 'yes' END, chat.first_operator_at, chat.operator_id)
""")


async def wanted(session: ReadSession, portal_id: int, *, before: datetime, limit: int) -> list[WantedChat]:
    """Sessions to be read that were not read since `before`: the ones never read first, then the longest unread."""
    rows = await session.execute(_WANTED, {"portal": portal_id, "before": before, "limit": limit})
    return [WantedChat(*row) for row in rows]


async def never_read(session: ReadSession, portal_id: int) -> bool:
    """Whether some session waits for its first reading."""
    query = text("SELECT EXISTS (SELECT FROM chats WHERE portal_id = :portal AND wanted AND read_at IS NULL)")
    return bool(await session.scalar(query, {"portal": portal_id}))


async def keep(session: WriteSession, portal_id: int, read: Sequence[ReadChat], *, now: datetime) -> None:
    """Keep what the sessions told, on their activities as well."""
    if not read:
        return
    rows = [_row(one) for one in read]
    await session.execute(_KEEP, {"portal": portal_id, "rows": json_text(rows), "now": now})
    ids = [one.asked.activity_id for one in read]
    await session.execute(_TELL, {"portal": portal_id, "ids": ids})
    await ask_of_activities(session, portal_id, ids)


def _row(one: ReadChat) -> dict[str, Any]:
    told = asdict(one.conversation) if one.conversation is not None else {}
    row = {
        "activity_id": one.asked.activity_id,
        "session_id": one.session_id,
        "changed_at": one.asked.changed_at,
        "refused": one.refused,
        **told,
    }
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
