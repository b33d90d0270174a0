"""The service as several processes on one database, to be killed and started again: `ogon serve`, `ogon worker`."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from app.sandbox.events import Subscription
from app.settings import Settings

_REPOSITORY = Path(__file__).parents[2]
OGON_WORKER = ("-m", "app", "worker")
_OGON_WEB = ("-m", "app", "serve", "--no-worker")
_START_SECONDS = 120.0
_STOP_SECONDS = 60.0


class Silent(Exception):  # noqa: N818 - reads as the state it is
    """A process ended by itself, or did not become ready, or did not stop when told."""


@dataclass
class Place:
    """One place for a process, taken by another as soon as the last one is dead. `port` only for the web."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    log: Path
    port: int | None = None
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def start(self) -> None:
        with self.log.open("ab") as written:
            self.process = subprocess.Popen(
                [sys.executable, *self.command],
                env=self.environment,
                # Where no developer's .env lies.
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
            )

    def kill(self) -> None:
        """As if the machine had lost power: nothing is finished or handed back."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def stop(self) -> None:
        """As an operator would. Raises Silent when it goes on all the same."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(self.process.wait, _STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Silent(f"{self.name} did not stop within {_STOP_SECONDS:.0f} s: see {self.log}") from None

    async def ready(self) -> None:
        """Until the web answers. Raises Silent when it never does."""
        if self.port is None:
            return
        deadline = time.monotonic() + _START_SECONDS
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", trust_env=False) as http:
            while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.get("/readyz")).is_success:
                        return
                await asyncio.sleep(0.1)
        raise Silent(f"{self.name} did not become ready: see {self.log}")


class Fleet:
    """All places; a context that leaves no process behind."""

    def __init__(self, settings: Settings, *, webs: int, workers: int, worker: tuple[str, ...] = OGON_WORKER) -> None:
        """`worker`: arguments for Python that make a worker."""
        told = _environment(settings)
        logs = settings.data_dir
        self.webs: list[Place] = []
        for number in range(webs):
            port = _free_port()
            name = f"web-{number + 1}"
            self.webs.append(Place(name, _OGON_WEB, {**told, "PORT": str(port)}, logs / f"{name}.log", port))
        names = [f"worker-{number + 1}" for number in range(workers)]
        self.workers = [Place(name, worker, told, logs / f"{name}.log") for name in names]

    @property
    def places(self) -> list[Place]:
        return [*self.webs, *self.workers]

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        for place in self.places:
            place.kill()

    async def start(self) -> None:
        for place in self.places:
            place.start()
        await asyncio.gather(*(place.ready() for place in self.places))

    async def renew_workers(self) -> None:
        """Stop them politely, all at once, and put others in their places."""
        await asyncio.gather(*(place.stop() for place in self.workers))
        for place in self.workers:
            place.start()
        await asyncio.gather(*(place.ready() for place in self.webs))

    def balancer(self) -> Subscription:
        """An outgoing webhook whose address is that of the next web each time, dead or alive."""
        return _Balancer([f"http://127.0.0.1:{place.port}/webhooks/bitrix24" for place in self.webs])


class _Balancer(Subscription):
    """A subscription as the portal knows it, except for its address."""

    def __init__(self, addresses: list[str]) -> None:
        super().__init__(addresses[0])
        self._turns: Iterator[str] = itertools.cycle(addresses)

    def wants(self, code: str) -> bool:
        self.url = next(self._turns)
        return super().wants(code)


def _environment(settings: Settings) -> dict[str, str]:
    """The settings as a process reads them, and nothing else that could be a setting."""
    told = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    told["PYTHONPATH"] = str(_REPOSITORY)
    for name, value in settings.model_dump(exclude_none=True).items():
        items = value if isinstance(value, tuple) else (value,)
        plain = [item.get_secret_value() if hasattr(item, "get_secret_value") else str(item) for item in items]
        told[name.upper()] = ",".join(plain)
    return told


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
