"""The portal over real HTTP: a uvicorn server on loopback, in a thread of its own or blocking.

Used by tests (`running`, `serve_in_thread`) and by `ogon sandbox` (`run`). Waits the simulated run time of
the methods, and breaks the wire where a fault says so.
"""

import asyncio
import json
import socket
import threading
import time
from asyncio import sleep
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.sandbox.portal import SandboxPortal
from app.sandbox.rest import Answer, Steps
from app.sandbox.view import portal_page
from app.sandbox.wire import Params, parse_query

_START_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A served portal. `webhook_url` holds the secret: do not print it outside a demo."""

    url: str
    webhook_url: str
    portal: SandboxPortal


class BrokenAnswer(Response):
    """Promises a body and then closes the connection: after nothing, or after half of it."""

    def __init__(self, answer: Answer, *, half: bool) -> None:
        super().__init__(_encode(answer), answer.status, media_type="application/json")
        self._sent = self.body[: len(self.body) // 2] if half else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self._sent), "more_body": True})


def application(portal: SandboxPortal) -> Starlette:
    """The ASGI application: REST under `/rest/`, a page for people at `/`."""

    async def rest(request: Request) -> Response:
        path = request.path_params
        try:
            params = await _params(request)
        except ValueError:
            body = {"error": "INVALID_REQUEST", "error_description": "Request body is not valid JSON"}
            return _json(Answer(400, body))
        steps = portal.rest.request(path["method"], params, user=path.get("user", ""), secret=path.get("secret", ""))
        answer = await _walk(steps, real_time=portal.limits.real_time)
        return await _response(answer)

    async def page(request: Request) -> Response:
        del request
        return HTMLResponse(await asyncio.to_thread(portal_page, portal))

    methods = ["GET", "POST"]
    return Starlette(
        routes=[
            Route("/", page),
            Route("/rest/{user}/{secret}/{method}", rest, methods=methods),
            Route("/rest/{user}/{secret}/{method}/", rest, methods=methods),
            Route("/rest/{method}", rest, methods=methods),
        ]
    )


@asynccontextmanager
async def running(
    portal: SandboxPortal, port: int = 0, *, tls: tuple[str, str] | None = None
) -> AsyncGenerator[RunningSandbox]:
    """Serve a portal while the block runs. `tls`: certificate and key files, for clients that insist."""
    serving = serve_in_thread(portal, port, tls=tls)
    served = await asyncio.to_thread(serving.__enter__)
    try:
        yield served
    finally:
        await asyncio.to_thread(serving.__exit__, None, None, None)


@contextmanager
def serve_in_thread(
    portal: SandboxPortal, port: int = 0, *, host: str = "127.0.0.1", tls: tuple[str, str] | None = None
) -> Generator[RunningSandbox]:
    """Serve a portal from a thread with its own event loop; port 0 picks a free one."""
    listening = socket.create_server((host, port))
    server = uvicorn.Server(_config(portal, tls))
    thread = threading.Thread(target=server.run, args=([listening],), name="sandbox-portal", daemon=True)
    thread.start()
    try:
        _await_start(server, thread)
        scheme = "https" if tls else "http"
        url = f"{scheme}://{host}:{listening.getsockname()[1]}"
        yield RunningSandbox(url, webhook_url(portal, url), portal)
    finally:
        server.should_exit = True
        thread.join(_START_SECONDS)
        listening.close()
        portal.close()


def run(portal: SandboxPortal, host: str = "127.0.0.1", port: int = 8010) -> None:
    """Serve until interrupted; for `ogon sandbox`."""
    config = _config(portal, None)
    config.host, config.port = host, port
    uvicorn.Server(config).run()


def webhook_url(portal: SandboxPortal, url: str) -> str:
    return f"{url}/rest/{portal.world.owner_id}/{portal.webhook_secret}/"


def _config(portal: SandboxPortal, tls: tuple[str, str] | None) -> uvicorn.Config:
    cert, key = tls or (None, None)
    return uvicorn.Config(
        application(portal),
        access_log=False,
        log_level="error",
        lifespan="off",
        ssl_certfile=cert,
        ssl_keyfile=key,
        timeout_graceful_shutdown=1,
    )


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the sandbox did not start")
        time.sleep(0.005)


async def _params(request: Request) -> Params:
    """Query and body together; a body may be JSON or a form. Raises ValueError on broken JSON."""
    params = parse_query(request.url.query)
    raw = await request.body()
    if not raw:
        return params
    if "json" in request.headers.get("content-type", ""):
        sent = json.loads(raw)
        return {**params, **cast("Params", sent)} if isinstance(sent, dict) else params
    return {**params, **parse_query(raw.decode("utf-8", "replace"))}


async def _walk(steps: Steps, *, real_time: bool) -> Answer:
    while True:
        try:
            seconds = next(steps)
        except StopIteration as stop:
            return cast("Answer", stop.value)
        if real_time and seconds > 0:
            await sleep(seconds)


async def _response(answer: Answer) -> Response:
    fault = answer.fault
    if fault is None:
        return HTMLResponse(answer.body, answer.status) if isinstance(answer.body, str) else _json(answer)
    if fault.kind == "hang":
        await sleep(fault.seconds)
        return _json(answer)
    return BrokenAnswer(answer, half=fault.kind == "truncated")


def _json(answer: Answer) -> Response:
    return Response(_encode(answer), answer.status, media_type="application/json")


def _encode(answer: Answer) -> bytes:
    body: Any = answer.body
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
