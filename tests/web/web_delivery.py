"""Deliveries as a portal sends them, for the tests of the web."""

from collections.abc import Mapping
from urllib.parse import urlencode

import httpx

TOKEN = "outbound-token-0001"
OTHER_TOKEN = "outbound-token-0002"
MEMBER = "0123456789abcdef0123456789abcdef"
DOMAIN = "portal.example"
FORM = {"content-type": "application/x-www-form-urlencoded"}


def event_body(name: str = "ONCRMLEADADD", card_id: int | str = 7, **auth: str | None) -> str:
    """A delivery as the portal sends it; `auth` changes or (None) takes away keys of auth."""
    told = {"domain": DOMAIN, "member_id": MEMBER, "application_token": TOKEN, **auth}
    pairs = {"event": name, "data[FIELDS][ID]": str(card_id), "ts": "1787300000"}
    return urlencode(pairs | {f"auth[{key}]": value for key, value in told.items() if value is not None})


async def deliver(
    client: httpx.AsyncClient, body: str | bytes, *, path: str = "", headers: Mapping[str, str] = FORM
) -> httpx.Response:
    """Send it to the webhook address; `path` is what follows."""
    return await client.post(f"/webhooks/bitrix24{path}", content=body, headers=dict(headers))
