"""uvicorn's HTTP protocol with two limits it lacks: how long the head of a request may be, and how long it may take.

Used by `app/serve.py`. Without them one stranger's endless header fills the memory, and a thousand connections that
say nothing use up the file descriptors. Bodies are bounded by whoever reads them (`bare.py`).
"""

import asyncio

from uvicorn.config import HTTPProtocolType

LARGEST_HEAD = 64 * 1024
"""Bytes; a delivery has some 300. What comes in one reading of the socket is never refused, whatever its size."""
PATIENCE = 10.0
"""Seconds for a head to come whole, and for the first one to begin."""

try:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
except ImportError:  # not made for every platform; the other implementation bounds heads itself
    protocol: HTTPProtocolType | type[asyncio.Protocol] = "h11"
else:

    class ShortHeads(HttpToolsProtocol):
        """One connection: 400 and the end of it after LARGEST_HEAD, the end alone after PATIENCE."""

        patience = PATIENCE
        _in_head = True
        _head = 0
        _giving_up: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
            super().connection_made(transport)
            self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._in_head:
                self._head += len(data)
                if self._head > max(LARGEST_HEAD, len(data)):
                    self.send_400_response("The head of the request is too long.")
                    return
            super().data_received(data)
            if self._in_head and self._giving_up is None:
                self._wait()

        def on_message_begin(self) -> None:
            self._in_head = True
            super().on_message_begin()

        def on_header(self, name: bytes, value: bytes) -> None:
            # What comes after a body in chunks is of no use to anybody here, and has no limit either.
            if self._in_head:
                super().on_header(name, value)

        def on_headers_complete(self) -> None:
            self._in_head, self._head = False, 0
            self._stop_waiting()
            super().on_headers_complete()

        def _wait(self) -> None:
            self._giving_up = self.loop.call_later(self.patience, self.transport.close)

        def _stop_waiting(self) -> None:
            if self._giving_up is not None:
                self._giving_up.cancel()
                self._giving_up = None

    protocol = ShortHeads
