"""What differs between two versions of the rules: path, before and after, and a sentence for people.

Called by the API and the terminal before and after publishing. Items of lists are told apart by what they are about,
not by where they stand: a criterion put in front changes one thing and not all that follow.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias, cast

from app.domain.messages import Message, message
from app.domain.ruleset import Ruleset
from app.domain.ruleset_words import WORDS, Name, Word, in_a_row, item_said, key_said, value_said


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `path` is where the value stands now, or where it stood if it is gone; values are JSON."""

    path: str
    before: Any
    after: Any
    said: Message


_Where: TypeAlias = tuple[tuple[str, ...], tuple[Message, ...]]
_Key: TypeAlias = tuple[str, int]


def differences(before: Ruleset, after: Ruleset) -> list[Change]:
    """All changes in the order of the document; the number of the version is none."""
    return list(_compared(((), ()), before, after, WORDS))


def _compared(where: _Where, before: Any, after: Any, word: Word) -> Iterator[Change]:
    if word.named is not None:
        yield from _lists(where, before, after, word)
    elif word.table:
        yield from _tables(where, before, after, word)
    elif is_dataclass(before):
        for name, inner in word.keys.items():
            yield from _compared(_into(where, name, inner.label), getattr(before, name), getattr(after, name), inner)
    elif before == after and type(before) is type(after):
        # 1 and a ticked box are equal to Python, and written differently.
        return
    elif isinstance(before, tuple):
        yield _list_changed(where, cast("tuple[Any, ...]", before), cast("tuple[Any, ...]", after))
    else:
        said = message(
            "{what}: {before} → {after}",
            what=in_a_row(where[1]),
            before=key_said(word, before),
            after=key_said(word, after),
        )
        yield _change(where, before, after, said)


def _into(where: _Where, key: str, label: Message) -> _Where:
    path, what = where
    return (*path, key), (*what, label)


def _tables(where: _Where, before: Mapping[Any, Any], after: Mapping[Any, Any], word: Word) -> Iterator[Change]:
    for key in dict.fromkeys([*before, *after]):
        name = str(_plain(key))
        inner = _into(where, name, message("{name}", name=name))
        if key in before and key in after:
            yield from _compared(inner, before[key], after[key], Word(word.label, word.keys))
        else:
            yield _come_or_gone(inner, before.get(key), after.get(key), here=key in after)


def _lists(where: _Where, before: Sequence[Any], after: Sequence[Any], word: Word) -> Iterator[Change]:
    old, new = _by_key(before, word), _by_key(after, word)
    for key in dict.fromkeys([*old, *new]):
        at, name, item = new.get(key) or old[key]
        inner = _into(where, str(at), name[1])
        if key in old and key in new:
            yield from _compared(inner, old[key][2], item, Word(word.label, word.keys))
        else:
            yield _come_or_gone(inner, *((None, item) if key in new else (item, None)), here=key in new)
    stayed = [key for key in old if key in new]
    if stayed != [key for key in new if key in old]:
        names = [tuple(known[key][1][1] for key in known) for known in (old, new)]
        said = message(
            "{what}: another order, {before} → {after}", what=in_a_row(where[1]), before=names[0], after=names[1]
        )
        yield Change(".".join(where[0]), [key[0] for key in old], [key[0] for key in new], said)


def _by_key(items: Sequence[Any], word: Word) -> dict[_Key, tuple[int, Name, Any]]:
    """Items by what they are known by, and a number where several are known by the same."""
    assert word.named is not None
    seen = Counter[str]()
    found: dict[_Key, tuple[int, Name, Any]] = {}
    for at, item in enumerate(items):
        name = word.named(item)
        found[name[0], seen[name[0]]] = (at, name, item)
        seen[name[0]] += 1
    return found


def _come_or_gone(where: _Where, before: Any, after: Any, *, here: bool) -> Change:
    what = in_a_row(where[1])
    if here:
        return _change(where, before, after, message("{what}: added ({value})", what=what, value=item_said(after)))
    return _change(where, before, after, message("{what}: taken away ({value})", what=what, value=item_said(before)))


def _list_changed(where: _Where, before: tuple[Any, ...], after: tuple[Any, ...]) -> Change:
    what = in_a_row(where[1])
    old, new = set(before), set(after)
    added = value_said(tuple(item for item in after if item not in old))
    gone = value_said(tuple(item for item in before if item not in new))
    match bool(added), bool(gone):
        case True, False:
            said = message("{what}: added {added}", what=what, added=added)
        case False, True:
            said = message("{what}: taken away {gone}", what=what, gone=gone)
        case True, True:
            said = message("{what}: added {added}; taken away {gone}", what=what, added=added, gone=gone)
        case _:
            said = message(
                "{what}: another order, {before} → {after}",
                what=what,
                before=value_said(before),
                after=value_said(after),
            )
    return _change(where, before, after, said)


def _change(where: _Where, before: Any, after: Any, said: Message) -> Change:
    return Change(".".join(where[0]), _plain(before), _plain(after), said)


def _plain(value: Any) -> Any:
    """JSON, as in the document."""
    match value:
        case Enum():
            return value.value
        case Decimal():
            return str(value)
        case tuple():
            return [_plain(item) for item in cast("tuple[Any, ...]", value)]
        case Mapping():
            return {str(_plain(key)): _plain(item) for key, item in cast("Mapping[Any, Any]", value).items()}
        case _ if is_dataclass(value):
            return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
        case _:
            return value
