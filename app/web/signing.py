"""Signed values: what we hand out (session cookie, login ticket, CSRF token, robot address) and take back.

Nothing is stored: the key is derived from SECRET_KEY for each purpose, so a ticket can't pass for a session.
Used by `sessions.py`, `admission.py` and, for what people are shown, by the command line.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """Makes and checks signatures for one purpose."""

    key: bytes

    @classmethod
    def derive(cls, secret_key: str, purpose: str) -> "SigningKey":
        """A key of its own for each purpose; knowing one tells nothing about another."""
        return cls(hmac.digest(secret_key.encode(), b"ogon:" + purpose.encode(), hashlib.sha256))

    def tag(self, text: str, *, length: int = 32) -> str:
        """URL-safe signature of `text`, `length` characters of 6 bits each (43 at most)."""
        digest = hmac.digest(self.key, text.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")[:length]

    def seal(self, value: str, *, expires: int) -> str:
        """`value.expires.signature`; `value` holds no dot; `expires` is in unix seconds."""
        body = f"{value}.{expires}"
        return f"{body}.{self.tag(body, length=43)}"

    def open(self, sealed: str, *, now: int) -> str | None:
        """The value, or None when forged, damaged or expired. Never raises."""
        body, _, signature = sealed.rpartition(".")
        value, _, expires = body.rpartition(".")
        genuine = same(signature, self.tag(body, length=43))
        if not genuine or not expires.isdecimal() or int(expires) <= now:
            return None
        return value


def same(given: str, expected: str) -> bool:
    """Whether two texts are equal, in a time that tells nothing about where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass"))
