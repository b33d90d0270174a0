"""The embedded PostgreSQL, shared by all processes that use one DATA_DIR.

Called by `database.py` and by the tests' fixtures. Three locks (flock, so the kernel drops them with
their holder, however it dies) carry the whole protocol:

- `users.lock`, shared: held by every process that uses the server, for as long as it does;
- `server.lock`, exclusive: inherited by the postmaster and all its children, so it is free exactly when
  no process of the server lives. No pid is ever trusted for that;
- `guardian.lock`, exclusive: held by the guardian (`guardian.py`), which stops the server after the last user.

Starting is serialised by DATA_DIR/postgres.lock. The server listens on a unix socket only.
"""

import contextlib
import errno
import fcntl
import os
import shlex
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from app.store import guardian
from app.store.cluster import SUPERUSER, Cluster, EmbeddedPostgresError, find_cluster, known_home, make_cluster

DATABASE = "ogon"

_PORT = 5432
_PATIENCE_SECONDS = 120.0
_STEP_SECONDS = 0.01
_LONGEST_SOCKET_PATH = 103  # macOS; Linux allows four more
_LONGEST_LOG = 5_000_000

# For a small server: little memory, no helper processes that a service of this size never needs.
_OPTIONS: Mapping[str, str] = {
    "cluster_name": "ogon",
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "effective_cache_size": "512MB",
    "random_page_cost": "1.1",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "io_method": "sync",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",  # statements may carry what people wrote
}


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """One process's use of the server, until `release`."""

    host: str  # the socket's directory
    _data_dir: Path
    _cluster: Cluster
    _settings: Mapping[str, str]
    _users_lock: int

    def conninfo(self, dbname: str = DATABASE) -> str:
        """libpq's connection string."""
        return make_conninfo(host=self.host, port=_PORT, user=SUPERUSER, dbname=dbname)

    def keep_running(self) -> bool:
        """Start the server anew if no process of it lives, e.g. after the kernel killed it for its memory.

        Whether that was so. Cheap otherwise: meant to be asked every second. Replaces a dead guardian, too. Blocks
        as `use_embedded` does. Raises EmbeddedPostgresError.
        """
        with _refusals_told(self._data_dir), _starting(self._data_dir):
            _ensure_guardian(self._cluster)
            if _lives(self._cluster):
                return False
            _ensure_running(self._cluster, self._settings)
            return True

    def release(self) -> None:
        """Give the use up. When this was the last one, the server stops in the background."""
        os.close(self._users_lock)


def use_embedded(
    data_dir: Path, *, options: Mapping[str, str] | None = None, install: Path | None = None
) -> EmbeddedPostgres:
    """Start the server of `data_dir`, or join it where it runs. Blocks; about 1.2 s the first time, 0.2 s later.

    `options` are PostgreSQL settings on top of ours, for whoever happens to start the server; `install` is
    for tests. Raises EmbeddedPostgresError.
    """
    settings = {**_OPTIONS, **(options or {})}
    with _refusals_told(data_dir):
        data_dir.mkdir(parents=True, exist_ok=True)
        with _starting(data_dir):
            cluster = find_cluster(data_dir, install=install)
            users = _lock(cluster.home / "users.lock", fcntl.LOCK_SH)
            try:
                make_cluster(cluster, durable=settings.get("fsync") != "off")
                _ensure_guardian(cluster)
                host = _ensure_running(cluster, settings)
            except BaseException:
                os.close(users)
                raise
    return EmbeddedPostgres(host, data_dir, cluster, settings, users)


def wait_stopped(data_dir: Path) -> None:
    """Block until no process of the server of `data_dir` is left; for tests and for removing the directory."""
    home = known_home(data_dir)
    for name in ("users.lock", "server.lock", "guardian.lock"):
        if (home / name).exists():
            os.close(_lock(home / name, fcntl.LOCK_EX))


@contextlib.contextmanager
def _refusals_told(data_dir: Path) -> Generator[None]:
    try:
        yield
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedPostgresError(_refusal(data_dir, error)) from error


def _refusal(data_dir: Path, error: Exception) -> str:
    # EINVAL: a user namespace that knows no other user.
    if os.geteuid() == 0 and isinstance(error, OSError) and error.errno in {errno.EPERM, errno.EINVAL}:
        return (
            f"PostgreSQL does not run as root, and this process may not hand over to another user ({error}): "
            "run as a plain user, or set DATABASE_URL to a PostgreSQL server."
        )
    return (
        f"The embedded PostgreSQL cannot use {data_dir} ({error}): give DATA_DIR a directory that this user owns, "
        "or set DATABASE_URL to a PostgreSQL server."
    )


def _ensure_guardian(cluster: Cluster) -> None:
    try:
        lock = _try_lock(cluster.home / "guardian.lock")
    except BlockingIOError:
        return
    try:
        with _log(cluster) as log:
            # The script forks and its first half ends at once, so there is no child left for us to wait for.
            command = [sys.executable, "-I", "-S", guardian.__file__, str(cluster.home), str(lock)]
            subprocess.run(  # noqa: S603
                command,
                pass_fds=(lock,),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                check=True,
            )
    finally:
        os.close(lock)


def _lives(cluster: Cluster) -> bool:
    """Whether any process of the server lives. Ask it under the start lock only, or it may look alive to others."""
    try:
        os.close(_try_lock(cluster.home / "server.lock"))
    except BlockingIOError:
        return True
    return False


