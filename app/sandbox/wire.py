"""How parameters travel: PHP bracket keys in forms, queries and batch commands, or a JSON body.

Called by the server and by `batch`. Knows no method and no field.
"""

from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

Params = dict[str, Any]


def parse_query(text: str) -> Params:
    """`filter[>ID]=5&select[]=ID` as nested containers; every leaf is a string, as in PHP."""
    tree: Params = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        _insert(tree, _split_key(key), value)
    return {key: _listed(value) for key, value in tree.items()}


def encode_form(data: Params) -> str:
    """The reverse: nested containers as an `application/x-www-form-urlencoded` body with bracket keys."""
    return urlencode(list(_flatten("", data)))


def as_map(value: Any) -> Params:
    """A map parameter; PHP cannot tell an empty map from an empty list, so both arrive."""
    if isinstance(value, dict):
        return cast("Params", value)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return {str(index): item for index, item in enumerate(items)}
    return {}


def as_list(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    if isinstance(value, list):
        return cast("list[Any]", value)
    if isinstance(value, dict):
        return list(cast("Params", value).values())
    return [value]


def as_int(value: Any) -> int | None:
    """A whole number in any of the forms a client sends it; None where it is not one."""
    if isinstance(value, bool):
        return int(value)
    try:
        return int(str(value).strip())
    except ValueError:
        return None


def lower_keys(params: Params) -> Params:
    """The legacy methods take `ID` as well as `id`; the newer controllers do not."""
    return {key.lower(): value for key, value in params.items()}


def _split_key(key: str) -> list[str]:
    head, bracket, rest = key.partition("[")
    if not bracket:
        return [key]
    return [head, *rest.removesuffix("]").split("][")]


def _insert(tree: Params, path: list[str], value: str) -> None:
    node = tree
    for step, following in zip(path, [*path[1:], None], strict=True):
        name = step or str(len(node))
        if following is None:
            node[name] = value
            return
        child = node.get(name)
        if not isinstance(child, dict):
            child = node[name] = {}
        node = cast("Params", child)


def _listed(value: Any) -> Any:
    """Maps with the keys 0, 1, 2… are PHP lists."""
    if not isinstance(value, dict):
        return value
    node = cast("Params", value)
    inner = {key: _listed(child) for key, child in node.items()}
    if inner and all(key == str(index) for index, key in enumerate(inner)):
        return list(inner.values())
    return inner


def _flatten(prefix: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, (dict, list)):
        pairs: list[tuple[str, str]] = []
        for key, child in as_map(value).items():
            pairs += _flatten(f"{prefix}[{key}]" if prefix else key, child)
        return pairs
    return [(prefix, "" if value is None else str(value))]
