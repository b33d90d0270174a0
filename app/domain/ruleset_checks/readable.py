"""Checks of the facts: names, kinds, and where they are read."""

import re
from collections.abc import Iterator, Mapping

from app.domain.facts import Kind
from app.domain.messages import message
from app.domain.ruleset import FactDefinition, Ruleset
from app.domain.ruleset_checks.remark import Remark, text_given, too_many, warning

COMPANY_LINKED = "company_linked"
_GATHERED = frozenset(
    {"rows", "lead_rows", "text", "lead_text", "company_title", COMPANY_LINKED, "won_deals", "lead_request_answer"}
)
_FINDINGS = frozenset({"request", "urgency", "regular", "trial_delivery"})
_ANSWERS = frozenset({Kind.CODE, Kind.FLAG, Kind.TEXT})
_USED: Mapping[str, frozenset[Kind]] = {
    "request_answer": _ANSWERS,
    "need": _ANSWERS,
    "budget": _ANSWERS,
    "needed_by": frozenset({Kind.DATE}),
    "margin": frozenset({Kind.NUMBER}),
    "amount": frozenset({Kind.NUMBER}),
    "roles": frozenset({Kind.CODES}),
    "need_scope": frozenset({Kind.CODE}),
    "trial": frozenset({Kind.FLAG}),
    "prospects": frozenset({Kind.FLAG}),
}
"""Facts that judging itself asks for, and of what kind they must be."""
MOST_FACTS = 300
_LONGEST_NAME = 64
FIELD_NAME = re.compile(r"UF_[A-Z0-9_]{1,60}|[a-z][A-Za-z0-9]{0,60}")
"""`UF_CRM_…`, or a standard field as `crm.item` prints it."""


def check_facts(ruleset: Ruleset) -> Iterator[Remark]:
    """Remarks on what is known about a card."""
    yield from too_many("facts", ruleset.facts, MOST_FACTS)
    first: dict[str, int] = {}
    for at, one in enumerate(ruleset.facts[:MOST_FACTS]):
        path = f"facts.{at}"
        yield from _name(f"{path}.name", one.name, first)
        first.setdefault(one.name, at)
        yield from _kind(f"{path}.kind", one)
        yield from _sources(f"{path}.sources", one)
        yield from text_given(f"{path}.title", one.title, 100)
        yield from text_given(f"{path}.question", one.question)
    for name in _USED:
        if name not in first:
            yield warning("facts", message("“{fact}” is not among the facts, so it will never be known", fact=name))


def _name(path: str, name: str, first: Mapping[str, int]) -> Iterator[Remark]:
    if not name.isidentifier() or len(name) > _LONGEST_NAME:
        yield Remark(path, message("A fact's name is one word of letters, digits and “_”, at most 64 of them."))
    elif name in _GATHERED or name in _FINDINGS:
        yield Remark(path, message("“{fact}” is a name that Ogon uses itself: take another", fact=name))
    elif name in first:
        yield Remark(path, message("“{fact}” is there already: {path}", fact=name, path=f"facts.{first[name]}"))


def _kind(path: str, fact: FactDefinition) -> Iterator[Remark]:
    if fact.kind in {Kind.DATES, Kind.ROWS}:
        yield Remark(path, message("must be number, flag, date, code, codes or text"))
    elif fact.kind not in _USED.get(fact.name, {fact.kind}):
        kinds = tuple(sorted(kind.value for kind in _USED[fact.name]))
        yield Remark(path, message("“{fact}” is judged as {kinds} and nothing else", fact=fact.name, kinds=kinds))


def _sources(path: str, fact: FactDefinition) -> Iterator[Remark]:
    if not fact.sources:
        yield Remark(path, message("The fact is read nowhere: name a card and a field."))
    seen: set[tuple[str, str]] = set()
    for at, source in enumerate(fact.sources):
        if not FIELD_NAME.fullmatch(source.field):
            yield Remark(
                f"{path}.{at}.field",
                message("“{field}” is no field's name: UF_CRM_… or a name like revenue", field=source.field[:80]),
            )
        if source.money and fact.kind is not Kind.NUMBER:
            yield Remark(f"{path}.{at}.money", message("Only a fact of the kind number can be money."))
        if (source.card, source.field) in seen:
            yield warning(f"{path}.{at}", message("This field is named already."))
        seen.add((source.card, source.field))
