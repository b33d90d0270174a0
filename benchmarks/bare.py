"""The requests a perfect client would send, written by hand and sent with nothing around them.

Where the limits leave work waiting, arithmetic says what is possible (`figures`). Where they do not, it is what the
portal's process and the wire themselves take on this machine: measured here, in the same run, through the same HTTP
library, answers parsed. Used by the rows of `benchmarks.client`. Shares no code with the client being measured.
"""

import asyncio
import functools
import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import httpx

from benchmarks.client_jobs import Job, carried_out
from benchmarks.figures import BATCH, PAGE

_SELECT = {"select[0]": "id", "select[1]": "title", "select[2]": "stageId"}


def cards(ids: Sequence[int]) -> list[bytes]:
    """Batches of pages of whole cards by id."""
    pages = [ids[at : at + PAGE] for at in range(0, len(ids), PAGE)]
    whole = {"entityTypeId": 1, "select[0]": "*", "start": -1, "order[id]": "ASC", "useOriginalUfNames": "Y"}
    return _batches([whole | {f"filter[@id][{at}]": one for at, one in enumerate(page)} for page in pages])


def listed(count: int) -> list[bytes]:
    """Batches of pages by ranges of ids, as if the first request had told that ids are 1 to `count`."""
    plain = {"entityTypeId": 1, "start": -1, "order[id]": "ASC", **_SELECT}
    return _batches(
        [plain | {"filter[>id]": at, "filter[<=id]": min(at + PAGE, count)} for at in range(0, count, PAGE)]
    )


def updates(count: int) -> list[bytes]:
    """Batches of updates."""
    fields = [{"entityTypeId": 1, "id": one, "fields[title]": f"bare {one}"} for one in range(1, count + 1)]
    return _batches(fields, method="crm.item.update")


async def sent(webhook_url: str, bodies: Sequence[bytes]) -> float:
    """Seconds until all are answered and parsed, sent together."""
    async with httpx.AsyncClient(timeout=65) as http:
        await http.post(f"{webhook_url}profile")  # an open connection, as a client at work has
        started = time.monotonic()
        await asyncio.gather(*(_post(http, f"{webhook_url}batch", body) for body in bodies))
        return time.monotonic() - started


async def cards_waited_for(webhook_url: str, ids: Sequence[int]) -> float:
    """The same for cards that so many coroutines wait for, each for its own."""
    waiting = {one: asyncio.get_running_loop().create_future() for one in ids}

    def hand_out(pages: dict[str, Any]) -> None:
        for page in pages.values():
            for card in page["items"]:
                waiting[card["id"]].set_result(card)

    async def send(http: httpx.AsyncClient, body: bytes) -> None:
        await asyncio.sleep(0)  # all who wait come first
        hand_out(await _post(http, f"{webhook_url}batch", body))

    async with httpx.AsyncClient(timeout=65) as http:
        await http.post(f"{webhook_url}profile")
        jobs = [Job([one], functools.partial(waiting.get, one)) for one in ids]
        sending = [Job([-at - 1], functools.partial(send, http, body)) for at, body in enumerate(cards(ids))]
        return (await carried_out(jobs + sending, cap=None, tick=lambda _: None)).seconds


async def _post(http: httpx.AsyncClient, url: str, body: bytes) -> dict[str, Any]:
    answer = await http.post(url, content=body, headers={"Content-Type": "application/json"})
    return json.loads(answer.content)["result"]["result"]


def _batches(commands: Sequence[dict[str, object]], *, method: str = "crm.item.list") -> list[bytes]:
    bodies: list[bytes] = []
    for at in range(0, len(commands), BATCH):
        texts = (f"{method}?{urlencode(one)}" for one in commands[at : at + BATCH])
        bodies.append(json.dumps({"halt": 0, "cmd": {f"c{n}": text for n, text in enumerate(texts)}}).encode())
    return bodies