def _ensure_running(cluster: Cluster, options: Mapping[str, str]) -> str:
    """The socket's directory of the running server; starts it when no process of it lives."""
    started = False
    for _ in _steps():
        with contextlib.suppress(BlockingIOError):
            lock = _try_lock(cluster.home / "server.lock")
            try:
                if started:
                    raise EmbeddedPostgresError(f"PostgreSQL did not start: {_last_words(cluster)}")
                _start(cluster, options, lock)
                started = True
            finally:
                os.close(lock)
        host = _socket_in_use(cluster)
        if host is not None and _answers(host):
            return host
    raise EmbeddedPostgresError(f"PostgreSQL does not answer, see {cluster.log}: {_last_words(cluster)}")


def _start(cluster: Cluster, options: Mapping[str, str], lock: int) -> None:
    socket = _socket_directory(cluster)
    for record in (cluster.data / "postmaster.pid", socket / f".s.PGSQL.{_PORT}.lock"):
        _drop_stale_pid(record)
    settings = {**options, "unix_socket_directories": str(socket)}
    words = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
    with _log(cluster) as log:
        # PGDATA comes by the environment: pg_ctl would put -D into a shell command unquoted.
        subprocess.run(  # noqa: S603
            [cluster.program("pg_ctl"), "start", "--no-wait", "--silent", "-o", words],
            pass_fds=(lock,),
            stdout=log,
            stderr=log,
            check=True,
            **cluster.run_as(),
        )


@contextlib.contextmanager
def _log(cluster: Cluster) -> Generator[int]:
    """The log's descriptor. Ours alone to read: PostgreSQL's complaints may quote values."""
    if cluster.log.exists() and cluster.log.stat().st_size > _LONGEST_LOG:
        cluster.log.rename(cluster.log.with_suffix(".log.1"))
    descriptor = os.open(cluster.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _drop_stale_pid(record: Path) -> None:
    """Remove a server's record whose number now belongs to something else, e.g. to us in a restarted container.

    PostgreSQL itself copes with numbers that nobody has; and if a postgres has it, the word is PostgreSQL's.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = int(record.read_text().splitlines()[0])
        os.kill(pid, 0)
        if not _is_postgres(pid):
            record.unlink()


def _is_postgres(pid: int) -> bool:
    """Whether a living postgres has this number; a killed one that nobody has collected yet, a zombie, is none."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        told = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        state, name = told.get("State", "").strip(), told.get("Name", "")
    else:
        words = ["ps", "-p", str(pid), "-o", "stat=,comm="]
        listed = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
        state, _, name = listed.stdout.strip().partition(" ")
    return Path(name.strip()).name == "postgres" and not state.startswith("Z")


def _socket_directory(cluster: Cluster) -> Path:
    """A directory that only PostgreSQL's user may enter, with a path short enough for a socket."""
    inner = cluster.home / "socket"
    path = str(inner / f".s.PGSQL.{_PORT}")
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH and not set(path) & set(",\"'\\"):
        inner.mkdir(mode=0o700, exist_ok=True)
        directory = inner
    else:
        directory = _outer_socket(cluster.home / "socket.location")
    cluster.give(directory)
    return directory


def _outer_socket(record: Path) -> Path:
    """The same as before where it is still there: processes that use the server know it by that name."""
    if record.exists():
        known = Path(record.read_text().strip())
        with contextlib.suppress(OSError):
            entry = known.lstat()
            if stat.S_ISDIR(entry.st_mode) and entry.st_uid == record.parent.joinpath("cluster").stat().st_uid:
                return known
    place = tempfile.gettempdir() if len(tempfile.gettempdir()) < _LONGEST_SOCKET_PATH // 2 else "/tmp"  # noqa: S108
    directory = Path(tempfile.mkdtemp(prefix="ogon-", dir=place))
    record.write_text(f"{directory}\n")
    return directory


def _socket_in_use(cluster: Cluster) -> str | None:
    """The socket's directory out of postmaster.pid, or None while the server is not ready."""
    with contextlib.suppress(OSError, IndexError):
        lines = (cluster.data / "postmaster.pid").read_text().splitlines()
        return lines[4] if lines[7].strip() == "ready" else None
    return None


def _answers(host: str) -> bool:
    conninfo = make_conninfo(host=host, port=_PORT, user=SUPERUSER, dbname="postgres", connect_timeout=5)
    try:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")
    except psycopg.OperationalError:
        return False
    return True


def _last_words(cluster: Cluster) -> str:
    lines = cluster.log.read_text(errors="replace").splitlines() if cluster.log.exists() else []
    return " / ".join(lines[-3:]) or "its log is empty"


def _steps() -> Iterator[None]:
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        yield
        time.sleep(_STEP_SECONDS)


def _try_lock(path: Path, how: int = fcntl.LOCK_EX) -> int:
    """The descriptor of the locked file. Raises BlockingIOError when somebody holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lock(path: Path, how: int) -> int:
    for _ in _steps():
        with contextlib.suppress(BlockingIOError):
            return _try_lock(path, how)
    raise EmbeddedPostgresError(f"Another process has been starting or stopping PostgreSQL for too long ({path}).")


@contextlib.contextmanager
def _starting(data_dir: Path) -> Generator[None]:
    """Held by whoever starts the server of `data_dir`, or looks whether it runs: one at a time."""
    descriptor = _lock(data_dir / "postgres.lock", fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)
