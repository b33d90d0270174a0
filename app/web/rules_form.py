"""A rule document as a form, and a form that was sent as a rule document. Pure; called by the page that edits rules.

The form follows the dataclasses of the ruleset, its labels are `ruleset_words`: a new key of the rules is in the form
without a line here. What a person typed is handed on as it is; whether it can be meant is told by the same check that
the API makes, path by path.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from app.domain.facts import Kind
from app.domain.kpi import FIGURES_SAID
from app.domain.messages import Say
from app.domain.ruleset import Criterion, FactDefinition, FactSource, Indicator, Operator, Ruleset
from app.domain.ruleset_words import WORDS, Word
from app.domain.wording import called

Sent = Mapping[str, Sequence[str]]
"""Values by the names of a form's fields, as many as were sent under each."""
InputKind = Literal["text", "number", "flag", "choice", "choices", "lines", "pairs"]

COUNT, REMOVE, OWN = "__count", "__remove", "__own"
_YES = "on"
_LONG = 5
_NEW: Mapping[type, Any] = {
    Criterion: Criterion("", Operator.OVER),
    FactDefinition: FactDefinition("", Kind.NUMBER, (FactSource("lead", ""),)),
    FactSource: FactSource("lead", ""),
    Indicator: Indicator("sales", 0, Decimal(0)),
}
"""What a group that somebody adds starts from."""


