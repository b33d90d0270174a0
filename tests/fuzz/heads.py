"""Whole requests around the bodies: honest heads mostly, and heads that lie about length, type, framing and address.

Used by `barrage.py`. A request that breaks the framing or is cut short ends its connection; all others expect exactly
one answer each.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.fuzz.bodies import FORM, TOKEN, TYPES, YOUNG_TOKEN, Sender

PATH = "/webhooks/bitrix24"
_PROVEN_SHARE = 0.55


@dataclass(frozen=True, slots=True)
class Case:
    """What is sent over one connection at one go. `answers`: how many are due; 0 when it `ends` the connection.

    `knows`: the sender has a right token, so that something of it may be stored.
    """

    kind: str
    wire: bytes
    knows: bool
    answers: int = 1
    ends: bool = False


def cases(seed: int, count: int, *, robot_secret: str) -> Iterator[Case]:
    """So many cases; the same for the same seed and secret."""
    dice = random.Random(seed)
    senders = {knows: Sender(dice, knows=knows) for knows in (True, False)}
    for _ in range(count):
        sender = senders[dice.random() < _PROVEN_SHARE]
        head = dice.choices(_HEADS, _WEIGHTS)[0]
        kind, body = sender.body()
        path = _robot_path(sender, robot_secret) if kind == "robot calls" else PATH
        yield HEADS[head](_Draft(sender, kind, body, path))


@dataclass(frozen=True, slots=True)
class _Draft:
    sender: Sender
    kind: str
    body: bytes
    path: str

    def case(self, wire: bytes, kind: str = "", *, answers: int = 1, ends: bool = False) -> Case:
        return Case(kind or self.kind, wire, self.sender.knows, 0 if ends else answers, ends)

    def head(self, *more: str, method: str = "POST", path: str = "", content_type: str = FORM) -> bytes:
        lines = [f"{method} {path or self.path} HTTP/1.1", "Host: ogon", f"Content-Type: {content_type}", *more]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")

    @property
    def length(self) -> str:
        return f"Content-Length: {len(self.body)}"


def _robot_path(sender: Sender, secret: str) -> str:
    if not sender.knows:
        return sender.dice.choice([PATH, f"{PATH}/robot/guess", f"{PATH}/robot/", f"{PATH}?secret=guess&secret[a]=1"])
    return sender.dice.choice([f"{PATH}/robot/{secret}", f"{PATH}?secret={secret}", PATH])


def _honest(draft: _Draft) -> Case:
    return draft.case(draft.head(draft.length) + draft.body)


def _chunked(draft: _Draft) -> Case:
    dice, body = draft.sender.dice, draft.body
    pieces = bytearray()
    while body:
        size = dice.choice([1, 7, 100, 5000, 70_000]) if len(body) < 3000 else 9000
        piece, body = body[:size], body[size:]
        pieces += b"%x\r\n%s\r\n" % (len(piece), piece)
    return draft.case(draft.head("Transfer-Encoding: chunked") + bytes(pieces) + b"0\r\n\r\n", "in chunks")


def _wrong_type(draft: _Draft) -> Case:
    return draft.case(draft.head(draft.length, content_type=draft.sender.dice.choice(TYPES)) + draft.body, "wrong type")


def _encoding_lies(draft: _Draft) -> Case:
    coding = draft.sender.dice.choice(["gzip", "br", "deflate, gzip", "identity", "zstd"])
    return draft.case(draft.head(f"Content-Encoding: {coding}", draft.length) + draft.body, "encoding lies")


def _length_lies(draft: _Draft) -> Case:
    size = len(draft.body)
    short = max(size - 5, 0)
    if draft.body[:short].endswith((TOKEN.encode(), YOUNG_TOKEN.encode())):
        # A wrong token that was cut to the right one is no forgery any more.
        short -= 1
    lies = [
        (f"Content-Length: {size + 100}",), (f"Content-Length: {short}",), ("Content-Length: -1",),
        ("Content-Length: 1e3",), (f"Content-Length: {'9' * 40}",), (f"Content-Length: {size}, {size}",),
        (draft.length, f"Content-Length: {size + 1}"), (draft.length, "Transfer-Encoding: chunked"), (),
        ("Transfer-Encoding: identity",), ("Transfer-Encoding: gzip, chunked",), ("Content-Length: 65537",),
    ]  # fmt: skip
    return draft.case(draft.head(*draft.sender.dice.choice(lies)) + draft.body, "length lies", ends=True)


def _cut(draft: _Draft) -> Case:
    whole = draft.head(draft.length) + draft.body
    return draft.case(whole[: draft.sender.dice.randrange(len(whole))], "cut short", ends=True)


def _odd_chunks(draft: _Draft) -> Case:
    sizes = [
        b"zz\r\n",
        b"-1\r\n",
        b"ffffffffffffffffff\r\n",
        b"5\r\nab",
        b"5;x=" + b"y" * 9000 + b"\r\nhello\r\n0\r\n\r\n",
        b"\r\n",
    ]
    wire = draft.head("Transfer-Encoding: chunked") + draft.sender.dice.choice(sizes) + draft.body
    return draft.case(wire, "odd chunks", ends=True)


def _other_address(draft: _Draft) -> Case:
    paths = [
        f"{PATH}/", f"{PATH}s", f"{PATH}/%2e%2e/", f"{PATH}/robot/%00", f"{PATH}/robot/%ff%fe",
        f"{PATH}/robot/" + "a" * 5000, f"{PATH}?" + "a[b]=c&" * 500, f"{PATH}?%ff", f"{PATH}?x=%zz&%00",
        f"{PATH}/robot/%f0%9f%94%a5", f"{PATH}//", f"{PATH};a=b",
    ]  # fmt: skip
    wire = draft.head(draft.length, path=draft.sender.dice.choice(paths)) + draft.body
    return draft.case(wire, "other address")


def _odd_head(draft: _Draft) -> Case:
    """Heads that no HTTP client writes; the server may answer or hang up."""
    dice, body = draft.sender.dice, draft.body
    method = dice.choice(["GET", "PUT", "TRACE", "OPTIONS", "post", "CONNECT", "P" * 5000, "PO ST", "", "PRI"])
    heads = [
        draft.head(draft.length, method=method),
        draft.head(
            draft.length, path=dice.choice(["*", "http://x", f"http://x{PATH}", "x:1", "/\xff", "", "/a b", "//"])
        ),
        draft.head(draft.length, "Expect: 100-continue"),
        draft.head(draft.length, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"),
        draft.head(draft.length, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: x"),
        draft.head(draft.length, "X: " + "y" * dice.choice([9000, 100_000])),
        draft.head(draft.length, *(f"X-{n}: {n}" for n in range(2000))),
        draft.head(draft.length, "X: a\r\n folded", "Y : b", "\x00: c"),
        draft.head(draft.length, "Content-Type: application/json", "Host: other", "X-Forwarded-For: " + "1," * 999),
        b"POST " + PATH.encode() + b"\r\n\r\n",
        b"POST " + PATH.encode() + b" HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + dice.randbytes(500),
        dice.randbytes(300),
        b"\r\n" * 2000,
    ]
    return draft.case(dice.choice(heads) + body, "odd head", ends=True)


def _at_once(draft: _Draft) -> Case:
    """Several requests in one packet, not waiting for answers."""
    count = draft.sender.dice.choice([2, 5, 20])
    if len(draft.body) > 4000:
        return _honest(draft)
    bodies = [draft.body, *(draft.sender.body()[1][:4000] for _ in range(count - 1))]
    wires = [draft.head(f"Content-Length: {len(body)}", path=PATH) + body for body in bodies]
    return draft.case(b"".join(wires), "many at once", answers=count)


HEADS: Mapping[str, Callable[[_Draft], Case]] = {
    "honest": _honest,
    "chunked": _chunked,
    "wrong type": _wrong_type,
    "encoding lies": _encoding_lies,
    "length lies": _length_lies,
    "cut": _cut,
    "odd chunks": _odd_chunks,
    "other address": _other_address,
    "odd head": _odd_head,
    "at once": _at_once,
}
_HEADS = list(HEADS)
_WEIGHTS = [78, 4, 2, 2, 3, 3, 1, 3, 3, 1]
