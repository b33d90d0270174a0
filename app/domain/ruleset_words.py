"""What people call each key of a ruleset: for differences, for tables, for the comments of an exported document.

One table in the order of the document; `app/domain/ruleset.py` tells what each key does. Only words.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, cast

from app.domain.kpi import FIGURES_SAID
from app.domain.messages import Message, MessageValue, message
from app.domain.ruleset import Criterion, FactDefinition, FactSource, GradeCell, Indicator, Operator, Ruleset
from app.domain.verdict import Grade, Outcome
from app.domain.wording import called, code_said

Name = tuple[str, Message]
"""What an item of a list is known by, and what people read for it."""


@dataclass(frozen=True, slots=True)
class Word:
    """A key's label. `keys` are those of the group, or of each item where there are many.

    `named` where it is a list of groups: how to tell its items apart. `table` where keys are free. `choices`: the
    values there are, where they are few.
    """

    label: Message
    keys: Mapping[str, "Word"] = field(default_factory=dict[str, "Word"])
    named: Callable[[Any], Name] | None = None
    table: bool = False
    choices: tuple[str, ...] = ()


def _criterion(item: Criterion) -> Name:
    return item.fact, called(item.fact)


def _fact(item: FactDefinition) -> Name:
    return item.name, called(item.name)


def _indicator(item: Indicator) -> Name:
    return item.figure, FIGURES_SAID[item.figure]


def _source(item: FactSource) -> Name:
    return f"{item.card}.{item.field}", message("{name}", name=f"{item.card}.{item.field}")


def _cell(item: GradeCell) -> Name:
    pluses = "".join("+" if plus else "-" for plus in (item.need, item.budget, item.urgency))
    said = message(
        "need: {need}, budget: {budget}, urgent: {urgency}",
        need=value_said(item.need),
        budget=value_said(item.budget),
        urgency=value_said(item.urgency),
    )
    return pluses, said


OUTCOMES_SAID: Mapping[str, Message] = {
    "deal": message("Fire"),
    "company": message("Nurture group"),
    "junk": message("Junk"),
    "review": message("For review"),
    "needs_data": message("Data needed"),
}
OPERATORS_SAID: Mapping[str, Message] = {
    "over": message("more than"),
    "at_least": message("at least"),
    "under": message("less than"),
    "at_most": message("at most"),
    "one_of": message("one of the list"),
    "none_of": message("none of the list"),
}
KINDS_SAID: Mapping[str, Message] = {
    "number": message("a number"),
    "flag": message("yes or no"),
    "date": message("a date"),
    "code": message("one of a list"),
    "codes": message("several of a list"),
    "text": message("a text"),
}
_CHOICES_SAID: Mapping[str, Message] = {**OUTCOMES_SAID, **OPERATORS_SAID, **KINDS_SAID, "none": message("No grade")}
"""Values that are chosen from a few, in words; grades but none are called as they are."""


def _values(kind: type[Enum]) -> tuple[str, ...]:
    return tuple(str(member.value) for member in kind)


_CRITERION = {
    "fact": Word(message("fact")),
    "operator": Word(message("comparison"), choices=_values(Operator)),
    "number": Word(message("bound")),
    "codes": Word(message("list")),
}
_FIELDS = Word(message("fields"), table=True)
_ROUTE = {
    "pipeline": Word(message("pipeline")),
    "stage": Word(message("stage")),
    "fields": _FIELDS,
}
_HEAT = {
    "outcomes": Word(message("outcomes"), choices=_values(Outcome)),
    "grades": Word(message("grades"), choices=_values(Grade)),
}

WORDS = Word(
    message("Rules"),
    {
        "facts": Word(
            message("Facts"),
            {
                "name": Word(message("name")),
                "kind": Word(message("kind"), choices=("number", "flag", "date", "code", "codes", "text")),
                "sources": Word(
                    message("where it is read"),
                    {
                        "card": Word(message("card"), choices=("lead", "company", "deal")),
                        "field": Word(message("field")),
                        "zero_is_empty": Word(message("0 means not filled in")),
                        "money": Word(message("an amount in the card's currency")),
                    },
                    named=_source,
                ),
                "title": Word(message("title")),
                "question": Word(message("question")),
            },
            named=_fact,
        ),
        "client": Word(message("Target client"), _CRITERION, named=_criterion),
        "request": Word(message("Target request"), _CRITERION, named=_criterion),
        "nomenclature": Word(
            message("Nomenclature"),
            {
                "sections": Word(message("catalog sections")),
                "products": Word(message("products")),
                "terms": Word(message("words")),
            },
        ),
        "fitting_request_of_no_client": Word(
            message("Fitting request of no target client"), choices=("review", "junk", "deal")
        ),
        "unfitting_request_of_client": Word(
            message("Request of a target client that does not fit"), choices=("company", "review", "junk")
        ),
        "grades": Word(
            message("Grade"),
            {
                "need": Word(message("need")),
                "budget": Word(message("budget")),
                "urgency": Word(message("urgency")),
                "grade": Word(message("grade"), choices=_values(Grade)),
            },
            named=_cell,
        ),
        "urgency_days": Word(message("Urgent within, days")),
        "minimum": Word(
            message("Minimum of a deal"),
            {
                "profit": Word(message("profit, RUB")),
                "amount": Word(message("amount, RUB")),
                "regular_exempt": Word(message("exception for regular buyers")),
                "regular_won_deals": Word(message("won deals of a regular buyer")),
                "regular_months": Word(message("within months")),
                "trial_exempt": Word(message("exception for trial deliveries")),
            },
        ),
        "currencies": Word(
            message("Currencies"),
            {
                "accepted": Word(message("accepted besides RUB")),
                "rates": Word(message("own rates, RUB"), table=True),
            },
        ),
        "outcome_routes": Word(
            message("Leads by outcome"), {"stage": Word(message("stage")), "fields": _FIELDS}, table=True
        ),
        "deal_route": Word(message("New deals"), _ROUTE),
        "grade_routes": Word(message("Deals by grade"), _ROUTE, table=True),
        "declined_route": Word(message("Declined deals"), _ROUTE),
        "nurture": Word(
            message("Nurture group"),
            {
                "segment_field": Word(message("field of the mark")),
                "segment": Word(message("mark")),
                "fields": _FIELDS,
            },
        ),
        "segments": Word(
            message("Segments of companies"),
            {
                "written": Word(message("written to the company")),
                "new": Word(message("mark of a new one")),
                "regular": Word(message("mark of a regular one")),
                "sleeping": Word(message("mark of a sleeping one")),
                "sleeping_days": Word(message("sleeping after days without a purchase")),
                "regular_won_deals": Word(message("won deals of a regular one")),
                "regular_months": Word(message("within months")),
                "todos": Word(message("to-dos for the next contact")),
                "sleeping_cadence": Word(message("days between contacts, sleeping")),
                "nurture_cadence": Word(message("days between contacts, nurture group")),
                "todos_a_day": Word(message("to-dos for a person on a day, at most")),
            },
        ),
        "targets": Word(
            message("First response"),
            {
                "hot": Word(message("hot, working minutes")),
                "warm": Word(message("warm, working minutes")),
                "other": Word(message("others, working minutes")),
                "hot_cards": Word(message("which are hot"), _HEAT),
                "warm_cards": Word(message("which are warm"), _HEAT),
                "warn": Word(message("warning to the owner")),
                "warn_percent": Word(message("warning after, % of the time")),
                "escalate": Word(message("notice to the head when it is over")),
                "pass_on": Word(message("passing on when it is over")),
            },
        ),
        "activity": Word(
            message("Activity rating, points"),
            {
                "call": Word(message("a call")),
                "letter": Word(message("a letter sent")),
                "chat": Word(message("a chat answered")),
                "meeting": Word(message("a meeting held")),
                "proposal": Word(message("a proposal")),
                "invoice": Word(message("an invoice")),
            },
        ),
        "kpi": Word(
            message("KPI sheet of managers"),
            {
                "fixed": Word(message("fixed part, RUB a month")),
                "variable": Word(message("variable part at all goals, RUB a month")),
                "indicators": Word(
                    message("indicators of the variable part"),
                    {
                        "figure": Word(message("indicator"), choices=tuple(FIGURES_SAID)),
                        "weight": Word(message("weight, %")),
                        "goal": Word(message("goal, a month")),
                    },
                    named=_indicator,
                ),
                "floor_percent": Word(message("pays from, % of the goal")),
                "cap_percent": Word(message("pays at most, %")),
                "missed_response": Word(message("penalty for a missed first response, RUB")),
                "forgotten_client": Word(message("penalty for a forgotten client, RUB")),
                "below_minimum": Word(message("penalty for a deal below the minimum, RUB")),
            },
        ),
        "question_days": Word(message("Days for the to-do with questions")),
        "review_days": Word(message("Days for the to-do with a decision")),
        "texts": Word(
            message("Texts"),
            {
                "deal": Word(message("headline, deal")),
                "company": Word(message("headline, nurture group")),
                "junk": Word(message("headline, junk")),
                "review": Word(message("headline, review")),
                "needs_data": Word(message("headline, data needed")),
                "declined": Word(message("headline, declined deal")),
                "question_title": Word(message("to-do with questions")),
                "review_title": Word(message("to-do with a decision")),
                "contact_title": Word(message("to-do for the next contact")),
                "contact_sleeping": Word(message("its text, sleeping company")),
                "contact_nurture": Word(message("its text, nurture group")),
            },
        ),
    },
)


def in_a_row(what: tuple[Message, ...]) -> Message:
    """Labels from the outermost to the innermost as one."""
    first, *rest = what
    for label in rest:
        first = message("{group} · {what}", group=first, what=label)
    return first


def value_said(value: Any) -> MessageValue:
    """A value of a ruleset for people."""
    match value:
        case None:
            return message("not set")
        case bool():
            return message("yes") if value else message("no")
        case Enum():
            return choice_said(str(value.value))
        case float():
            return str(value)
        case int() | Decimal() | str():
            return value
        case Mapping():
            table = cast("Mapping[Any, Any]", value)
            return tuple(_pair(value_said(key), value_said(item)) for key, item in table.items())
        case tuple():
            return tuple(value_said(item) for item in cast("tuple[Any, ...]", value))
        case _:
            return tuple(_pair(name, value_said(getattr(value, name))) for name in value.__dataclass_fields__)


def choice_said(code: str) -> str | Message:
    """One of a few values that a key may have."""
    return _CHOICES_SAID.get(code, code)


def key_said(word: Word, value: Any) -> MessageValue:
    """The value of a key for people."""
    return choice_said(value) if word.choices and isinstance(value, str) else value_said(value)


def _pair(name: MessageValue, value: MessageValue) -> Message:
    return message("{name}: {value}", name=name, value=value)


def lines(ruleset: Ruleset) -> list[tuple[Message, MessageValue]]:
    """All there is in a ruleset, as labels and values."""
    return list(_lines((), ruleset, WORDS))


def _lines(what: tuple[Message, ...], value: Any, word: Word) -> Iterator[tuple[Message, MessageValue]]:
    if word.named is not None and value:
        for item in value:
            yield in_a_row((*what, word.named(item)[1])), item_said(item)
    elif word.table and value and word.keys:
        for key, item in value.items():
            of_key = message("{name}", name=value_said(key))
            yield from _lines((*what, of_key), item, Word(of_key, word.keys))
    elif is_dataclass(value):
        for name, inner in word.keys.items():
            yield from _lines((*what, inner.label), getattr(value, name), inner)
    else:
        yield in_a_row(what), key_said(word, value) if value not in ((), {}) else message("not set")


def item_said(item: Any) -> MessageValue:
    """A whole item of a list, as short as it can be understood."""
    match item:
        case Criterion(operator=operator, number=Decimal() as number):
            return message("{operator} {number}", operator=value_said(operator), number=number)
        case Criterion(fact=fact, operator=operator, codes=codes):
            listed = tuple(code_said(fact, code) for code in codes)
            return message("{operator}: {listed}", operator=value_said(operator), listed=listed)
        case GradeCell(grade=grade):
            return value_said(grade)
        case Indicator(weight=weight, goal=goal):
            return message("{weight} %, goal {goal}", weight=weight, goal=goal)
        case FactDefinition(kind=kind, sources=sources):
            return (value_said(kind), *(_source(source)[1] for source in sources))
        case _:
            return value_said(item)
