"""The emulated portal in a process of its own, so that it shares no interpreter with the client being measured.

`served` starts `python -m benchmarks.portal`, fills it with leads and gives a handle; the two talk in JSON lines over
stdin and stdout. Used by `benchmarks.client`. The limits are those of the sandbox; only the window of the operating
limit, which the sandbox has no setting for, is shrunk here by handing its ledger a faster clock.
"""

import asyncio
import contextlib
import gc
import json
import sys
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from typing import Any

from app.sandbox.limits import Limits, OperatingLedger
from app.sandbox.portal import SandboxPortal
from app.sandbox.schema import LEAD
from app.sandbox.server import serve_in_thread
from benchmarks.figures import Physics

_LONGEST_LINE = 64_000_000


@dataclass(frozen=True, slots=True)
class PortalProcess:
    """A served portal. `webhook_url` holds the secret of a portal that lives as long as the row."""

    webhook_url: str
    process: asyncio.subprocess.Process

    async def reset(self) -> None:
        """Count from nought."""
        await self._ask("reset")

    async def stats(self) -> dict[str, Any]:
        """`requests`, `refused_503`, `refused_429` and the rest of the sandbox's counts."""
        return await self._ask("stats")

    async def titles(self) -> dict[int, str]:
        """The title of every lead as the portal holds it."""
        return {int(one): title for one, title in (await self._ask("titles")).items()}

    async def _ask(self, word: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())
        return await _line(self.process)


@contextlib.asynccontextmanager
async def served(physics: Physics, *, cards: int, tls: tuple[str, str] | None = None) -> AsyncGenerator[PortalProcess]:
    """A fresh portal with so many leads, ids from 1, its bucket empty."""
    order = json.dumps({"physics": asdict(physics), "cards": cards, "tls": tls})
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.portal", order,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LONGEST_LINE,
    )  # fmt: skip
    try:
        yield PortalProcess(await _line(process), process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _line(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"the portal's process ended with {await process.wait()}")
    return json.loads(line)


class _QuickLedger(OperatingLedger):
    """The sandbox's ledger in a world that runs faster: stamps go in multiplied, reset times come out divided."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._inner = OperatingLedger()
        self._speed = speed

    def spent(self, method: str, stamp: float) -> float:
        return self._inner.spent(method, stamp * self._speed)

    def book(self, method: str, seconds: float, stamp: float) -> float:
        return self._inner.book(method, seconds, stamp * self._speed)

    def reset_at(self, method: str, stamp: float) -> int:
        return int(self._inner.reset_at(method, stamp * self._speed) / self._speed)

    def totals(self, stamp: float) -> dict[str, float]:
        return self._inner.totals(stamp * self._speed)


def _serve(order: dict[str, Any]) -> None:
    physics = Physics(**order["physics"])
    limits = Limits(
        requests_per_second=physics.leak,
        burst=physics.burst,
        operating_seconds=physics.operating,
        request_seconds=physics.longest,
        cost=physics.command,
    )
    portal = SandboxPortal(limits=limits)
    if physics.speed != 1:
        portal.rest.ledger = _QuickLedger(physics.speed)
    for number in range(1, order["cards"] + 1):
        portal.ui_add(LEAD, {"title": f"Lead {number}", "companyTitle": f"Company {number}", "comments": "x" * 80})
    gc.collect()
    gc.freeze()  # the cards stay; collecting them again and again would be the portal's pauses, not the client's
    with serve_in_thread(portal, tls=tuple(order["tls"]) if order["tls"] else None) as running:
        _say(running.webhook_url)
        for line in sys.stdin:
            _say(_answer(portal, line.strip()))


def _answer(portal: SandboxPortal, word: str) -> Any:
    match word:
        case "reset":
            portal.reset_stats()
            return None
        case "stats":
            return asdict(portal.stats)
        case "titles":
            with portal.rest.lock:
                return {one: row["title"] for one, row in portal.world.stores[LEAD].rows.items()}
        case _:
            raise ValueError(word)


def _say(said: Any) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
