"""An empty, migrated database for one test after another, as good as a new clone of the template and far cheaper.

To clone and drop a database costs PostgreSQL a tenth of a second of computing, with what the first connection to a new
one prepares; to empty the few tables that a test filled costs a twentieth of that. So a database is used again while
nothing can tell that it was used: other connections are ended, rows deleted and sequences set back. It is dropped, and
the next test gets a new clone, when its schema is no longer the template's, when a test left much behind (whoever
measures tables or plans must not meet another's empty pages), or when it cannot be emptied at all.

`tests/conftest.py` keeps one of these in each worker.
"""

import contextlib
import time
import uuid

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

_MOST_USES = 100
_MOST_BYTES = 500_000  # of one table
_PATIENCE_SECONDS = 10.0

_OTHERS_ENDED = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
# Every definition is a row; what was made or changed since has another transaction's number.
_DEFINITIONS = """
    SELECT sum(hashtextextended(one, 0)) FROM (
        SELECT format('%s %s %s', tableoid, oid, xmin) AS one FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT format('%s %s %s', tableoid, oid, xmin) FROM pg_namespace WHERE nspname !~ '^pg_'
        UNION ALL SELECT format('%s %s %s', tableoid, oid, xmin) FROM pg_proc WHERE oid >= 16384
        UNION ALL SELECT format('%s %s %s', tableoid, oid, xmin) FROM pg_constraint WHERE oid >= 16384
        UNION ALL SELECT format('%s %s %s', tableoid, oid, xmin) FROM pg_trigger WHERE oid >= 16384
        UNION ALL SELECT format('%s %s %s %s', tableoid, attrelid, attnum, xmin) FROM pg_attribute
            WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
        UNION ALL SELECT format('%s %s', setrole, setconfig) FROM pg_db_role_setting
            WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
        UNION ALL SELECT format('version %s', schema_version) FROM schema_version
    ) AS every
"""
# A table that ever held a row has a page: to ask for its size is cheaper than to look into it.
_TOUCHED = """
    SELECT relname, pg_table_size(oid) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'schema_version'
        AND pg_relation_size(oid) > 0
"""
# They guard what is only ever added to, even from a replica.
_GUARDED = """
    SELECT relname, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE tgenabled = 'A'
"""
_SEQUENCES_SET_BACK = "SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"


class CloneKeeper:
    """Clones of a template, one at a time, in the hands of one worker process."""

    def __init__(self, server_conninfo: str, template: str, *, by_files: bool) -> None:
        """`by_files` clones file by file, which is quick where nobody waits for a checkpoint."""
        self._server = server_conninfo
        self._template = template
        self._by_files = by_files
        self._name: str | None = None
        self._keeping: psycopg.Connection | None = None
        self._definitions: object = None
        self._guards: dict[str, str] = {}
        self._uses = 0
        with psycopg.connect(server_conninfo) as connection:
            # Nobody else may empty tables past their triggers; then each test gets a clone.
            self._most_uses = _MOST_USES if self._one(connection, "SHOW is_superuser") == "on" else 1

    def take(self) -> str:
        """libpq's connection string of an empty, migrated database; `give_back` comes before the next `take`."""
        if self._name is None:
            self._clone()
        assert self._name is not None
        self._uses += 1
        return make_conninfo(self._server, dbname=self._name)

    def give_back(self) -> None:
        """Make it empty for the next one, or drop it if that cannot be had cheaply."""
        emptied = False
        # It may have been left closed to connections, full of locks or without its tables: then a new one is right.
        with contextlib.suppress(psycopg.OperationalError, psycopg.errors.UndefinedTable, TimeoutError):
            emptied = self._uses < self._most_uses and self._emptied()
        if not emptied:
            self.drop()

    def drop(self) -> None:
        """Leave nothing on the server."""
        if self._keeping is not None:
            self._keeping.close()
            self._keeping = None
        if self._name is not None:
            administer(self._server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self._name)))
            self._name = None

    def _clone(self) -> None:
        name = f"ogon_test_{uuid.uuid4().hex[:12]}"
        clone = sql.SQL("CREATE DATABASE {} TEMPLATE {}" + (" STRATEGY FILE_COPY" if self._by_files else ""))
        administer(self._server, clone.format(sql.Identifier(name), sql.Identifier(self._template)))
        self._name, self._uses = name, 0
        if self._most_uses > 1:
            self._guards = dict(self._connected().execute(_GUARDED).fetchall())
            self._definitions = self._one(self._connected(), _DEFINITIONS)

    def _emptied(self) -> bool:
        connection = self._connected()
        until = time.monotonic() + _PATIENCE_SECONDS
        while connection.execute(_OTHERS_ENDED).fetchall():
            if time.monotonic() > until:
                raise TimeoutError
            time.sleep(0.002)
        if self._one(connection, _DEFINITIONS) != self._definitions:
            return False
        touched = connection.execute(_TOUCHED).fetchall()
        if any(size > _MOST_BYTES for _, size in touched):
            return False
        deleted = [self._deleted(name) for name, _ in touched]
        connection.execute(sql.SQL(";").join([*deleted, sql.SQL(_SEQUENCES_SET_BACK)]))
        if any(name in self._guards for name, _ in touched):
            self._definitions = self._one(connection, _DEFINITIONS)
        return True

    def _deleted(self, name: str) -> sql.Composed:
        table, statement = sql.Identifier(name), "DELETE FROM {table}"
        if name in self._guards:
            statement = (
                "ALTER TABLE {table} DISABLE TRIGGER {guard}; "
                f"{statement}; "
                "ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard}"
            )
        return sql.SQL(statement).format(table=table, guard=sql.Identifier(self._guards.get(name, "")))

    def _connected(self) -> psycopg.Connection:
        if self._keeping is not None and not self._keeping.closed:
            with contextlib.suppress(psycopg.OperationalError):  # a test may have ended it
                self._keeping.execute("SELECT 1")
                return self._keeping
        # As a replica's: no trigger and no foreign key looks at what is deleted. Only a superuser may.
        self._keeping = psycopg.connect(
            self._server, dbname=self._name, autocommit=True, options="-c session_replication_role=replica"
        )
        return self._keeping

    @staticmethod
    def _one(connection: psycopg.Connection, query: str) -> object:
        row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def administer(conninfo: str, statement: sql.Composed) -> None:
    """One statement that must not stand in a transaction, on a connection of its own."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(statement)
