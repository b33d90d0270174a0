"""The REST client beside its public peers, against the emulated portal with the real limits.

    make bench-client                       every row, every contender, about a quarter of an hour
    make bench-client ARGS="--row updates"  one row
    make bench-client ARGS="--quick"        our client alone on smaller counts, under a minute; what CI runs

Each contender gets a fresh portal in a process of its own. "Possible" is arithmetic from the limits, or where they do
not bind, the same requests sent bare in the same run. Ends with 1 if one of our rows misses its bar.
"""

import argparse
import asyncio
import contextlib
import functools
import gc
import ipaddress
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import peers
from benchmarks.client_jobs import median
from benchmarks.client_processes import Processes
from benchmarks.client_rows import (
    Arriving,
    CardsById,
    HotDuringBackfill,
    Listed,
    Measured,
    OperatingBound,
    Row,
    Trial,
    Updates,
)
from benchmarks.client_table import Line, keep, said, table
from benchmarks.figures import Floor, Physics
from benchmarks.machine import busy
from benchmarks.peers import Contender
from benchmarks.portal import PortalProcess, served

try:
    from uvloop import new_event_loop
except ImportError:  # not made for every platform
    from asyncio import new_event_loop

_CAP = 10.0
_BULK_CAP = 35.0
"""Seconds a peer gets for a row; lists by hand are given the time to come to their end."""
_PATIENCE = 40.0
"""And those after which its process is taken to hang, for filling the portal and looking into it."""
_TRIES = 3
_SHOWN_SECONDS = 0.3
T = TypeVar("T")
Tick = Callable[[int], None]
_screen = Console()


def full() -> list[Row]:
    return [
        CardsById(5000),
        Updates(5000),
        Listed(20000),
        Arriving(1200, 180),
        HotDuringBackfill(5000),
        OperatingBound(8000),
        Processes(10000),
    ]


class _QuickList(Listed):
    rest = 0.0


class _QuickOperating(OperatingBound):
    physics = Physics(command=0.4).faster(60)


def quick() -> list[Row]:
    return [
        CardsById(2500),
        Updates(2600),
        _QuickList(5000),
        Arriving(80),
        HotDuringBackfill(2500, reads=6),
        _QuickOperating(1300),
        Processes(2000),
    ]


