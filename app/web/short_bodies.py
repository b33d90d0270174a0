"""A limit on the bodies that the framework reads: it reads them whole, before it asks who sent them.

Pure ASGI; installed by `app/main.py`. Deliveries of the portal have a limit of their own (`bare.py`).
"""

from starlette.exceptions import HTTPException

from app.web.bare import App, Message, Receive, Scope, Send

LARGEST_BODY = 1 << 20
"""Bytes; the largest is a document of rules, with some hundred thousand at most."""


class ShortBodies:
    """Lets the reading of a longer body fail with 413; what it was read by answers so."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0

        async def within_limits() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST_BODY:
                # The rest is not read, so the connection can't be used again.
                raise HTTPException(413, headers={"Connection": "close"})
            return message

        await self._app(scope, within_limits if scope["type"] == "http" else receive, send)
