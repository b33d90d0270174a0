"""What a REST method does to the portal, judged by its name: may it be repeated when the answer was lost?

Called by the client for every call. Classic REST has no idempotency key (docs: rest-v3 has one, CRM is not in
it), so the name is all there is. A method nobody knows counts as creating: looked at, never repeated blindly.
"""

from enum import StrEnum
from functools import lru_cache
from typing import Final


class Kind(StrEnum):
    """What repeating a call would do."""

    READ = "read"
    """Nothing: repeat at will."""
    IDEMPOTENT = "idempotent"
    """Set the same state again: repeat at will."""
    CREATING = "creating"
    """Perhaps a second object: look first."""


_READ_ENDINGS: Final = frozenset(
    {"get", "list", "fields", "types", "gettypes", "info", "search", "current", "current2"}
)
_READS: Final = frozenset(
    {
        "profile", "scope", "methods", "events", "server.time", "crm.duplicate.findbycomm",
        "crm.status.entity.types", "crm.status.entity.items", "crm.enum.fields",
    }
)  # fmt: skip
_IDEMPOTENT_ENDINGS: Final = frozenset(
    {"update", "set", "delete", "remove", "clear", "unbind", "pin", "unpin", "complete"}
)
_NOT_READS: Final = frozenset({"event.offline.get"})
"""Removes rows as it reads (docs: events/event-offline-get)."""


@lru_cache(maxsize=512)
def kind_of(method: str) -> Kind:
    """The kind of a method, by name; letter case does not matter."""
    name = method.lower().removesuffix(".json")
    last = name.rsplit(".", 1)[-1]
    if name in _NOT_READS:
        return Kind.CREATING
    if name in _READS or last in _READ_ENDINGS:
        return Kind.READ
    if last in _IDEMPOTENT_ENDINGS:
        return Kind.IDEMPOTENT
    return Kind.CREATING