async def measure(rows: Sequence[Row], contenders: Sequence[Contender], *, counts_only: bool) -> list[Line]:
    """All rows by all contenders, one after the other."""
    lines: list[Line] = []
    columns = (TextColumn("{task.description:<40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_screen, transient=True, refresh_per_second=3) as progress:
        for row in rows:
            for contender in contenders:
                bar = progress.add_task(f"{row.name}: {contender.name}", total=row.asked(contender))
                async with _seldom(functools.partial(progress.advance, bar)) as tick:
                    line = await _line(row, contender, tick, counts_only=counts_only)
                progress.remove_task(bar)
                _screen.print(said(line), highlight=False, soft_wrap=True)
                lines.append(line)
    return lines


@contextlib.asynccontextmanager
async def _seldom(show: Tick) -> AsyncGenerator[Tick]:
    """A tick that costs the measurement nothing: what was counted is shown a few times a second."""
    counted = 0

    def tick(number: int) -> None:
        nonlocal counted
        counted += number

    async def shown() -> None:
        nonlocal counted
        while True:
            await asyncio.sleep(_SHOWN_SECONDS)
            number, counted = counted, 0
            if number:
                show(number)

    task = asyncio.create_task(shown())
    try:
        yield tick
    finally:
        task.cancel()


async def _line(row: Row, contender: Contender, tick: Tick, *, counts_only: bool) -> Line:
    why_not = row.dash(contender)
    if why_not is not None:
        return row.name, contender.name, why_not
    if contender.ours:
        return await _held(row, contender, tick, counts_only=counts_only)
    return await _apart(row, contender, tick)


async def _held(row: Row, contender: Contender, tick: Tick, *, counts_only: bool) -> Measured:
    """Ours on one row, repeated before a miss is believed, as the machine may be busy."""
    before: list[str] = []
    for left in reversed(range(_TRIES)):
        began = busy()
        measured = await _once(row, contender, tick)
        assert measured.floor is not None
        measured.misses = row.misses(measured, measured.floor, counts_only=counts_only)
        if not measured.misses or not left:
            break
        before += [f"missed before: {', '.join(measured.misses)}"]
    measured.notes += before
    if (before or measured.misses) and began is not None and (now := busy()) is not None:
        measured.notes.append(now.since(began))
    return measured


async def _once(row: Row, contender: Contender, tick: Tick) -> Measured:
    """One contender on one row, with a fresh portal."""
    async with contextlib.AsyncExitStack() as stack:
        tls = stack.enter_context(_certificate()) if contender.tls else None
        portal = await stack.enter_async_context(served(row.physics, cards=row.cards, tls=tls))
        if not contender.ours:
            return await _run_once(row, contender, portal, tick)
        if row.pairs:
            return await _paired(row, contender, portal, tick)
        floor = await row.floor(portal)
        measured = await _run_once(row, contender, portal, tick)
        measured.floor = floor
        return measured


async def _run_once(row: Row, contender: Contender, portal: PortalProcess, tick: Tick) -> Measured:
    await portal.reset()
    async with contender.open(portal.webhook_url, row.physics, None) as session:
        return await row.run(contender, Trial(session, portal, row.asked(contender), _cap(contender), tick))


async def _paired(row: Row, contender: Contender, portal: PortalProcess, tick: Tick) -> Measured:
    """Bare and the client in turn, so that a busy machine slows both; a run with a loss is never averaged away."""
    await row.floor(portal)  # warms the portal up
    floors: list[Floor] = []
    runs: list[Measured] = []
    for _ in range(row.pairs):
        floors.append(await row.floor(portal))
        runs.append(await _run_once(row, contender, portal, tick))
        runs[-1].floor = floors[-1]
        if row.misses(runs[-1], floors[-1], counts_only=True):
            return runs[-1]
        await asyncio.sleep(row.rest)
    measured = runs[0]
    measured.seconds = median([one.seconds for one in runs])
    measured.floor = replace(floors[0], seconds=median([one.seconds or 0.0 for one in floors]))
    return measured


def _cap(contender: Contender) -> float | None:
    if contender.ours:
        return None
    return _BULK_CAP if contender.bulk else _CAP


async def _apart(row: Row, contender: Contender, tick: Tick) -> Line:
    """A peer in a process of its own, which is ended when it hangs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.client", "--one", row.name, contender.name,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    patience = (_cap(contender) or 0.0) + _PATIENCE
    try:
        async with asyncio.timeout(patience):
            async for line in process.stdout:
                said = json.loads(line)
                if not isinstance(said, int):
                    return Measured.read(said)
                tick(said)
    except TimeoutError:
        return row.name, contender.name, f"hangs: ended after {patience:g} s without an answer"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the session that was started above, with its portal
        await process.wait()
    return row.name, contender.name, "its process ended without an answer"


async def _one(row: Row, contender: Contender) -> None:
    """The other end of `_apart`: progress and what was measured, as JSON lines."""

    def say(told: Any) -> None:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()

    async with _seldom(say) as tick:
        measured = await _once(row, contender, tick)
    say(asdict(measured))
    os._exit(0)  # a peer's threads and tasks may go on for long


@contextlib.contextmanager
def _certificate() -> Generator[tuple[str, str]]:
    """A certificate for the loopback address and its key, as files, for a peer that insists on https."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "benchmark")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    with tempfile.TemporaryDirectory() as directory:
        cert_file, key_file = Path(directory) / "cert.pem", Path(directory) / "key.pem"
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private = serialization.PrivateFormat.PKCS8
        peers.trust(str(cert_file))
        key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
        yield str(cert_file), str(key_file)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """On the loop the service runs on; what was imported is no business of the garbage collector, as there."""
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench-client", description="The REST client beside its public peers.")
    parser.add_argument("--row", action="append", help="only this row; may be given again")
    parser.add_argument("--quick", action="store_true", help="our client alone, smaller counts, judged by counts")
    parser.add_argument("--alone", action="store_true", help="without the peers")
    parser.add_argument("--one", nargs=2, metavar=("ROW", "CONTENDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    rows = quick() if given.quick else full()
    if given.one:
        row = next(one for one in rows if one.name == given.one[0])
        _run(_one(row, next(one for one in peers.CONTENDERS if one.name == given.one[1])))
        return 0
    unknown = set(given.row or []) - {row.name for row in rows}
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}; rows: {', '.join(row.name for row in rows)}")
    rows = [row for row in rows if not given.row or row.name in given.row]
    contenders = [one for one in peers.CONTENDERS if one.ours or not (given.quick or given.alone)]
    lines = _run(measure(rows, contenders, counts_only=given.quick))
    _screen.print(table({row.name: f"{row.size:,} {row.title}" for row in rows}, lines))
    _screen.print(f"kept in {keep(lines, quick=given.quick).name}")
    missed = [one for one in lines if isinstance(one, Measured) and one.misses]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
