"""The embedded PostgreSQL with real processes: sharing, kill -9, odd paths, stale files, users, versions."""

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import anyio
import psutil
import psycopg
import pytest
from sqlalchemy import text

from app.store import cluster
from app.store.cluster import EmbeddedPostgresError, known_home
from app.store.database import DatabaseAway, connected, embedded_url, open_database
from app.store.embedded import use_embedded, wait_stopped
from app.store.migrate import is_current, migrate

ROOT = os.geteuid() == 0
FAST = {"fsync": "off"}

USER = """
import sys
from pathlib import Path
from app.store.embedded import use_embedded
server = use_embedded(Path(sys.argv[1]), options={"fsync": "off"})
print(server.conninfo(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place():
    """A directory outside pytest's own, which is closed to PostgreSQL's user when we are root."""
    directory = Path(tempfile.mkdtemp(prefix="ogon-e-"))
    directory.chmod(0o755)
    yield directory
    for data_dir in {path.parent for path in directory.rglob("postgres.lock")}:
        wait_stopped(data_dir)
        home = known_home(data_dir)
        if not home.is_relative_to(directory):
            shutil.rmtree(home)
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def made_cluster():
    """The home of a stopped cluster. Tests take turns with it, since making one takes its time."""
    directory = Path(tempfile.mkdtemp(prefix="ogon-e-"))
    directory.chmod(0o755)
    use_embedded(directory, options=FAST).release()
    wait_stopped(directory)
    yield known_home(directory)
    shutil.rmtree(directory)


@pytest.fixture
def lend(made_cluster):
    """Put the made cluster into a data directory for the time of one test."""
    lent = []

    def lend(data_dir: Path) -> Path:
        data_dir.mkdir(exist_ok=True)
        made_cluster.rename(data_dir / "postgres")
        (data_dir / "postgres" / "server.log").unlink(missing_ok=True)
        lent.append(data_dir)
        return data_dir

    yield lend
    for data_dir in lent:
        wait_stopped(data_dir)
        (data_dir / "postgres").rename(made_cluster)


@pytest.fixture
def used(place, lend):
    """A data directory with a cluster that has run before."""
    return lend(place)


@pytest.fixture
def start_user(place, lend):
    """Start a process that uses the server of a directory until it is killed or told to end."""
    started = []

    def start(data_dir: Path = place) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", USER, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _one(conninfo: str, statement: str):
    with psycopg.connect(conninfo, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def _postmaster(data_dir: Path) -> psutil.Process:
    return psutil.Process(int((known_home(data_dir) / "cluster" / "postmaster.pid").read_text().split()[0]))


def _guardians(data_dir: Path) -> list[psutil.Process]:
    home = str(known_home(data_dir))
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if home in (process.info["cmdline"] or ()) and any("guardian.py" in word for word in process.info["cmdline"])
    ]


def _kill(processes) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs(list(processes), timeout=60)


def test_first_start_makes_the_promised_cluster_and_the_end_leaves_nothing(place):
    server = use_embedded(place)
    conninfo = server.conninfo()
    expected = {
        "server_encoding": "UTF8",
        "data_checksums": "on",
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "TimeZone": "UTC",
        "fsync": "on",
        "shared_buffers": "128MB",
    }
    assert {name: _one(conninfo, f"SHOW {name}") for name in expected} == expected
    locale = _one(
        conninfo, "SELECT datlocprovider::text || ' ' || datlocale FROM pg_database WHERE datname = current_database()"
    )
    assert locale == "b C.UTF-8"
    assert (Path(server.host).stat().st_mode & 0o777) == 0o700
    assert _postmaster(place).uids().real != 0
    assert list(_postmaster(place).net_connections("inet")) == []
    guardian = _guardians(place)
    assert len(guardian) == 1
    server.release()
    wait_stopped(place)
    psutil.wait_procs(guardian, timeout=60)
    assert _guardians(place) == []
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo)


def test_users_share_one_server_and_the_last_one_gone_by_kill_stops_it(used, start_user):
    one, two = start_user(), start_user()
    conninfo = one.stdout.readline().strip()
    assert two.stdout.readline().strip() == conninfo
    _one(conninfo, "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 42 AS answer")
    _kill([psutil.Process(one.pid)])
    assert _one(conninfo, "SELECT answer FROM kept") == 42
    assert len(_guardians(used)) == 1
    _kill([psutil.Process(two.pid)])
    wait_stopped(used)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo)
    # A clean stop: the next start has nothing to recover.
    server = use_embedded(used, options=FAST)
    assert _one(server.conninfo(), "SELECT answer FROM kept") == 42
    server.release()
    assert "not properly shut down" not in (known_home(used) / "server.log").read_text()


def test_kill_9_of_everything_then_start_again(used, start_user):
    user = start_user()
    conninfo = user.stdout.readline().strip()
    _one(conninfo, "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 42 AS answer")
    postmaster = _postmaster(used)
    everything = [psutil.Process(user.pid), *_guardians(used), postmaster, *postmaster.children(recursive=True)]
    _kill(everything)
    server = use_embedded(used, options=FAST)
    assert _one(server.conninfo(), "SELECT answer FROM kept") == 42
    assert len(_guardians(used)) == 1
    server.release()


def test_killed_postmaster_is_replaced_once_its_children_are_gone(used):
    first = use_embedded(used, options=FAST)
    with psycopg.connect(first.conninfo()):  # a backend that must notice and end
        _kill([_postmaster(used)])
        second = use_embedded(used, options=FAST)
    assert _one(second.conninfo(), "SELECT 1") == 1
    assert len(_guardians(used)) == 1
    first.release()
    assert _one(second.conninfo(), "SELECT 1") == 1
    second.release()


@pytest.mark.parametrize("name", ["short", pytest.param("x" * 120, id="longer than a socket may be")])
def test_a_user_brings_a_killed_server_back_under_the_same_address(place, lend, name):
    data_dir = lend(place / name)
    server = use_embedded(data_dir, options=FAST)
    assert not server.keep_running()
    _kill([_postmaster(data_dir), *_guardians(data_dir)])
    assert server.keep_running()
    assert not server.keep_running()
    assert _one(server.conninfo(), "SHOW fsync") == "off"
    assert len(_guardians(data_dir)) == 1
    server.release()
    wait_stopped(data_dir)
    assert not Path(server.host).exists() or Path(server.host).is_relative_to(data_dir)


@pytest.mark.anyio
async def test_a_process_that_goes_on_gets_its_killed_server_back(used, monkeypatch):
    monkeypatch.setattr("app.store.database._WATCH_SECONDS", 0.05)
    began = text("SELECT pg_postmaster_start_time()")
    async with embedded_url(used) as url, connected(url) as database:
        async with database.reading() as session:
            first = await session.scalar(began)
        _kill([_postmaster(used)])
        now = first
        with anyio.fail_after(180):
            while now == first:
                with contextlib.suppress(DatabaseAway):
                    async with database.reading() as session:
                        now = await session.scalar(began)
                await anyio.sleep(0.05)


def test_killed_guardian_is_replaced_by_the_next_user(used):
    first = use_embedded(used, options=FAST)
    _kill(_guardians(used))
    second = use_embedded(used, options=FAST)
    assert len(_guardians(used)) == 1
    first.release()
    assert _one(second.conninfo(), "SELECT 1") == 1
    second.release()
    wait_stopped(used)


def test_concurrent_first_starts_make_one_cluster(place, start_user):
    users = [start_user() for _ in range(3)]
    assert len({user.stdout.readline().strip() for user in users}) == 1
    assert (known_home(place) / "server.log").read_text().count("starting PostgreSQL") == 1


def test_who_comes_while_the_server_stops_waits_and_starts_anew(used):
    for _ in range(4):
        server = use_embedded(used, options=FAST)
        assert _one(server.conninfo(), "SELECT 1") == 1
        server.release()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("x" * 120, id="longer than a socket may be"),
        pytest.param('it\'s a "$HOME" `dir` \\ here', id="letters a shell reads"),
        pytest.param("a,b", id="comma, which separates hosts"),
        pytest.param("огонь", id="Cyrillic"),
    ],
)
def test_any_path_will_do(place, lend, name):
    data_dir = lend(place / name)
    server = use_embedded(data_dir, options=FAST)
    assert _one(server.conninfo(), "SELECT 1") == 1
    joined = use_embedded(data_dir)
    assert joined.host == server.host
    joined.release()
    server.release()
    wait_stopped(data_dir)
    inside = Path(server.host).is_relative_to(data_dir)
    assert inside or not Path(server.host).exists()


def test_stale_pid_file_naming_a_living_stranger_is_no_obstacle(used):
    record = known_home(used) / "cluster" / "postmaster.pid"
    record.write_text(f"{os.getpid()}\n{record.parent}\n1700000000\n5432\n{used}\n\n  1  1\nready\n")
    server = use_embedded(used, options=FAST)
    assert _one(server.conninfo(), "SELECT 1") == 1
    server.release()


@pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="only where a process can be named")
def test_a_killed_server_that_nobody_collected_is_no_obstacle(used):
    child = os.fork()
    if child == 0:
        Path("/proc/self/comm").write_text("postgres")
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # dead, and left a zombie
    record = known_home(used) / "cluster" / "postmaster.pid"
    record.write_text(f"{child}\n{record.parent}\n1700000000\n5432\n{used}\n\n  1  1\nready\n")
    (known_home(used) / "socket" / ".s.PGSQL.5432.lock").write_text(f"{child}\n{record.parent}\n1700000000\n5432\n")
    server = use_embedded(used, options=FAST)
    assert _one(server.conninfo(), "SELECT 1") == 1
    server.release()
    os.waitpid(child, 0)


def test_data_of_another_major_version_is_left_alone_with_a_clear_word(used):
    version = known_home(used) / "cluster" / "PG_VERSION"
    ours = version.read_text()
    version.write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 17, this release brings 18: dump it"):
        use_embedded(used)
    version.write_text(ours)


def test_a_broken_cluster_is_told_with_the_servers_last_words(used):
    with pytest.raises(EmbeddedPostgresError, match=r"did not start: .*no_such_setting"):
        use_embedded(used, options={"no_such_setting": "1"})
    use_embedded(used, options=FAST).release()


def test_what_a_killed_initdb_left_is_swept_away(place):
    half = place / "postgres" / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    use_embedded(place, options=FAST).release()
    assert not half.exists()


@pytest.mark.skipif(not ROOT, reason="only root has to hand the cluster to another user")
def test_root_under_a_closed_directory_keeps_the_cluster_outside(place):
    closed = place / "home"
    closed.mkdir(mode=0o700)
    data_dir = closed / "data"
    server = use_embedded(data_dir, options=FAST)
    _one(server.conninfo(), "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 42 AS answer")
    home = known_home(data_dir)
    assert not home.is_relative_to(place)
    assert closed.stat().st_mode & 0o777 == 0o700
    server.release()
    wait_stopped(data_dir)
    again = use_embedded(data_dir, options=FAST)
    assert _one(again.conninfo(), "SELECT answer FROM kept") == 42
    again.release()
    wait_stopped(data_dir)
    home.rename(moved := home.with_name(home.name + "-moved"))
    try:
        with pytest.raises(EmbeddedPostgresError, match="is gone: restore it, or delete"):
            use_embedded(data_dir)
    finally:
        moved.rename(home)


@pytest.mark.skipif(not ROOT, reason="only root has to hand the binaries to another user")
def test_root_copies_binaries_that_are_out_of_reach(place, lend, monkeypatch):
    outside = place / "outside"
    outside.mkdir()
    monkeypatch.setattr(cluster, "_OUTSIDE", (outside,))
    installed = cluster._installed()
    packages = place / "closed" / "site-packages"
    for part in (installed, installed.parent.parent / f"{installed.parent.name}.libs"):
        shutil.copytree(part, packages / part.relative_to(installed.parent.parent), symlinks=True)
    (place / "closed").chmod(0o700)
    lend(place / "data")
    for _ in range(2):
        server = use_embedded(place / "data", options=FAST, install=packages / installed.parent.name / installed.name)
        assert Path(_postmaster(place / "data").exe()).is_relative_to(outside)
        server.release()
        wait_stopped(place / "data")
    assert len(list(outside.iterdir())) == 1


@pytest.mark.skipif(not ROOT, reason="only root can become somebody else")
def test_plain_user_needs_no_other_account(place):
    nobody = pwd.getpwnam("nobody")
    os.chown(place, nobody.pw_uid, nobody.pw_gid)
    python = next((path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if Path(path).exists()), None)
    if python is None:
        pytest.skip("no Python here that another user could run the guardian with")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # a fork, since our own Python may be closed to others
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        sys.executable = python
        said = _as_plain_user(place)
        os.write(writing, json.dumps(said).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        assert json.loads(pipe.read()) == ["nobody", 1]
    wait_stopped(place)
    assert (place / "postgres").stat().st_mode & 0o777 == 0o700
    # What a plain user made, root continues with as that user.
    server = use_embedded(place, options=FAST)
    assert _postmaster(place).uids().real == nobody.pw_uid
    server.release()


def _as_plain_user(place: Path) -> list[object]:
    try:
        server = use_embedded(place, options=FAST)
        return [_postmaster(place).username(), _one(server.conninfo(), "SELECT 1")]
    except BaseException as error:  # noqa: BLE001 - told to the parent
        return [repr(error)]


@pytest.mark.anyio
async def test_root_opens_the_embedded_database(used, settings):
    async with open_database(settings.model_copy(update={"data_dir": used})) as database:
        assert not await is_current(database)
        await migrate(database)
        assert await is_current(database)
