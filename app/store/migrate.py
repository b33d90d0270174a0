"""Bringing a database to the newest schema, from code: `ogon migrate`, and every start.

Any number of processes may do it at once: an advisory lock lets one work and the others find it done.
The migrations are Alembic's, in `migrations/` beside the package `app`.
"""

from collections.abc import MutableMapping
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

import app
from app.store.database import Database

VERSION_TABLE = "schema_version"

_LOCK = 395_278  # any number that nothing else on this database locks


async def migrate(database: Database) -> None:
    """Apply what is missing, all of it in one transaction. Raises DatabaseAway."""
    async with database.writing() as session:
        # Released with the transaction, however it ends.
        await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        await (await session.connection()).run_sync(_upgrade)


async def is_current(database: Database) -> bool:
    """Whether the schema is the newest this release knows."""
    async with database.reading() as session:
        return await (await session.connection()).run_sync(_at_head)


def configuration() -> Config:
    """Alembic's configuration without a file, so that it works from any directory and when installed."""
    config = Config()
    config.set_main_option("script_location", str(Path(app.__file__).parent.parent / "migrations"))
    return config


def ours(name: str | None, kind: str, _parents: MutableMapping[str, str | None]) -> bool:
    """Alembic's `include_name`: leave out the queue's tables, which are procrastinate's own."""
    return not (kind == "table" and name is not None and name.startswith("procrastinate_"))


def _upgrade(connection: Connection) -> None:
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _at_head(connection: Connection) -> bool:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    heads = ScriptDirectory.from_config(configuration()).get_heads()
    return set(context.get_current_heads()) == set(heads)
