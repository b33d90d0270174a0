"""Hostile bodies by the hundred thousand: real deliveries broken in every way we could think of, from one seed.

Two kinds of sender write them. One knows a portal's token and names cards below FORGED; whatever it sends may end in
the journal, if it is a delivery. The other knows no token and names cards from FORGED on: of those, nothing may.
"""

import gzip
import json
import random
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

MEMBER, DOMAIN, TOKEN = "0123456789abcdef0123456789abcdef", "portal.example", "fuzz0token1of2the3portal4abcdefg"
YOUNG_DOMAIN, YOUNG_TOKEN = "young.example", "fuzz0token1of2the3young4portal5x"
ACCESS, REFRESH = "fuzz0access1token2of3a4user5abcd", "fuzz0refresh1token2of3a4user5abc"
FORGED = 700_000_000_000_000
EDGE = 64 * 1024

Pairs = list[tuple[str, str]]

_EVENTS = [
    *(
        f"ONCRM{kind}{change}"
        for kind in ("LEAD", "DEAL", "CONTACT", "COMPANY")
        for change in ("ADD", "UPDATE", "DELETE")
    ),
    "ONCRMDEALMOVETOCATEGORY",
    "ONCRMDYNAMICITEMUPDATE",
    "ONCRMDYNAMICITEMADD_147",
    "onCrmActivityAdd",
    "ONCRMTIMELINECOMMENTADD",
    "ONVOXIMPLANTCALLEND",
    "ONCRMLEADUSERFIELDSETENUMVALUES",
    "ONAPPINSTALL",
    "ONTASKUPDATE",
    "ONOFFLINEEVENT",
]
# Without what holds an access token, which nobody would know again once its key is broken or another's.
_PLAIN = [name for name in _EVENTS if name != "ONAPPINSTALL"]
_PERCENT = [
    "%",
    "%z",
    "%zz",
    "%0",
    "%00",
    "%ff",
    "%c3",
    "%c3%28",
    "%ed%a0%80",
    "%f4%90%80%80",
    "%u0041",
    "%2500",
    "%25",
]
_TEXTS = [
    "'; DROP TABLE journal; --", "1 OR 1=1", "<script>alert(1)</script>", "{{7*7}}", "${jndi:ldap://x}", "%s%s%n",
    "{0.__class__}", "../../etc/passwd", "a\r\nSet-Cookie: x=1", "\x1b[31m", "\u202eabc", "\ufeff", "\uffff", "🔥" * 20,
    "NULL", "NaN", "-0", "1e309", "{", "}", '{"a":', "\\", '"', "\\u0000", "{NULL,NULL}", 'x","y', "()", "\t",
]  # fmt: skip
_NUMBERS = [
    "0", "-1", "-9223372036854775809", "2147483647", "2147483648", "9223372036854775807", "9223372036854775808",
    "999999999999999", "1000000000000000", "1000000000000001", "1.0", "1e3", "0x10", "+5", " 5 ", "٣", "５", "1_000",
    "", "NaN", "9" * 400, "9" * 16, "9" * 17, "00000000000000005", "true", "null", "[]",
]  # fmt: skip
TYPES = [
    "application/json", "text/plain", "text/xml", "multipart/form-data; boundary=x",
    "application/x-www-form-urlencodedx", "application/x-www-form-urlencoded, text/plain",
    "", "a" * 3000, "application/octet-stream", "*/*",
]  # fmt: skip
FORM = "application/x-www-form-urlencoded"


