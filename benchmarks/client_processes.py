"""Four processes that write to one portal at once: the last row of the figures table.

`python -m benchmarks.client_processes <order>` is one of them: it takes its share of the updates, each in its own
coroutine, and prints what its callers were told as one JSON line. Our processes share their bucket in PostgreSQL.
"""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.store.bucket import SharedBucket
from app.store.database import connected, embedded_url
from app.store.migrate import migrate
from benchmarks import figures, peers
from benchmarks.client_jobs import Ended, carried_out, count
from benchmarks.client_rows import Measured, Row, Trial, update_jobs
from benchmarks.figures import Floor, Physics
from benchmarks.peers import Contender
from benchmarks.portal import PortalProcess

_LONGEST_LINE = 16_000_000
_PROGRESS = 100


class Processes(Row):
    """Each process is its own client; it starts to call when all four are ready."""

    name = "processes"
    title = "updates from four processes"
    workers = 4

    def __init__(self, size: int, peer_size: int | None = None) -> None:
        super().__init__(size, peer_size)
        self._contender: Contender | None = None

    async def floor(self, portal: PortalProcess) -> Floor:
        return figures.writing(self.physics, self.size)

    async def run(self, contender: Contender, trial: Trial) -> Measured:
        self._contender = contender
        return await super().run(contender, trial)

    async def measure(self, trial: Trial) -> Measured:
        assert self._contender is not None
        titles = {one: f"updated {one}" for one in range(1, trial.size + 1)}
        async with contextlib.AsyncExitStack() as stack:
            conninfo = await stack.enter_async_context(_database()) if self._contender.ours else None
            ids = list(titles)
            order = {"contender": self._contender.name, "url": trial.portal.webhook_url, "cap": trial.cap}
            order |= {"conninfo": conninfo, "physics": asdict(self.physics)}
            started = [await _start(order | {"ids": ids[n :: self.workers]}) for n in range(self.workers)]
            for process in started:
                await _line(process)
            began = time.monotonic()
            for process in started:
                assert process.stdin is not None
                process.stdin.write(b"go\n")
            told = await asyncio.gather(*(_followed(process, trial) for process in started))
            seconds = time.monotonic() - began
        ended = Ended(seconds=seconds)
        for one in told:
            ended.given |= dict.fromkeys(one["given"])
            ended.refused |= {int(card_id): name for card_id, name in one["refused"].items()}
        stats, stored = await trial.portal.stats(), await trial.portal.titles()
        counted = count(ended, titles, lambda one: stored.get(one) == titles[one])
        return Measured("", "", trial.size, seconds, counted, stats, errors=ended.errors())


@contextlib.asynccontextmanager
async def _database() -> AsyncGenerator[str]:
    """A migrated, embedded PostgreSQL for as long as the row runs."""
    with tempfile.TemporaryDirectory(prefix="ogon-bench-", ignore_cleanup_errors=True) as directory:
        async with embedded_url(Path(directory)) as conninfo:
            async with connected(conninfo) as database:
                await migrate(database)
            yield conninfo


async def _start(order: dict[str, Any]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.client_processes", json.dumps(order),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LONGEST_LINE,
    )  # fmt: skip


async def _line(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"a process of the row ended with {await process.wait()}")
    return json.loads(line)


async def _followed(process: asyncio.subprocess.Process, trial: Trial) -> dict[str, Any]:
    """What the process told at its end; numbers before that are its progress."""
    while isinstance(said := await _line(process), int):
        trial.tick(said)
    await process.wait()
    return said


async def _work(order: dict[str, Any]) -> None:
    contender = next(one for one in peers.CONTENDERS if one.name == order["contender"])
    physics, ids = Physics(**order["physics"]), order["ids"]
    done = 0

    def tick(number: int) -> None:
        nonlocal done
        done += number
        if done % _PROGRESS == 0:
            _say(_PROGRESS)

    async with contextlib.AsyncExitStack() as stack:
        bucket = None
        if order["conninfo"]:
            database = await stack.enter_async_context(connected(order["conninfo"]))
            bucket = SharedBucket(database, portal_id=1, requests_per_second=physics.leak, burst=physics.burst)
        session = await stack.enter_async_context(contender.open(order["url"], physics, bucket))
        _say(0)
        await asyncio.to_thread(sys.stdin.readline)
        titles = {one: f"updated {one}" for one in ids}
        ended = await carried_out(update_jobs(session, titles), cap=order["cap"], tick=tick)
        _say({"given": list(ended.given), "refused": ended.refused})
        if not contender.ours:
            os._exit(0)  # a peer's threads and tasks may go on for long


def _say(said: Any) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_work(json.loads(sys.argv[1])))
