"""The address of a portal's webhook: read from the settings, kept out of sight, followed when the portal moves.

Used by the client. docs `settings/how-to-call-rest-api/change-domen`: a renamed portal answers 302 to the new host and
the body is lost on the way, so the call must be posted again. `repr` and `str` never show the secret.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_PATH: Final = re.compile(r"^(?P<base>/rest/(?P<user>\d+)/(?P<code>[A-Za-z0-9_-]+)/)(?P<method>[A-Za-z0-9_.]*)/?$")
_SCHEMES: Final = ("https", "http")


@dataclass(frozen=True, slots=True)
class WebhookAddress:
    """An incoming webhook's base URL, ending in a slash."""

    scheme: str
    host: str
    base: str = field(repr=False)

    @classmethod
    def read(cls, url: str) -> "WebhookAddress":
        """From `https://portal/rest/<user>/<code>/`, with or without the last slash. Raises `ValueError`."""
        address = _parse(url.strip().rstrip("/") + "/")
        if address is None:
            raise ValueError("A webhook URL looks like https://<portal>/rest/<user id>/<code>/")
        return address

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}/rest/***/"

    @property
    def url(self) -> str:
        """The secret itself: only for the request line and for storing."""
        return f"{self.scheme}://{self.host}{self.base}"

    def moved_to(self, location: str) -> "WebhookAddress | None":
        """Where a redirect leads, if it is this webhook on another host and no less protected; else None."""
        there = _parse(location.strip())
        if there is None or there.base != self.base or there == self:
            return None
        return there if there.scheme == "https" or self.scheme == "http" else None


def _parse(url: str) -> WebhookAddress | None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    path = _PATH.match(parts.path)
    if parts.scheme not in _SCHEMES or not host or path is None or parts.username or parts.query:
        return None
    name = f"[{host}]" if ":" in host else host
    return WebhookAddress(parts.scheme, f"{name}:{port}" if port else name, path["base"])
