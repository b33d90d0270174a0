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
import ipaddress
import sys
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import peers
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
from benchmarks.client_table import Line, keep, table
from benchmarks.figures import Floor, Physics
from benchmarks.peers import Contender
from benchmarks.portal import PortalProcess, served

try:
    from uvloop import new_event_loop
except ImportError:  # not made for every platform
    from asyncio import new_event_loop

_CAP = 30.0
_TRIES = 3
_screen = Console()


def full() -> list[Row]:
    return [
        CardsById(5000),
        Updates(5000),
        Listed(20000),
        Arriving(1200, 600),
        HotDuringBackfill(5000),
        OperatingBound(8000),
        Processes(10000),
    ]


class _QuickOperating(OperatingBound):
    physics = Physics(command=0.4, operating=480.0).faster(40)


def quick() -> list[Row]:
    return [
        CardsById(2500),
        Updates(2600),
        Listed(5000),
        Arriving(120),
        HotDuringBackfill(2500),
        _QuickOperating(1500),
        Processes(2000),
    ]


async def measure(rows: Sequence[Row], contenders: Sequence[Contender], *, counts_only: bool) -> list[Line]:
    """All rows by all contenders, one after the other."""
    lines: list[Line] = []
    columns = (TextColumn("{task.description:<40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_screen) as progress, _certificate() as tls:
        peers.trust(tls[0])
        for row in rows:
            for contender in contenders:
                why_not = row.dash(contender)
                if why_not is not None:
                    lines.append((row.name, contender.name, why_not))
                    continue
                lines.append(await _held(row, contender, progress, tls=tls, counts_only=counts_only))
    return lines


async def _held(
    row: Row, contender: Contender, progress: Progress, *, tls: tuple[str, str], counts_only: bool
) -> Measured:
    """One contender on one row; ours is repeated before a miss is believed, as the machine may be busy."""
    tries = _TRIES if contender.ours else 1
    measured = await _once(row, contender, progress, tls=tls, counts_only=counts_only)
    for again in range(1, tries):
        if not measured.misses:
            break
        before = measured
        measured = await _once(row, contender, progress, tls=tls, counts_only=counts_only)
        measured.notes.append(f"try {again + 1}: the one before missed {', '.join(before.misses)}")
    return measured


async def _once(
    row: Row, contender: Contender, progress: Progress, *, tls: tuple[str, str], counts_only: bool
) -> Measured:
    size = row.asked(contender)
    bar = progress.add_task(f"{row.name}: {contender.name}", total=size)
    floor: Floor | None = None
    async with served(row.physics, cards=row.cards, tls=tls if contender.tls else None) as portal:
        if contender.ours:
            floor = await _floor(row, portal)
            await portal.reset()
        async with contender.open(portal.webhook_url, row.physics, None) as session:
            cap = None if contender.ours else _CAP
            trial = Trial(session, portal, size, cap, lambda number: progress.advance(bar, number))
            measured = await row.run(contender, trial)
        if floor is not None and row.timed:
            floor = _between(floor, await row.floor(portal))
    progress.stop_task(bar)
    measured.floor = floor
    if floor is not None:
        measured.misses = row.misses(measured, floor, counts_only=counts_only)
    return measured


async def _floor(row: Row, portal: PortalProcess) -> Floor:
    if row.timed:
        await row.floor(portal)
    return await row.floor(portal)


def _between(before: Floor, after: Floor) -> Floor:
    assert before.seconds is not None
    assert after.seconds is not None
    return replace(before, seconds=(before.seconds + after.seconds) / 2)


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
        key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
        yield str(cert_file), str(key_file)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench-client", description="The REST client beside its public peers.")
    parser.add_argument("--row", action="append", help="only this row; may be given again")
    parser.add_argument("--quick", action="store_true", help="our client alone, smaller counts, judged by counts")
    parser.add_argument("--alone", action="store_true", help="without the peers")
    given = parser.parse_args()
    rows = quick() if given.quick else full()
    unknown = set(given.row or []) - {row.name for row in rows}
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}; rows: {', '.join(row.name for row in rows)}")
    rows = [row for row in rows if not given.row or row.name in given.row]
    contenders = [one for one in peers.CONTENDERS if one.ours or not (given.quick or given.alone)]
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        lines = runner.run(measure(rows, contenders, counts_only=given.quick))
    _screen.print(table({row.name: f"{row.size:,} {row.title}" for row in rows}, lines))
    _screen.print(f"kept in {keep(lines, quick=given.quick).name}")
    missed = [one for one in lines if isinstance(one, Measured) and one.misses]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
