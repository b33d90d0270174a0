"""Bare ASGI for the one hot route: read a small body within limits, send a small answer. No framework.

Used by `intake.py` only; everything else goes through FastAPI.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY = 64 * 1024
"""Bytes; a delivery of the portal has well under one thousand."""
PATIENCE = 10.0
"""Seconds for a body to come whole: whoever sends a byte now and then must not hold memory for ever."""
_FORM = b"application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and one line of text. Made once per kind: the same bytes for every 403."""

    status: int
    text: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    start: Message = field(init=False, repr=False, compare=False)
    body: Message = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        body = self.text.encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            *self.headers,
        ]
        object.__setattr__(self, "start", {"type": "http.response.start", "status": self.status, "headers": headers})
        object.__setattr__(self, "body", {"type": "http.response.body", "body": body})

    async def send(self, send: Send) -> None:
        """Write the answer. The messages are shared: servers read them and don't change them."""
        await send(self.start)
        await send(self.body)


# What is left of a refused body is not read, so the connection can't be used again.
_CLOSE = ((b"connection", b"close"),)
TOO_LARGE = Answer(413, "The body is larger than 64 KiB.\n", _CLOSE)
NOT_A_FORM = Answer(400, "The body must be application/x-www-form-urlencoded.\n", _CLOSE)
TOO_SLOW = Answer(408, "The body did not come within ten seconds.\n", _CLOSE)
WRONG_METHOD = Answer(405, "Only POST is answered here.\n", ((b"allow", b"POST"), *_CLOSE))


def refusal_by_head(scope: Scope) -> Answer | None:
    """The refusal that method and headers already call for, before a byte of the body is read."""
    if scope["method"] != "POST":
        return WRONG_METHOD
    form = False
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit():
                return NOT_A_FORM
            # The digits are counted first: int() of a very long number is slow.
            if len(value) > 9 or int(value) > MAX_BODY:
                return TOO_LARGE
        elif name == b"content-type":
            form = value[:33].lower() == _FORM and value[33:34] in {b"", b";", b" "}
    return None if form else NOT_A_FORM


async def read_body(receive: Receive, *, patience: float = PATIENCE) -> bytes | Answer | None:
    """The whole body, TOO_LARGE as soon as it is, TOO_SLOW after `patience`, None when the sender hung up."""
    try:
        async with asyncio.timeout(patience):
            return await _whole(receive)
    except TimeoutError:
        return TOO_SLOW


async def _whole(receive: Receive) -> bytes | Answer | None:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        whole: bytes = message.get("body", b"")
        return whole if len(whole) <= MAX_BODY else TOO_LARGE
    chunks: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        chunk: bytes = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY:
            return TOO_LARGE
        if not message.get("more_body", False):
            return b"".join(chunks)
        message = await receive()
    return None
