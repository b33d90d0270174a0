"""Rule documents as YAML with a comment on each key, and both YAML and JSON back. Called by `ogon rules`.

Written by hand, since comments are the point of it. Read by PyYAML with the words of YAML 1.2, where `yes`, `no` and
`on` are texts: they are codes of lists here, and a box is `true` or `false`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from app.domain.messages import Say, message
from app.domain.ruleset_words import WORDS, Word
from app.errors import OgonError

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[.:-][A-Za-z0-9_]+)*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_STEP = "  "
_LARGEST_SHORT = 0xFFFF


class RulesUnreadable(OgonError):  # noqa: N818 - reads as the state it is
    """The text is neither JSON nor YAML."""


def rules_to_yaml(document: Mapping[str, Any], say: Say) -> str:
    """A document as `ruleset_to_document` makes it, with what people call each key above it."""
    origin = say(message("The version that this document was made from"))
    return "\n".join([f"# {origin}", *_group(document, WORDS, "", say)]) + "\n"


def rules_from_text(text: str) -> Any:
    """What a file of rules says, JSON or YAML. Raises RulesUnreadable with the place."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # YAML says better what is wrong with a JSON document, too, and forgives a comma at the end of a list.
        pass
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader, with fewer types still
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RulesUnreadable(f"The file is neither JSON nor YAML: {_place(error)}") from None


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    what = str(getattr(error, "problem", None) or error).splitlines()[0]
    return f"line {mark.line + 1}, column {mark.column + 1}: {what}." if mark else f"{what}."


def _group(values: Mapping[str, Any], word: Word, indent: str, say: Say) -> Iterator[str]:
    for name, value in values.items():
        inner = word.keys.get(name)
        if inner is not None:
            yield from _comments(inner, say, f"{indent}#")
        yield from _entry(f"{indent}{_scalar(name)}:", value, inner or word, indent, say)


def _entry(head: str, value: Any, word: Word, indent: str, say: Say) -> Iterator[str]:
    """`head`, then the value behind it where it is short, else below it."""
    deeper = indent + _STEP
    match value:
        case dict() if value and not word.table:
            yield head
            yield from _group(cast("dict[str, Any]", value), word, deeper, say)
        case dict() if value:
            yield head
            for key, item in cast("dict[str, Any]", value).items():
                yield f"{deeper}{_scalar(key)}: {_flow(item)}"
        case list() if value and word.named is not None:
            yield head
            for item in cast("list[Any]", value):
                yield from _item(item, deeper)
        case _:
            yield f"{head} {_flow(value)}"


def _item(item: Any, indent: str) -> Iterator[str]:
    """One of a list of groups: on one line, unless it has such a list itself."""
    values = cast("dict[str, Any]", item)
    if not any(_has_groups(value) for value in values.values()):
        yield f"{indent}- {_flow(values)}"
        return
    mark = "- "
    for name, value in values.items():
        if _has_groups(value):
            yield f"{indent}{mark}{_scalar(name)}:"
            for one in cast("list[Any]", value):
                yield f"{indent}{_STEP * 2}- {_flow(one)}"
        else:
            yield f"{indent}{mark}{_scalar(name)}: {_flow(value)}"
        mark = _STEP


def _has_groups(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in cast("list[Any]", value))


def _comments(word: Word, say: Say, mark: str, name: str = "") -> Iterator[str]:
    """The label, the values there are to choose from, and the keys of each item where it is a list or a table."""
    label = " ".join(say(word.label).split())
    choices = f": {' | '.join(word.choices)}" if word.choices else ""
    yield f"{mark} {f'{name} – ' if name else ''}{label}{choices}"
    if word.named is not None or word.table:
        for key, inner in word.keys.items():
            yield from _comments(inner, say, mark + _STEP, key)


def _flow(value: Any) -> str:
    match value:
        case dict():
            pairs = cast("dict[str, Any]", value).items()
            return "{" + ", ".join(f"{_scalar(name)}: {_flow(item)}" for name, item in pairs) + "}"
        case list():
            return "[" + ", ".join(_flow(item) for item in cast("list[Any]", value)) + "]"
        case _:
            return _scalar(value)


def _scalar(value: Any) -> str:
    """A name as it is, everything else as JSON writes it, which YAML reads too."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.casefold() not in _WORDS:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else _escaped(sign) for sign in quoted)


def _escaped(sign: str) -> str:
    return f"\\U{ord(sign):08x}" if ord(sign) > _LARGEST_SHORT else f"\\u{ord(sign):04x}"


class _Loader(yaml.SafeLoader):
    """JSON's types only, no key twice since the second would silently win, and nothing that stands for another."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        events = cast("Any", self)
        if events.check_event(yaml.AliasEvent):
            mark = events.peek_event().start_mark
            raise ComposerError(None, None, "write the value out, references are not taken", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise ConstructorError(None, None, f"“{key.value}” is here twice", key.start_mark)
            if isinstance(key.value, str):
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_whole_number(self, node: yaml.ScalarNode) -> int:
        """`012` is twelve, not ten as in YAML 1.1."""
        return int(node.value)


def _plain_types() -> None:
    loader = cast("Any", _Loader)
    loader.yaml_implicit_resolvers = {}
    for tag, pattern, first in (
        ("bool", r"true|false|True|False|TRUE|FALSE", "tfTF"),
        ("null", r"null|Null|NULL|~|", ("n", "N", "~", "")),
        ("int", r"[-+]?[0-9]+", "-+0123456789"),
        ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ):
        loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))
    loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_whole_number)


_plain_types()