class Sender:
    """Writes bodies; `knows` whether it has a right token. Same seed, same bodies."""

    def __init__(self, dice: random.Random, *, knows: bool) -> None:
        self.dice = dice
        self.knows = knows
        self._made = 0

    def card(self) -> int:
        """A card's id that no other body names."""
        self._made += 1
        return self._made if self.knows else FORGED + self._made

    def body(self) -> tuple[str, bytes]:
        """What kind of body it is, and the body."""
        kind = self.dice.choices(_KINDS, _WEIGHTS)[0]
        return kind, KINDS[kind](self)

    def pairs(self, event: str | None = None) -> Pairs:
        """A delivery as a portal sends it."""
        name = event or self.dice.choice(_EVENTS)
        told: Pairs = [("event", name), ("event_handler_id", "41"), ("data[FIELDS][ID]", str(self.card()))]
        if "DYNAMIC" in name:
            told.append(("data[FIELDS][ENTITY_TYPE_ID]", self.dice.choice(["31", "147", "2147483647"])))
        if "MOVE" in name:
            told += [("data[FIELDS][CATEGORY_ID]", "3"), ("data[FIELDS][STAGE_ID]", "C3:NEW")]
        if "VOX" in name:
            told += [("data[CALL_ID]", "A1B2.1787300000.77"), ("data[CALL_TYPE]", "2")]
        return [*told, ("ts", "1787300000"), *self.auth(install="INSTALL" in name)]

    def auth(self, *, install: bool = False) -> Pairs:
        member, domain, token = self.dice.choice(_RIGHT if self.knows else [self._wrong()])
        told = {"domain": domain, "member_id": member, "client_endpoint": f"https://{DOMAIN}/rest/"}
        if install:
            told |= {"access_token": ACCESS, "refresh_token": REFRESH, "expires_in": "3600"}
        told |= {"application_token": token}
        return [(f"auth[{name}]", value) for name, value in told.items() if value is not None]

    def _wrong(self) -> tuple[str | None, str | None, str | None]:
        close = [TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), TOKEN[::-1], "", None, "токен", f"{TOKEN}\0", "guess" * 2000]
        return (
            self.dice.choice([MEMBER, MEMBER, "f" * 32, None, ""]),
            self.dice.choice([DOMAIN, YOUNG_DOMAIN, "other.example", None, ""]),
            self.dice.choice(close),
        )

    def robot(self) -> Pairs:
        document = self.dice.choice(
            ["LEAD_{}", "DEAL_{}", "DYNAMIC_147_{}", "SMART_INVOICE_{}", "THING_{}", "LEAD_-{}", "{}"]
        )
        keys = self.dice.choice(
            [["[]", "[]", "[]"], ["[0]", "[1]", "[2]"], ["[2]", "", "[x]"], ["[2][2]", "[1]", "[2]"]]
        )
        values = ["crm", "CCrmDocumentLead", document.format(self.card())]
        return [(f"document_id{key}", value) for key, value in zip(keys, values, strict=True)]


_RIGHT: list[tuple[str | None, str | None, str | None]] = [
    *([(MEMBER, DOMAIN, TOKEN)] * 6),
    (None, DOMAIN, TOKEN),
    (None, None, TOKEN),
    (MEMBER, "renamed.example", f" {TOKEN}\n"),
    ("e" * 32, "elsewhere.example", TOKEN),
    (None, YOUNG_DOMAIN, YOUNG_TOKEN),
]


def _encoded(pairs: Pairs) -> bytes:
    return urlencode(pairs, errors="surrogatepass").encode()


def _recorded(sender: Sender) -> bytes:
    return _encoded(sender.pairs())


