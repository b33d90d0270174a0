"""How many deliveries a second one web process takes, beside what PostgreSQL itself can do: `make bench-intake`.

A real server process on loopback, a real PostgreSQL (DATABASE_URL, which needs CREATEDB, or an embedded one), and
a load generator in a process of its own with 16 connections that each wait for their 200. The limit is pgbench with
the same INSERT and as many clients, or a bare psycopg loop where there is no pgbench. Both are measured in turns,
so that a noisy machine is noisy for both; the verdict is on the medians. Exit code 1 below the bars, or when an
answered delivery is not in the journal.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import re
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from rich.console import Console
from rich.table import Table

from app.store.database import sqlalchemy_url
from app.store.embedded import use_embedded

CLIENTS = 16
BAR_RATIO = 0.35
BAR_P99_MS = 15.0
MOST_REQUESTS = 200_000
FIRST_CARD = 10**9  # deliveries have ids from here on, so they can be told from pgbench's rows
TOKEN = "token-of-the-benchmark"
RESULTS = Path(__file__).parent / "results" / "intake.json"
INSERT = """INSERT INTO journal (portal_id, source, event, entity_type_id, card_id, change, lane)
VALUES (1, 'webhook', 'ONCRMLEADADD', 1, {card_id}, 'add', 0)"""


@dataclass(frozen=True, slots=True)
class Load:
    """One round of deliveries."""

    answers: int
    refused: int
    per_second: float
    p50_ms: float
    p99_ms: float


def main() -> int:
    """Measure, print, write the results down."""
    options = _options()
    loads: list[Load] = []
    limits: list[float] = []
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    with ExitStack() as stack:
        conninfo = stack.enter_context(_scratch_database())
        port = stack.enter_context(_server(conninfo))
        warm = _deliver(port, seconds=1.0, first_card=FIRST_CARD)
        sent = warm.answers
        for _ in range(options.rounds):
            loads.append(_deliver(port, seconds=options.seconds, first_card=FIRST_CARD + sent))
            sent += loads[-1].answers
            limits.append(_limit(conninfo, seconds=options.seconds))
        lost = sent - warm.refused - sum(load.refused for load in loads) - _delivered_rows(conninfo)
    result = _result(loads, limits, lost) | {"load_before": round(busy, 2)}
    _print(result)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if result["passed"] else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="turns of deliveries and of the limit")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each")
    return parser.parse_args()


@contextmanager
def _scratch_database() -> Iterator[str]:
    """A database of this run's own; its libpq connection string."""
    directory = Path(tempfile.mkdtemp(prefix="ogon-bench-"))
    server = None
    try:
        outside = os.environ.get("DATABASE_URL")
        if not outside:
            server = use_embedded(directory)
        maintenance = outside or server.conninfo("postgres")
        name = f"ogon_bench_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(maintenance, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                yield make_conninfo(maintenance, dbname=name)
            finally:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    finally:
        if server is not None:
            server.release()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _server(conninfo: str) -> Iterator[int]:
    """`ogon serve --no-worker` with one portal; its port."""
    url = sqlalchemy_url(conninfo).set(drivername="postgresql").render_as_string(hide_password=False)
    with tempfile.TemporaryDirectory() as data_dir, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        free.close()
        environment = os.environ | {
            "DATABASE_URL": url,
            "DATA_DIR": data_dir,
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "BITRIX24_WEBHOOK_URL": "https://portal.example/rest/1/code00000001/",
            "BITRIX24_APPLICATION_TOKEN": TOKEN,
        }
        command = [sys.executable, "-m", "app", "serve", "--no-worker"]
        process = subprocess.Popen(command, env=environment, cwd=Path(__file__).parent.parent)
        try:
            _await_ready(port, process)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=30)


def _await_ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.1)
    raise SystemExit("The server did not become ready within a minute.")


