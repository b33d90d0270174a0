"""The connection to PostgreSQL: one async engine over psycopg 3, and two kinds of session.

Roots open a `Database` with `async with open_database(settings)`; everybody else is handed it, or a session.
`ReadSession` and `WriteSession` are two types, so a signature says whether a function writes. The
transaction ends at the edge, where the context manager does: nobody calls commit, and nobody holds a
session across a call to the portal.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import structlog
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.errors import OgonError
from app.settings import Settings
from app.store.cluster import EmbeddedPostgresError
from app.store.embedded import EmbeddedPostgres, use_embedded
from app.store.json_text import json_text

# SQLSTATE classes and codes that mean "the server is away or full", not "the statement is wrong".
_AWAY_CLASSES = ("08", "57P", "53", "25P03")
_CONNECT_SECONDS = 5
# Hundreds of cards share a few connections: waiting for one's turn is not the database being away.
_POOL_SECONDS = 30
_WATCH_SECONDS = 1.0
# A process that stands still in the middle of a transaction must not keep its locks from the others.
_IDLE_SECONDS = 20

KEPT_ALIVE = {"keepalives_idle": 20, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}
"""libpq's parameters by which a connection whose other end vanished is noticed within half a minute, not in hours."""

_log = structlog.get_logger(__name__)


class DatabaseAway(OgonError):  # noqa: N818 - a state of affairs, named as the callers' `except` reads
    """Temporary: the database does not answer, or takes no more connections. Trying again later is right."""

    def __init__(self) -> None:
        super().__init__("The database does not answer: check that PostgreSQL runs and DATABASE_URL is right.")


class ReadSession(AsyncSession):
    """A session in a READ ONLY transaction: PostgreSQL itself refuses a write."""


class WriteSession(ReadSession):
    """A session that may write; committed by `Database.writing` at its end. Goes wherever a ReadSession does."""


@dataclass(frozen=True, slots=True)
class Database:
    """A pool of connections. `conninfo` is the same database for libpq (procrastinate's own pool); a secret."""

    engine: AsyncEngine
    conninfo: SecretStr

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncGenerator[ReadSession]:
        """A read-only transaction. Raises DatabaseAway."""
        async with away_translated(), self.engine.connect() as connection:
            await connection.execution_options(postgresql_readonly=True)
            async with ReadSession(bind=connection, expire_on_commit=False) as session:
                yield session

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncGenerator[WriteSession]:
        """A transaction that commits when the block ends and rolls back when it raises. Raises DatabaseAway."""
        async with (
            away_translated(),
            WriteSession(bind=self.engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextlib.asynccontextmanager
    async def autocommitting(self) -> AsyncGenerator[AsyncConnection]:
        """A connection on which each statement is a transaction: for a single statement in one round trip."""
        async with away_translated(), self.engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")


@contextlib.asynccontextmanager
async def open_database(settings: Settings) -> AsyncGenerator[Database]:
    """The database of `settings`: DATABASE_URL, or the embedded server of DATA_DIR, used until the end.

    Raises EmbeddedPostgresError. A server behind DATABASE_URL is not contacted before the first session.
    """
    if settings.database_url is not None:
        async with connected(settings.database_url.get_secret_value()) as database:
            yield database
        return
    async with embedded_url(settings.data_dir) as url, connected(url) as database:
        yield database


@contextlib.asynccontextmanager
async def embedded_url(data_dir: Path) -> AsyncGenerator[str]:
    """libpq's connection string of the embedded server of `data_dir`, which runs at least until the end."""
    starting = asyncio.ensure_future(asyncio.to_thread(use_embedded, data_dir))
    try:
        server = await asyncio.shield(starting)
    except asyncio.CancelledError:
        # The thread goes on; what it brings must not stay in use.
        starting.add_done_callback(_release_late)
        raise
    ending = asyncio.Event()
    keeping = asyncio.create_task(_kept_running(server, ending), name="keep-postgres")
    try:
        yield server.conninfo()
    finally:
        ending.set()
        await keeping
        server.release()


async def _kept_running(server: EmbeddedPostgres, ending: asyncio.Event) -> None:
    """Bring the server back whenever it is gone, so that nobody has to restart us for it."""
    while not ending.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_WATCH_SECONDS):
                await ending.wait()
                return
        try:
            # Not to be left behind in the middle: the server must not be stopped and started at once.
            if await asyncio.to_thread(server.keep_running):
                _log.warning("the embedded PostgreSQL was gone and runs again")
        except EmbeddedPostgresError as error:
            _log.error("the embedded PostgreSQL is gone and does not start", error=str(error))


def _release_late(starting: asyncio.Future[EmbeddedPostgres]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        starting.result().release()


@contextlib.asynccontextmanager
async def connected(conninfo: str, *, pool_size: int = 10) -> AsyncGenerator[Database]:
    """A Database on a libpq connection string or postgresql:// URL."""
    engine = create_async_engine(
        sqlalchemy_url(conninfo),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=_POOL_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        json_serializer=json_text,
        connect_args={"connect_timeout": _CONNECT_SECONDS, "application_name": "ogon", **KEPT_ALIVE},
    )
    event.listen(engine.sync_engine, "connect", _not_idle_for_long)
    try:
        yield Database(engine=engine, conninfo=SecretStr(conninfo))
    finally:
        await engine.dispose()


def _not_idle_for_long(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'")
    cursor.close()
    connection.commit()


def sqlalchemy_url(conninfo: str) -> URL:
    """SQLAlchemy's URL of a libpq connection string or postgresql:// URL, for psycopg 3."""
    if "://" in conninfo:
        return make_url(conninfo).set(drivername="postgresql+psycopg")
    parts = {key: str(value) for key, value in conninfo_to_dict(conninfo).items()}
    return URL.create(
        "postgresql+psycopg",
        username=parts.pop("user", None),
        password=parts.pop("password", None),
        database=parts.pop("dbname", None),
        query=parts,
    )


@contextlib.asynccontextmanager
async def away_translated() -> AsyncGenerator[None]:
    """Raises DatabaseAway in place of the driver's errors that mean it; for who keeps a connection of his own."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseAway from error
    except DBAPIError as error:
        if _is_away(error):
            raise DatabaseAway from error
        raise


def _is_away(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        # No SQLSTATE: the failure is the client's own, e.g. a refused or lost connection.
        return isinstance(error, OperationalError | InterfaceError)
    return str(state).startswith(_AWAY_CLASSES)
