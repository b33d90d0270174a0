"""A real PostgreSQL for every test that asks: one server for all workers, an empty database for each test.

With DATABASE_URL set, databases are made there (its user needs CREATEDB). Without, one embedded server in a
directory of this run is shared by all xdist workers through the same locks that processes use in
production, and is gone with the last of them. The schema is migrated once a worker, into a template, whose
clones `tests/databases.py` hands out.
"""

import asyncio
import gc
import itertools
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from app.settings import Settings, load_settings
from app.store.database import Database, WriteSession, connected, sqlalchemy_url
from app.store.embedded import use_embedded, wait_stopped
from app.store.migrate import migrate
from tests.databases import CloneKeeper, administer

_OUTSIDE_URL = os.environ.get("DATABASE_URL")
# Speed over safety: nobody needs the tests' data after a power cut.
_OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}

# Tests set what they need themselves; a developer's own environment must not reach them.
for _name in Settings.model_fields:
    os.environ.pop(_name.upper(), None)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the run's directory in the first process; workers are told, since each would choose its own."""
    if not hasattr(config, "workerinput"):
        # Not under pytest's own base: that is closed to PostgreSQL's user when we are root.
        config.stash[_RUN_DIR] = Path(tempfile.mkdtemp(prefix="ogon-tests-"))
    else:
        config.stash[_RUN_DIR] = Path(config.workerinput["ogon_run_dir"])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    node.workerinput["ogon_run_dir"] = str(node.config.stash[_RUN_DIR])


def pytest_unconfigure(config: pytest.Config) -> None:
    """The first process is the last to end: leave neither a server nor a file behind."""
    directory = config.stash.get(_RUN_DIR, None)
    if directory is not None and not hasattr(config, "workerinput"):
        wait_stopped(directory)
        shutil.rmtree(directory)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, or one worker is left alone with one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """From here on garbage is collected between tests only.

    What an earlier test's event loop left behind would else be taken apart in the middle of a later test, in whatever
    thread happens to run, and its complaint would fail that test. What was loaded so far stays, so it is not looked at;
    nor is, later, what outlived a collection: caches.
    """
    gc.collect()
    gc.freeze()
    gc.disable()


def pytest_runtest_logfinish() -> None:
    """A test and its fixtures have ended: no event loop runs here now."""
    if next(_finished) % _TESTS_BETWEEN == 0:
        gc.collect()
        gc.freeze()


_RUN_DIR = pytest.StashKey[Path]()
_TESTS_BETWEEN = 10
_finished = itertools.count(1)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server_conninfo(pytestconfig: pytest.Config) -> Iterator[str]:
    """A connection string of the server's maintenance database."""
    if _OUTSIDE_URL:
        yield _OUTSIDE_URL
        return
    server = use_embedded(pytestconfig.stash[_RUN_DIR], options=_OPTIONS)
    yield server.conninfo("postgres")
    server.release()


@pytest.fixture(scope="session")
def template_database(server_conninfo: str) -> Iterator[str]:
    """The name of a migrated database to clone; nothing connects to it."""
    name = f"ogon_template_{uuid.uuid4().hex[:12]}"
    administer(server_conninfo, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    asyncio.run(_migrate(make_conninfo(server_conninfo, dbname=name)))
    yield name
    administer(server_conninfo, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def _migrate(conninfo: str) -> None:
    async with connected(conninfo) as database:
        await migrate(database)


@pytest.fixture(scope="session")
def _clones(server_conninfo: str, template_database: str) -> Iterator[CloneKeeper]:
    clones = CloneKeeper(server_conninfo, template_database, by_files=not _OUTSIDE_URL)
    yield clones
    clones.drop()


@pytest.fixture
def database_conninfo(_clones: CloneKeeper) -> Iterator[str]:
    """libpq's connection string of an empty, migrated database of this test's own."""
    yield _clones.take()
    _clones.give_back()


@pytest.fixture
def database_url(database_conninfo: str) -> str:
    """The same database as a value for DATABASE_URL, e.g. for a process of its own."""
    return sqlalchemy_url(database_conninfo).set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture
async def database(database_conninfo: str) -> AsyncIterator[Database]:
    """An empty, migrated database of this test's own."""
    async with connected(database_conninfo, pool_size=5) as database:
        yield database


@pytest.fixture
async def write_session(database: Database) -> AsyncIterator[WriteSession]:
    """One transaction on `database`, committed at the test's end."""
    async with database.writing() as session:
        yield session


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with their defaults and a data directory of this test's own; no database is behind them."""
    return load_settings(_env_file=None, data_dir=tmp_path)


@pytest.fixture
def settings_with_database(settings: Settings, database_url: str) -> Settings:
    """The same, with `database` behind DATABASE_URL: what a root would be given."""
    return settings.model_copy(update={"database_url": SecretStr(database_url)})
