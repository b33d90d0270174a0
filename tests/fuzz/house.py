"""A real `ogon serve --no-worker` to be fired at: its portals, its process, how much memory it has."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from pydantic import SecretStr

from app.settings import load_settings
from app.store import portals
from app.store.database import connected
from app.store.migrate import migrate
from app.store.secret_box import secret_box
from app.web.admission import robot_secret
from tests.fuzz.bodies import DOMAIN, MEMBER, TOKEN, YOUNG_DOMAIN, YOUNG_TOKEN

SECRET_KEY = "a secret key of the fuzzer, nothing else"
WEBHOOK_CODE = "fuzz0webhook0code"
_REPOSITORY = Path(__file__).parents[2]
_START_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Target:
    """The server under fire. `young_id` is a portal that knows no member_id yet."""

    port: int
    pid: int
    log: Path
    portal_id: int
    young_id: int
    robot_secret: str

    def memory(self) -> int:
        """Resident memory in KiB."""
        status = Path(f"/proc/{self.pid}/status")
        if status.exists():
            return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS"))
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(self.pid)], capture_output=True, text=True, check=True)
        return int(told.stdout)

    def get(self, path: str) -> int:
        """The status of a plain request."""
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.status


async def two_portals(conninfo: str, directory: Path) -> tuple[int, int]:
    """Migrate, and add a portal that we know and one that never sent anything; their numbers."""
    box = secret_box(load_settings(_env_file=None, data_dir=directory, secret_key=SecretStr(SECRET_KEY)))
    async with connected(conninfo) as database:
        await migrate(database)
        async with database.writing() as session:
            known = await portals.add(
                session, box, webhook=_webhook(DOMAIN), application_tokens=[SecretStr(TOKEN)], member_id=MEMBER
            )
            young = await portals.add(
                session, box, webhook=_webhook(YOUNG_DOMAIN), application_tokens=[SecretStr(YOUNG_TOKEN)]
            )
    return known.id, young.id


def _webhook(domain: str) -> SecretStr:
    return SecretStr(f"https://{domain}/rest/1/{WEBHOOK_CODE}/")


@contextlib.contextmanager
def target(database_url: str, portal_ids: tuple[int, int], directory: Path) -> Iterator[Target]:
    """The server, ready, on a free port of the loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    settings = {"DATABASE_URL": database_url, "DATA_DIR": str(directory), "SECRET_KEY": SECRET_KEY}
    environment = os.environ | settings | {"HOST": "127.0.0.1", "PORT": str(port), "PYTHONPATH": str(_REPOSITORY)}
    log = directory / "server.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "serve", "--no-worker"],
            env=environment,
            # Where no developer's .env lies.
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
        )
    try:
        _await_ready(port, process)
        secret = robot_secret(SECRET_KEY, portal_ids[0])
        yield Target(port, process.pid, log, *portal_ids, robot_secret=secret)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _await_ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.1)
    raise SystemExit("The server did not become ready within three minutes.")
