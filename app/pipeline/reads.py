"""How the steps of the pipeline read a portal: several things at once, and things that may be refused.

Called by fetch, duplicates, dictionary, provision and check. Must not know any one method.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar, cast

from app.bitrix24.client import PortalClient
from app.bitrix24.errors import (
    AccessDenied,
    InsufficientScope,
    MethodNotFound,
    NotFound,
    Rejected,
    ValidationFailed,
    WrongAuthType,
)
from app.bitrix24.lanes import Lane

Read = TypeVar("Read")

REFUSALS: Final = (
    AccessDenied,
    InsufficientScope,
    MethodNotFound,
    NotFound,
    Rejected,
    ValidationFailed,
    WrongAuthType,
)
"""Refusals of one call. A dead webhook, an unpaid or deleted portal are not among them: they concern every call."""


@asynccontextmanager
async def together() -> AsyncGenerator[asyncio.TaskGroup]:
    """A task group for reads that ride in one batch; its first failure comes out as itself, not as a group."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except ExceptionGroup as failed:
        raise _first(failed) from None


async def optional(read: Awaitable[Read]) -> Read | None:
    """What was read; None when the portal refused this one call. Temporary errors and dead access go up."""
    try:
        return await read
    except REFUSALS:
        return None


async def every_row(
    client: PortalClient,
    method: str,
    params: Mapping[str, Any],
    *,
    lane: Lane = Lane.NORMAL,
    key: str = "",
    start_names: Sequence[str] = ("start",),
) -> list[Mapping[str, Any]]:
    """All rows of a short list, following `next` (settings/how-to-call-rest-api/list-methods-pecularities).

    For lists that `client.walk` cannot cut by id: dictionaries, people, rows of a card. One command where one page
    holds them all.
    """
    found: list[Mapping[str, Any]] = []
    start = 0
    while True:
        here = dict.fromkeys(start_names, start) if start else {}
        answer = await client.answer(method, {**params, **here}, lane=lane)
        found += rows(answer.result, key)
        if answer.next is None or answer.next <= start:
            return found
        start = answer.next


def mapping(value: object) -> Mapping[str, Any]:
    """The value as a map: PHP prints an empty map as `[]` (docs: api-reference/data-types)."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def listing(value: object) -> list[Any]:
    """The value as a list; a map gives its values, anything else nothing."""
    if isinstance(value, Mapping):
        return list(mapping(cast("object", value)).values())
    return cast("list[Any]", value) if isinstance(value, list) else []


def rows(value: object, key: str = "") -> list[Mapping[str, Any]]:
    """The maps in a list answer: universal methods wrap the list in a map under `key`."""
    return [mapping(row) for row in listing(mapping(value).get(key) if key else value)]


def has_values(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a listed row is one that was asked for: each field it prints has the wanted value, in whatever form."""
    return all(str(row[field]) == str(value) for field, value in wanted.items() if field in row)


def number(value: object) -> int:
    """An id in any of the portal's forms; 0 for none (`null`, `""`, `"0"`, `false`)."""
    try:
        return int(str(value))
    except ValueError:
        return 0


def _first(failed: ExceptionGroup[Exception]) -> Exception:
    cause = failed.exceptions[0]
    return _first(cast("ExceptionGroup[Exception]", cause)) if isinstance(cause, ExceptionGroup) else cause
