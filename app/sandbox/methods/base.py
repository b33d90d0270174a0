"""What a method is: a function from a call to a reply, with its scope. Used by every method module."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.sandbox.errors import RestError
from app.sandbox.wire import Params, as_int, as_map, lower_keys
from app.sandbox.world import World

PAGE = 50


@dataclass(frozen=True, slots=True)
class Call:
    """One command: the portal's state, its parameters, and the user the webhook acts as."""

    world: World
    params: Params

    @property
    def user_id(self) -> int:
        return self.world.owner_id

    def number(self, name: str) -> int:
        """A required whole number of the newer controllers; error 100 where it is missing."""
        found = as_int(self.params.get(name))
        if found is None:
            raise missing(name)
        return found

    def fields(self) -> Params:
        if "fields" not in self.params:
            raise missing("fields")
        return as_map(self.params["fields"])

    def legacy(self) -> Params:
        """Parameters by lower-case name, as the legacy methods read them."""
        return lower_keys(self.params)

    def legacy_id(self) -> int:
        found = as_int(self.legacy().get("id"))
        if found is None or found <= 0:
            raise RestError("", "ID is not defined or invalid.")
        return found


@dataclass(frozen=True, slots=True)
class Reply:
    """`total` and `next` exist for lists only."""

    result: Any
    total: int | None = None
    next: int | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """`scope` empty: any credential may call it. `app_only`: refused to a webhook."""

    run: Callable[[Call], Reply]
    scope: str = ""
    app_only: bool = False
    alternatives: tuple[str, ...] = field(default=())


def missing(name: str) -> RestError:
    return RestError(100, f"Could not find value for parameter {{{name}}}")


def page(rows: list[Any], start: Any, total: int | None = None) -> tuple[list[Any], int | None, int | None]:
    """One page of 50 with its `total` and `next`; `start=-1` counts nothing (docs: performance/huge-data)."""
    offset = as_int(start) or 0
    if offset < 0:
        return rows[:PAGE], None, None
    count = len(rows) if total is None else total
    following = offset + PAGE if offset + PAGE < count else None
    return rows[offset : offset + PAGE], count, following
