"""Claims: who is making cards for which people right now, over all workers on one database.

Called by the pipeline around the search for duplicates and the making of what was not found. Two leads of one person
that come together would otherwise each find nobody and each make a company. Claims are PostgreSQL's advisory locks
on one connection of the process, so they go with a worker that dies, or with a database that is restarted. What such a
worker had begun is still to be seen: its run is open and names its claims (`runs.making`).
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, LiteralString, Self

import psycopg
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from app.errors import OgonError
from app.store.database import KEPT_ALIVE, DatabaseAway

WAIT_SECONDS = 5.0
_LOOK_SECONDS = 0.25
_CONNECT_SECONDS = 5

_TRY = "SELECT key FROM unnest(%s::bigint[]) AS key WHERE pg_try_advisory_lock(key)"
_GIVE_BACK = "SELECT pg_advisory_unlock(key) FROM unnest(%s::bigint[]) AS key"


class Claimed(OgonError):  # noqa: N818 - a state of affairs, named as the callers' `except` reads
    """Another card is being converted for the same people, and it takes a while. Trying again later is right."""

    def __init__(self) -> None:
        super().__init__("Another lead of the same people is being converted; this one comes after it.")


@dataclass(frozen=True, slots=True)
class Claim:
    """What is held, as numbers, and the connection on which it is held."""

    keys: frozenset[int]
    connection: object


class Claims:
    """The claims of one process; an async context that closes the connection."""

    def __init__(self, conninfo: SecretStr, *, patience: float = WAIT_SECONDS) -> None:
        """`conninfo` is libpq's; the connection is opened with the first claim. `patience` in seconds."""
        self._conninfo = conninfo
        self._patience = patience
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._asking = asyncio.Lock()
        self._taken: set[int] = set()
        self._freed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._hang_up()

    @asynccontextmanager
    async def held(self, portal_id: int, values: Iterable[str], *, wait: bool = True) -> AsyncGenerator[Claim]:
        """Nobody else holds any of these phones and e-mails of the portal while the block runs.

        All are taken or none, so two that want the same ones cannot wait for each other. Raises Claimed: at once
        when they are taken and `wait` is False, else when patience ends. Raises DatabaseAway.
        """
        keys = {_key(portal_id, value) for value in values}
        if not keys:
            yield Claim(frozenset(), None)
            return
        if not wait and keys & self._taken:
            raise Claimed
        try:
            async with asyncio.timeout(self._patience):
                await self._take(keys, wait=wait)
        except TimeoutError:
            raise Claimed from None
        try:
            yield Claim(frozenset(keys), self._connection)
        finally:
            await asyncio.shield(self._give_back(keys))

    async def make_sure(self, claim: Claim) -> None:
        """The claim is still held: a database that was restarted has forgotten it. Raises Claimed, DatabaseAway."""
        if not claim.keys:
            return
        async with self._asking:
            if self._connection is None or self._connection is not claim.connection:
                raise Claimed
            try:
                await self._connection.execute("SELECT 1")
            except (psycopg.Error, OSError) as error:
                await self._hang_up()
                raise DatabaseAway from error

    async def _take(self, keys: set[int], *, wait: bool) -> None:
        async with self._freed:
            await self._freed.wait_for(lambda: not keys & self._taken)
            self._taken |= keys
        try:
            while (got := await self._ask(_TRY, keys)) != keys:
                await self._ask(_GIVE_BACK, got)
                await _look_again(wait=wait)
        except BaseException:
            await asyncio.shield(self._give_back(keys))
            raise

    async def _give_back(self, keys: set[int]) -> None:
        try:
            await self._ask(_GIVE_BACK, keys)
        except DatabaseAway:
            pass  # the connection is gone, and its locks with it
        finally:
            async with self._freed:
                self._taken -= keys
                self._freed.notify_all()

    async def _ask(self, query: LiteralString, keys: set[int]) -> set[int]:
        if not keys:
            return set()
        async with self._asking:
            try:
                connection = self._connection or await self._connect()
                rows = await (await connection.execute(query, [sorted(keys)])).fetchall()
            except (psycopg.Error, OSError) as error:
                await self._hang_up()
                raise DatabaseAway from error
        return {row[0] for row in rows}

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        self._connection = await psycopg.AsyncConnection.connect(
            make_conninfo(self._conninfo.get_secret_value(), **KEPT_ALIVE),
            autocommit=True,
            connect_timeout=_CONNECT_SECONDS,
            application_name="ogon-claims",
        )
        return self._connection

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def _look_again(*, wait: bool) -> None:
    if not wait:
        raise Claimed
    await asyncio.sleep(_LOOK_SECONDS)


def _key(portal_id: int, value: str) -> int:
    """A number for pg_advisory_lock."""
    digest = hashlib.sha256(f"ogon claim {portal_id} {value}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)
