"""The one connection over which the intake commits its batches: psycopg's own, outside the pool and the ORM.

Called by the web's group commit. One prepared statement in autocommit, so a batch is one round trip.
A lost connection is opened anew. Everybody else uses `journal.append`.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import structlog

from app.errors import OgonError
from app.store.journal import NewEntry
from app.store.json_text import json_text, storable_text

_log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 4.0
"""A flush that takes longer has failed: the portal calls slow handlers less often (bitrix24.md 1.7)."""
_PAUSE_SECONDS = 0.5

# A rejected entry counts as dispatched from the start, so it stays out of the index of what waits.
_INSERT = b"""
    INSERT INTO journal (portal_id, source, event, entity_type_id, card_id, change, lane, body, rejected, dispatched_at)
    SELECT portal_id, source, event, entity_type_id, card_id, change, lane, body::jsonb, rejected,
           CASE WHEN rejected IS NOT NULL THEN now() END
    FROM unnest($1::integer[], $2::text[], $3::text[], $4::integer[], $5::bigint[], $6::text[], $7::smallint[],
                $8::text[], $9::text[])
        AS entry (portal_id, source, event, entity_type_id, card_id, change, lane, body, rejected)
"""


class RowsRefused(OgonError):  # noqa: N818 - named as the callers' `except` reads
    """The database is well but will not take these rows; one by one, the good ones may pass."""


class WriteFailed(OgonError):  # noqa: N818 - as above
    """The rows were not committed, or nobody can tell whether they were: the database is away or too slow."""


class _ConnectionLost(WriteFailed):
    """The connection broke; a new one may work."""


class JournalFlush:
    """Commits batches of entries. One batch at a time; `received_at` is always the database's now."""

    def __init__(self, conninfo: str) -> None:
        """Opens the connection with the first batch; `conninfo` is libpq's, a secret."""
        self._conninfo = conninfo
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._cursor: psycopg.AsyncRawCursor[Any] | None = None
        self._closed_until = 0.0

    async def write(self, entries: Sequence[NewEntry]) -> None:
        """Commit all entries or none. Raises RowsRefused or WriteFailed."""
        columns = _columns(entries)
        try:
            await self._execute(columns)
        except _ConnectionLost:
            # The server may have restarted since the last batch. Should the lost attempt have committed after
            # all, the entries stand twice, and hints of one card are collapsed anyway.
            await self._execute(columns)

    async def close(self) -> None:
        """Drop the connection; the next batch opens another."""
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            await connection.close()

    async def _execute(self, columns: tuple[str, ...]) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                cursor = self._cursor or await self._connect()
                await cursor.execute(_INSERT, columns, prepare=True)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise RowsRefused(f"The database refused an entry (SQLSTATE {error.sqlstate}).") from error
        except (psycopg.Error, OSError, TimeoutError) as error:
            lost = self._connection is not None and self._connection.broken
            _log.warning("flush failed", error=str(error) or type(error).__name__, connection_lost=lost)
            await self.close()
            failure = _ConnectionLost if lost else WriteFailed
            raise failure("The delivery could not be stored.") from error

    async def _connect(self) -> "psycopg.AsyncRawCursor[Any]":
        now = asyncio.get_running_loop().time()
        if now < self._closed_until:
            raise OSError("the database was away a moment ago")
        self._closed_until = now + _PAUSE_SECONDS
        self._connection = await psycopg.AsyncConnection.connect(
            self._conninfo, autocommit=True, connect_timeout=2, application_name="ogon-intake"
        )
        # The server gives up first, so that a batch we call failed is not committed behind our back later.
        await self._connection.execute(b"SET statement_timeout = %d" % int(TIMEOUT_SECONDS * 750))
        self._closed_until = 0.0
        self._cursor = psycopg.AsyncRawCursor(self._connection)
        return self._cursor


def _columns(entries: Sequence[NewEntry]) -> tuple[str, ...]:
    """One array literal for each column of the INSERT, in its order."""
    return (
        _array([entry.portal_id for entry in entries]),
        _array([entry.source for entry in entries]),
        _array([storable_text(entry.event) for entry in entries]),
        _array([entry.entity_type_id for entry in entries]),
        _array([entry.card_id for entry in entries]),
        _array([entry.change for entry in entries]),
        _array([entry.lane for entry in entries]),
        _array([None if entry.body is None else json_text(entry.body) for entry in entries]),
        _array([None if entry.rejected is None else storable_text(entry.rejected) for entry in entries]),
    )


def _array(values: Sequence[str | int | None]) -> str:
    """PostgreSQL's text form of an array. By hand: psycopg's own takes longer than all the rest of a flush."""
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: str | int | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