def _deliver(port: int, *, seconds: float, first_card: int) -> Load:
    """Deliver from a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_load, (port, seconds, first_card))


def _load(port: int, seconds: float, first_card: int) -> Load:
    """Keep every connection busy with one delivery at a time, as cheaply as Python can."""
    waiting = selectors.DefaultSelector()
    template = _request_template()
    sent_at: dict[socket.socket, float] = {}
    took: list[float] = []
    refused = 0
    card = first_card
    for _ in range(CLIENTS):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        waiting.register(connection, selectors.EVENT_READ)
        sent_at[connection] = time.perf_counter()
        connection.sendall(template % card)
        card += 1
    began = time.perf_counter()
    while sent_at:
        for key, _ in waiting.select(10):
            connection: Any = key.fileobj
            answer = connection.recv(4096)
            now = time.perf_counter()
            if not answer:
                raise SystemExit("The server closed a connection.")
            took.append(now - sent_at[connection])
            refused += not answer.startswith(b"HTTP/1.1 200")
            if now - began < seconds and len(took) + len(sent_at) <= MOST_REQUESTS:
                sent_at[connection] = now
                connection.sendall(template % card)
                card += 1
            else:
                del sent_at[connection]
                waiting.unregister(connection)
                connection.close()
    return _summary(took, refused, time.perf_counter() - began)


def _summary(took: list[float], refused: int, seconds: float) -> Load:
    took.sort()
    return Load(
        answers=len(took),
        refused=refused,
        per_second=len(took) / seconds,
        p50_ms=took[len(took) // 2] * 1000,
        p99_ms=took[len(took) * 99 // 100] * 1000,
    )


def _request_template() -> bytes:
    """A delivery as a portal sends it, `%d` for the card's id."""
    pairs = {
        "event": "ONCRMLEADADD",
        "event_handler_id": "41",
        "data[FIELDS][ID]": "CARD",
        "ts": "1787300000",
        "auth[domain]": "portal.example",
        "auth[client_endpoint]": "https://portal.example/rest/",
        "auth[server_endpoint]": "https://oauth.example/rest/",
        "auth[member_id]": "0123456789abcdef0123456789abcdef",
        "auth[application_token]": TOKEN,
    }
    body = urlencode(pairs)
    length = len(body) - len("CARD") + len(str(FIRST_CARD))
    head = (
        "POST /webhooks/bitrix24 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n"
    )
    return (head + body).replace("%", "%%").replace("CARD", "%d").encode()


def _limit(conninfo: str, *, seconds: float) -> float:
    """The same INSERT, one row a commit, by 16 clients: rows a second."""
    if shutil.which("pgbench") is None:
        return asyncio.run(_bare_loop(conninfo, seconds))
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write("\\set card random(1, 1000000)\n" + " ".join(INSERT.format(card_id=":card").split()) + ";\n")
        script.flush()
        threads = str(min(os.cpu_count() or 1, CLIENTS))
        command = ["pgbench", "-n", "-c", str(CLIENTS), "-j", threads, "-T", str(max(1, round(seconds))), "-f"]
        done = subprocess.run([*command, script.name, conninfo], capture_output=True, text=True, check=True)
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    if found is None:
        raise SystemExit(f"pgbench said nothing of its rate:\n{done.stdout}{done.stderr}")
    return float(found[1])


async def _bare_loop(conninfo: str, seconds: float) -> float:
    """Without pgbench: psycopg alone, 16 connections in autocommit."""
    done = 0

    async def client(until: float) -> None:
        nonlocal done
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
            while time.perf_counter() < until:
                await connection.execute(INSERT.format(card_id="%s"), (done,))
                done += 1

    began = time.perf_counter()
    await asyncio.gather(*(client(began + seconds) for _ in range(CLIENTS)))
    return done / (time.perf_counter() - began)


def _delivered_rows(conninfo: str) -> int:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("SELECT count(*) FROM journal WHERE card_id >= %s", (FIRST_CARD,)).fetchone()
    return row[0] if row else 0


def _result(loads: list[Load], limits: list[float], lost: int) -> dict[str, Any]:
    ratio = median(load.per_second / limit for load, limit in zip(loads, limits, strict=True))
    p99 = median(load.p99_ms for load in loads)
    refused = sum(load.refused for load in loads)
    return {
        "per_second": round(median(load.per_second for load in loads)),
        "p50_ms": round(median(load.p50_ms for load in loads), 2),
        "p99_ms": round(p99, 2),
        "limit": "pgbench" if shutil.which("pgbench") else "bare psycopg loop (no pgbench here)",
        "limit_per_second": round(median(limits)),
        "ratio": round(ratio, 3),
        "refused": refused,
        "lost": lost,
        "passed": ratio >= BAR_RATIO and p99 < BAR_P99_MS and refused == 0 and lost == 0,
        "rounds": [asdict(load) | {"limit": limit} for load, limit in zip(loads, limits, strict=True)],
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }


def _print(result: dict[str, Any]) -> None:
    table = Table(title=f"Intake: one web process, {CLIENTS} connections (medians of {len(result['rounds'])} rounds)")
    for heading in ("", "a second", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="left" if not heading else "right")
    p50, p99 = f"{result['p50_ms']:.1f}", f"{result['p99_ms']:.1f}"
    table.add_row("deliveries answered 200 after their commit", f"{result['per_second']:,}", p50, p99)
    table.add_row(f"the limit: {result['limit']}, the same INSERT", f"{result['limit_per_second']:,}", "", "")
    console = Console()
    console.print(table)
    console.print(
        f"ratio {result['ratio']:.2f} (bar {BAR_RATIO}), p99 {p99} ms (bar {BAR_P99_MS:.0f}), "
        f"refused {result['refused']}, lost {result['lost']}: {'passed' if result['passed'] else 'NOT passed'}"
    )
    if result["load_before"] > (result["cores"] or 1) / 2:
        console.print(
            f"The machine was busy before ({result['load_before']} processes on {result['cores']} cores): "
            "waiting times say little, the ratio somewhat more. Measure again on a quiet machine."
        )


if __name__ == "__main__":
    sys.exit(main())