def _flipped(sender: Sender) -> bytes:
    """A few bytes changed, taken out, put in, or a piece repeated somewhere else. The token stays whole or missing."""
    dice = sender.dice
    bare = [pair for pair in sender.pairs(dice.choice(_PLAIN)) if not pair[0].startswith("auth")]
    raw = bytearray(_encoded(bare))
    for _ in range(dice.choice([1, 1, 2, 5, 50])):
        at = dice.randrange(len(raw) + 1)
        match dice.randrange(4):
            case 0:
                raw[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                raw[at:at] = dice.randbytes(dice.choice([1, 2, 9]))
            case 2:
                del raw[at : at + dice.choice([1, 3, 20])]
            case _:
                start = dice.randrange(len(raw) + 1)
                raw[at:at] = raw[start : start + 30]
    return bytes(raw) + b"&" + _encoded(sender.auth())


def _percent(sender: Sender) -> bytes:
    raw = _encoded(sender.pairs(sender.dice.choice(_PLAIN))).decode()
    for _ in range(sender.dice.choice([1, 3])):
        at = sender.dice.randrange(len(raw) + 1)
        raw = raw[:at] + sender.dice.choice(_PERCENT) + raw[at:]
    return raw.encode()


def _nested(sender: Sender) -> bytes:
    depth = sender.dice.choice([1, 2, 4, 5, 6, 7, 50, 1000])
    part = sender.dice.choice(["[a]", "[]", "[0]", "[[", "]]", "[a", "%5Ba%5D", "[FIELDS]"])
    key = sender.dice.choice(["data", "auth", "event", "document_id", "data[FIELDS][ID]", "x"]) + part * depth
    more = f"&{key}=1".encode()
    return _encoded(sender.pairs()) + more if sender.dice.random() < 0.5 else more[1:] + b"&" + _encoded(sender.pairs())


def _keys(sender: Sender) -> bytes:
    """Too many, too long, the same one twice with another value, values where other keys have them."""
    dice = sender.dice
    pairs = sender.pairs(dice.choice(_PLAIN))
    match dice.randrange(4):
        case 0:
            more: Pairs = [(f"k{n}", "1") for n in range(dice.choice([900, 989, 995, 1000, 3000]))]
        case 1:
            more = [("k" * dice.choice([299, 300, 301, 5000, 60_000]), "1")]
        case 2:
            more = [(key, dice.choice(_TEXTS)) for key, _ in pairs if not key.startswith("auth")]
        case _:
            keys = [key for key, _ in pairs]
            dice.shuffle(keys)
            return _encoded(list(zip(keys, (value for _, value in pairs), strict=True)))
    return _encoded([*pairs, *more] if dice.random() < 0.5 else [*more, *pairs])


def _replaced(sender: Sender, values: list[str], *, auth: bool = False) -> bytes:
    pairs = [list(pair) for pair in sender.pairs()]
    chosen = [pair for pair in pairs if auth or not pair[0].startswith("auth")]
    for pair in sender.dice.sample(chosen, sender.dice.randint(1, 2)):
        pair[1] = sender.dice.choice(values)
    return _encoded([(key, value) for key, value in pairs])


def _said_of_itself(sender: Sender) -> bytes:
    """Names and numbers of the portal of any shape and length: what we keep of them must stay small and plain."""
    dice = sender.dice
    strange = ["x" * 60_000, dice.randbytes(20_000).hex(), "\u0421" * 500, "", "a b", "\ufffd", "%", "é" * 64, *_TEXTS]
    member, domain = dice.choice([None, *strange]), dice.choice([YOUNG_DOMAIN, *strange])
    token = YOUNG_TOKEN if sender.knows else "guess"
    auth = {"auth[member_id]": member, "auth[domain]": domain, "auth[application_token]": token}
    told = [pair for pair in sender.pairs() if not pair[0].startswith("auth")]
    return _encoded([*told, *((key, value) for key, value in auth.items() if value is not None)])


def _edge(sender: Sender) -> bytes:
    raw = _encoded(sender.pairs()) + b"&filler="
    return raw + b"x" * (EDGE + sender.dice.choice([-2, -1, 0, 1, 2, 40_000]) - len(raw))


def _robot(sender: Sender) -> bytes:
    return _encoded([*sender.robot(), *(sender.auth() if sender.dice.random() < 0.5 else [])])


def _json(sender: Sender) -> bytes:
    whole = json.dumps(dict(sender.pairs())).encode()
    return sender.dice.choice(
        [whole, whole[: len(whole) // 2], b"[" * 20_000, b'"' + b"a" * 9000, whole + b"&event=ONX"]
    )


def _multipart(sender: Sender) -> bytes:
    parts = [f'--x\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in sender.pairs()]
    return ("".join(parts) + "--x--\r\n").encode("utf-8", "replace")


def _raw(sender: Sender) -> bytes:
    """Not encoded at all: brackets, Cyrillic, what is not UTF-8."""
    dice = sender.dice
    text = "&".join(f"{key}={value}" for key, value in sender.pairs())
    more = dice.choice(
        [b"", b"&x=\xff\xfe", b"&x=\x00", "&x=\ud800".encode("utf-8", "surrogatepass"), "&заявка=1".encode("cp1251")]
    )
    return text.encode("utf-8", "replace") + more


def _noise(sender: Sender) -> bytes:
    dice = sender.dice
    return dice.choice(
        [dice.randbytes(dice.choice([0, 1, 30, 3000])), b"&" * 999, b"&" * 5000, b"=" * 5000, b"[" * 60_000]
    )


def _zipped(sender: Sender) -> bytes:
    return gzip.compress(_encoded(sender.pairs()))


KINDS: Mapping[str, Callable[[Sender], bytes]] = {
    "as recorded": _recorded,
    "bytes changed": _flipped,
    "percent signs": _percent,
    "nested": _nested,
    "keys": _keys,
    "numbers": lambda sender: _replaced(sender, _NUMBERS),
    "texts": lambda sender: _replaced(sender, _TEXTS),
    "names of itself": _said_of_itself,
    "edges of 64 KiB": _edge,
    "robot calls": _robot,
    "JSON": _json,
    "multipart": _multipart,
    "not encoded": _raw,
    "noise": _noise,
    "zipped": _zipped,
}
_KINDS = list(KINDS)
_WEIGHTS = [12, 20, 10, 10, 8, 12, 10, 4, 1, 6, 3, 2, 5, 4, 2]