@dataclass(frozen=True, slots=True)
class Input:
    """One field of the form. `value` is what stands in it, `chosen` what is ticked among `options`."""

    path: str
    label: str
    kind: InputKind
    value: str = ""
    options: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    hidden: bool = False
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that belong together. `count` of a list that grows by `add`; `removable` an item of one.

    `own`: whether a group that may be absent is there; None where it always is.
    """

    path: str
    label: str
    parts: tuple["Input | Group", ...]
    count: int | None = None
    removable: bool = False
    own: bool | None = None
    errors: tuple[str, ...] = ()

    @property
    def wrong(self) -> bool:
        """Whether anything in it is."""
        return bool(self.errors) or any(
            part.wrong if isinstance(part, Group) else bool(part.errors) for part in self.parts
        )


def form_of(document: Mapping[str, Any], wrong: Mapping[str, Sequence[str]], say: Say) -> Group:
    """The form of a document, with what is wrong beside each value. The document may be half right."""
    form = _Maker(say, tuple(facts_called(document, say))).group("", Ruleset, document, WORDS, "")
    return _with_errors(form, wrong)


def facts_called(document: Mapping[str, Any], say: Say) -> dict[str, str]:
    """What each fact of the document is called, by its name: what a criterion may be about."""
    found: dict[str, str] = {}
    listed = document.get("facts")
    for fact in cast("list[Any]", listed) if isinstance(listed, list) else []:
        held = cast("dict[str, Any]", fact) if isinstance(fact, dict) else {}
        if name := str(held.get("name") or ""):
            found[name] = str(held.get("title") or "") or say(called(name))
    return found


def document_of(sent: Sent, *, add: str = "") -> dict[str, Any]:
    """The document that a form says. `add`: the path of a list that gets one more item."""
    document = _Reader(sent, add).group("", Ruleset)
    # Which version was edited is not for people to fill in: the page says it.
    del document["version"]
    return document


@dataclass(frozen=True, slots=True)
class _Maker:
    say: Say
    facts: tuple[str, ...]

    def group(self, path: str, kind: type, value: Any, word: Word, label: str) -> Group:
        held = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        hints = get_type_hints(kind)
        parts: list[Input | Group] = []
        for one in fields(kind):
            if one.name in word.keys:
                inner = word.keys[one.name]
                here = _inside(path, one.name)
                if kind is Criterion and one.name == "fact":
                    name = str(held.get("fact") or "")
                    parts.append(Input(here, self.say(inner.label), "choice", name, self.facts))
                    continue
                parts.append(self.part(here, hints[one.name], held.get(one.name), inner, self.say(inner.label)))
        return Group(path, label, tuple(parts))

    def part(self, path: str, hint: Any, value: Any, word: Word, label: str) -> Input | Group:
        kind, items, keys = _bare(hint), _items(hint), _keys(hint)
        if is_dataclass(kind):
            return self.group(path, cast("type", kind), value, word, label)
        if items is not None and is_dataclass(items):
            return self._list(path, cast("type", items), value, word, label)
        if keys is not None and is_dataclass(keys[1]):
            return self._routes(path, keys[0], cast("type", keys[1]), value, word, label)
        if keys is not None:
            return Input(path, label, "pairs", _pairs(value))
        if items is not None and _options(items):
            chosen = cast("list[Any]", value) if isinstance(value, list) else []
            return Input(path, label, "choices", options=_options(items), chosen=tuple(str(one) for one in chosen))
        if items is not None:
            listed = cast("list[Any]", value) if isinstance(value, list) else []
            return Input(path, label, "lines", "\n".join(str(one) for one in listed))
        if kind is bool:
            return Input(path, label, "flag", chosen=(_YES,) if value is True else ())
        if _options(kind):
            return Input(path, label, "choice", str(value), options=_options(kind))
        number = kind in {int, Decimal}
        written = "" if value is None else str(value)
        return Input(path, label, "number" if number else "text", _in_thousands(written) if number else written)

    def _list(self, path: str, kind: type, value: Any, word: Word, label: str) -> Group:
        listed = cast("list[Any]", value) if isinstance(value, list) else []
        parts = tuple(self._item(f"{path}.{at}", kind, item, word, at) for at, item in enumerate(listed))
        return Group(path, label, parts, count=len(listed))

    def _item(self, path: str, kind: type, item: Any, word: Word, at: int) -> Group:
        held = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
        group = self.group(path, kind, held, word, self._called(held, at))
        if path.startswith("grades."):
            # The eight cells are given; only the grade of each is chosen.
            return _cell(group, self.say)
        return Group(group.path, group.label, group.parts, removable=True)

    def _called(self, held: Mapping[str, Any], at: int) -> str:
        if held.get("title") or held.get("field"):
            return str(held.get("title") or held["field"])
        figure = next((said for name, said in FIGURES_SAID.items() if name == held.get("figure")), None)
        if figure is not None:
            return self.say(figure)
        name = held.get("name") or held.get("fact")
        return self.say(called(str(name))) if name else str(at + 1)

    def _routes(self, path: str, names: Any, kind: type, value: Any, word: Word, label: str) -> Group:
        held = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        parts: list[Input | Group] = []
        for name in _options(names):
            group = self.group(f"{path}.{name}", kind, held.get(name), word, name)
            parts.append(Group(group.path, group.label, group.parts, own=name in held))
        return Group(path, label, tuple(parts))


def _cell(group: Group, say: Say) -> Group:
    flags = {part.path.rsplit(".", 1)[-1]: part for part in group.parts if isinstance(part, Input)}
    said = ", ".join(f"{part.label} {'+' if part.chosen else '−'}" for name, part in flags.items() if name != "grade")
    parts = tuple(
        Input(
            part.path,
            said if name == "grade" else part.label,
            part.kind,
            part.value,
            part.options,
            part.chosen,
            hidden=name != "grade",
        )
        for name, part in flags.items()
    )
    return Group(group.path, "", parts)


@dataclass(frozen=True, slots=True)
class _Reader:
    sent: Sent
    add: str

    def group(self, path: str, kind: type) -> dict[str, Any]:
        hints = get_type_hints(kind)
        return {one.name: self.value(_inside(path, one.name), hints[one.name]) for one in fields(kind)}

    def value(self, path: str, hint: Any) -> Any:
        kind, items, keys = _bare(hint), _items(hint), _keys(hint)
        if is_dataclass(kind):
            return self.group(path, cast("type", kind))
        if items is not None and is_dataclass(items):
            return self._list(path, cast("type", items))
        if keys is not None and is_dataclass(keys[1]):
            names = [name for name in _options(keys[0]) if self._one(_inside(f"{path}.{name}", OWN))]
            return {name: self.group(f"{path}.{name}", cast("type", keys[1])) for name in names}
        if keys is not None:
            return dict(_pair(line) for line in _lines(self._one(path)))
        if items is not None and _options(items):
            return list(self.sent.get(path, ()))
        if items is not None:
            return [_typed(line, items) for line in _lines(self._one(path))]
        if kind is bool:
            return bool(self._one(path))
        text = self._one(path).strip()
        return None if not text and _optional(hint) else _typed(text, kind)

    def _list(self, path: str, kind: type) -> list[Any]:
        count = self._one(_inside(path, COUNT))
        numbers = range(min(int(count), 1000) if count.isdecimal() else 0)
        kept = [at for at in numbers if not self._one(_inside(f"{path}.{at}", REMOVE))]
        listed: list[Any] = [self.group(f"{path}.{at}", kind) for at in kept]
        return [*listed, _plain(_NEW[kind])] if path == self.add and kind in _NEW else listed

    def _one(self, path: str) -> str:
        given = self.sent.get(path, ())
        return given[0] if given else ""


def _with_errors(form: Group, wrong: Mapping[str, Sequence[str]]) -> Group:
    known = {one.path for one in _every(form)}
    told: dict[str, list[str]] = {}
    for path, errors in wrong.items():
        at = path
        while at not in known:
            # Of a line in a list, or a key in a table, the field that holds it is told.
            at = at.rpartition(".")[0]
        told.setdefault(at, []).extend(errors)
    return _told(form, told)


def _every(group: Group) -> Iterable[Input | Group]:
    yield group
    for part in group.parts:
        if isinstance(part, Group):
            yield from _every(part)
        else:
            yield part


def _told(group: Group, told: Mapping[str, Sequence[str]]) -> Group:
    parts = tuple(
        _told(part, told)
        if isinstance(part, Group)
        else Input(
            part.path,
            part.label,
            part.kind,
            part.value,
            part.options,
            part.chosen,
            part.hidden,
            tuple(told.get(part.path, ())),
        )
        for part in group.parts
    )
    errors = tuple(told.get(group.path, ()))
    return Group(group.path, group.label, parts, group.count, group.removable, group.own, errors)


def _in_thousands(number: str) -> str:
    """Five digits and more in groups of three: a billion that can be read. Anything but a number as it is."""
    whole, point, rest = number.partition(".")
    if not (whole.isdecimal() and len(whole) >= _LONG and (rest.isdecimal() or not point)):
        return number
    return f"{int(whole):,}".replace(",", " ") + point + rest


def _inside(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _bare(hint: Any) -> Any:
    """The type without None."""
    if get_origin(hint) in {Union, UnionType}:
        inner = [one for one in get_args(hint) if one is not NoneType]
        return inner[0] if len(inner) == 1 else str
    return hint


def _optional(hint: Any) -> bool:
    return get_origin(hint) in {Union, UnionType} and NoneType in get_args(hint)


def _items(hint: Any) -> Any:
    """Of what the tuple is; None for anything else."""
    return get_args(hint)[0] if get_origin(hint) is tuple else None


def _keys(hint: Any) -> tuple[Any, Any] | None:
    """Keys and values of a table; None for anything else."""
    origin = get_origin(hint)
    return cast("tuple[Any, Any]", get_args(hint)) if origin is not None and issubclass_of_mapping(origin) else None


def issubclass_of_mapping(origin: Any) -> bool:
    """Whether an origin of `get_origin` is a table."""
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _options(kind: Any) -> tuple[str, ...]:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(str(member.value) for member in kind)
    return tuple(str(one) for one in get_args(kind)) if get_origin(kind) is Literal else ()


def _typed(text: str, kind: Any) -> Any:
    """The text as JSON would have it; as it is where it is not of the kind, for the check to say so."""
    if kind is int:
        plain = text.replace(" ", "").replace("\xa0", "")
        return int(plain) if plain.removeprefix("-").isdecimal() and len(plain) < 20 else text
    if kind is Decimal:
        return text.replace(" ", "").replace("\xa0", "").replace(",", ".")
    return text


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _pair(line: str) -> tuple[str, Any]:
    name, _, value = (part.strip() for part in line.partition("="))
    words: Mapping[str, Any] = {"true": True, "false": False}
    if value in words:
        return name, words[value]
    return name, int(value) if value.removeprefix("-").isdecimal() and len(value) < 16 else value


def _pairs(value: Any) -> str:
    held = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    return "\n".join(f"{name} = {_said(one)}" for name, one in held.items())


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(value: Any) -> Any:
    """A dataclass of the ruleset as its JSON."""
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple):
        return [_plain(one) for one in cast("tuple[Any, ...]", value)]
    return value.value if isinstance(value, Enum) else value
