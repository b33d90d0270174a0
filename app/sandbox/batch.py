"""The parts of `batch` that are pure: reading commands, `$result` references, PHP's empty and numbered maps.

Called by `rest`. Docs: settings/how-to-call-rest-api/batch.
"""

import re
from dataclasses import dataclass, field
from typing import Any, cast

from app.sandbox.errors import RestError
from app.sandbox.wire import Params, as_map, parse_query

MOST_COMMANDS = 50
_REFERENCE = re.compile(r"\$result((?:\[[^\[\]]*\])+)")

TOO_LONG = RestError("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
NOT_ALLOWED = RestError("ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage", 405)


@dataclass(frozen=True, slots=True)
class Command:
    key: str
    method: str
    params: Params


@dataclass(slots=True)
class Collected:
    """The five maps of a batch answer, by command key."""

    results: dict[str, Any] = field(default_factory=dict[str, Any])
    errors: dict[str, Any] = field(default_factory=dict[str, Any])
    totals: dict[str, int] = field(default_factory=dict[str, int])
    nexts: dict[str, int] = field(default_factory=dict[str, int])
    times: dict[str, Any] = field(default_factory=dict[str, Any])

    def body(self) -> dict[str, Any]:
        return {
            "result": php_map(self.results),
            "result_error": php_map(self.errors),
            "result_total": php_map(self.totals),
            "result_next": php_map(self.nexts),
            "result_time": php_map(self.times),
        }


def read_commands(params: Params) -> list[Command]:
    return [_command(key, raw) for key, raw in as_map(params.get("cmd")).items()]


def halts(params: Params) -> bool:
    return str(params.get("halt", "0")).lower() in {"1", "true"}


def resolved(params: Params, results: dict[str, Any]) -> Params:
    """The parameters with `$result[key][field]…` replaced by what earlier commands answered."""
    return cast("Params", _resolve(params, results))


def php_map(found: dict[str, Any]) -> Any:
    """PHP prints an empty map as `[]`, and one with the keys 0, 1, 2… as a list."""
    if all(key == str(index) for index, key in enumerate(found)):
        return list(found.values())
    return found


def _command(key: str, raw: Any) -> Command:
    method, _, query = str(raw).partition("?")
    return Command(key, method.strip("/").removesuffix(".json").lower(), parse_query(query))


def _resolve(value: Any, results: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _resolve(child, results) for key, child in cast("Params", value).items()}
    if isinstance(value, list):
        return [_resolve(child, results) for child in cast("list[Any]", value)]
    if not isinstance(value, str) or "$result" not in value:
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole:
        found = _look_up(whole[1], results)
        structured = isinstance(found, (dict, list))
        return cast("Any", found) if structured else _printed(found)
    return _REFERENCE.sub(lambda match: _printed(_look_up(match[1], results)), value)


def _look_up(path: str, results: Any) -> Any:
    node = results
    for step in path[1:-1].split("]["):
        if isinstance(node, dict):
            node = cast("Params", node).get(step)
        elif isinstance(node, list) and step.isdigit() and int(step) < len(cast("list[Any]", node)):
            node = cast("list[Any]", node)[int(step)]
        else:
            return None
    return node


def _printed(value: Any) -> str:
    if value is None or value is False:
        return ""
    return "1" if value is True else str(value)
