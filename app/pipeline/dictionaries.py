"""Keeps one dictionary per portal fresh: hourly, and when a card shows a code the dictionary does not know.

Called by the worker's `process` before each card. One reading at a time per portal; others wait for it. A failed
refresh keeps the old dictionary, since yesterday's names are better than none, and is tried again soon: after a
minute, then after two, and so on up to the hour.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, cast

from app.bitrix24.errors import Bitrix24Error
from app.domain.difference import is_empty
from app.domain.snapshot import Entity, PortalDictionary, RawCard

REFRESH: Final = timedelta(hours=1)
AGAIN: Final = timedelta(minutes=1)
"""At least so long between two readings caused by unknown codes: a code may stay unknown for good. And after the
first failure."""

Read = Callable[[], Awaitable[PortalDictionary]]
Clock = Callable[[], datetime]


@dataclass(slots=True)
class _Shelf:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    dictionary: PortalDictionary | None = None
    read_at: datetime | None = None
    failures: int = 0
    not_before: datetime | None = None

    def rests(self, now: datetime, age: timedelta) -> bool:
        """Whether there is nothing to do: what is known is younger than `age`, or reading failed just now."""
        young = self.read_at is not None and now - self.read_at < age
        return young or (self.not_before is not None and now < self.not_before)


class Dictionaries:
    """The dictionaries of all portals this process works for, by portal id. `clock` gives aware times."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shelves: dict[int, _Shelf] = {}

    def put(self, portal_id: int, dictionary: PortalDictionary, read_at: datetime) -> None:
        """Start from a stored dictionary instead of reading."""
        self._shelves[portal_id] = _Shelf(dictionary=dictionary, read_at=read_at)

    async def of(self, portal_id: int, read: Read) -> PortalDictionary:
        """The portal's dictionary, at most an hour old if the portal answers. Raises what the first `read` raises."""
        return await self._fresh(portal_id, read, REFRESH)

    async def refreshed(self, portal_id: int, read: Read) -> PortalDictionary:
        """After an unknown code: read again unless that was done within the last minute."""
        return await self._fresh(portal_id, read, AGAIN)

    def forget(self, portal_id: int) -> None:
        """Read anew next time: after provisioning, or when a field event came."""
        self._shelves.pop(portal_id, None)

    async def _fresh(self, portal_id: int, read: Read, age: timedelta) -> PortalDictionary:
        shelf = self._shelves.setdefault(portal_id, _Shelf())
        async with shelf.lock:
            now = self._clock()
            if shelf.dictionary is not None and shelf.rests(now, age):
                return shelf.dictionary
            try:
                shelf.dictionary, shelf.read_at, shelf.failures = await read(), now, 0
            except Bitrix24Error:
                if shelf.dictionary is None:
                    raise
                # A failed refresh waits its turn too, or every card would try again.
                shelf.not_before = now + min(AGAIN * 2 ** min(shelf.failures, 16), REFRESH)
                shelf.failures += 1
            return shelf.dictionary


def unknown_codes(dictionary: PortalDictionary, entity: Entity, card: RawCard) -> tuple[str, ...]:
    """What the card says in words the dictionary lacks: its stage, items of enumerations, fields."""
    strange: list[str] = []
    stage = str(card.get("stageId") or "")
    if stage and all((known.entity, known.code) != (entity, stage) for known in dictionary.stages):
        strange.append(f"stageId={stage}")
    for (owner, name), codes in dictionary.enumerations.items():
        if owner is entity:
            strange += [f"{name}={item}" for item in _items(card.get(name)) if item not in codes]
    strange += [f"{name}=?" for name in _unseen(dictionary, entity, card)]
    return tuple(strange)


def _items(value: Any) -> list[str]:
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    return [str(item) for item in values if not is_empty(item) and str(item) != "0"]


def _unseen(dictionary: PortalDictionary, entity: Entity, card: Mapping[str, Any]) -> list[str]:
    """Custom fields made since the dictionary was read."""
    return [name for name in card if name.startswith("UF_CRM_") and (entity, name) not in dictionary.fields]
