"""Facts in a manager's words: what a fact is called, how its value is written, how it is asked for.

Called by the judging modules for their `why`, flips and questions. Only words: nothing is compared here.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from app.domain.facts import Fact, FactValue, Row, Truth
from app.domain.messages import Message, MessageValue, message

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TENTH = 0.1

_NAMES: dict[str, Message] = {
    "steam_tph": message("Steam consumption"),
    "turnover": message("Turnover"),
    "industry": message("Industry"),
    "request": message("Request"),
    "request_answer": message("Request within our nomenclature"),
    "lead_request_answer": message("Request within our nomenclature"),
    "need": message("Need"),
    "budget": message("Budget"),
    "urgency": message("Urgency"),
    "needed_by": message("Delivery date"),
    "margin": message("Profit of the deal"),
    "amount": message("Amount of the deal"),
    "roles": message("Buying centre"),
    "need_scope": message("Scope of the need"),
    "trial": message("Trial delivery"),
    "prospects": message("Prospects"),
    "company_title": message("Company name"),
    "regular": message("Regular buyer"),
    "trial_delivery": message("Trial delivery"),
}

_QUESTIONS: dict[str, Message] = {
    "steam_tph": message("How much steam does the client use, t/h?"),
    "turnover": message("What is the client's turnover, RUB a year?"),
    "industry": message("What industry is the client in?"),
    "request_answer": message("Is the request within our nomenclature?"),
    "company_title": message("What is the company called?"),
}

_INDUSTRIES: dict[str, Message] = {
    "IT": message("IT"),
    "TELECOM": message("Telecommunications"),
    "MANUFACTURING": message("Manufacturing"),
    "BANKING": message("Banking"),
    "CONSULTING": message("Consulting"),
    "FINANCE": message("Finance"),
    "GOVERNMENT": message("Government"),
    "DELIVERY": message("Delivery"),
    "ENTERTAINMENT": message("Entertainment"),
    "NOTPROFIT": message("Non-profit"),
    "OTHER": message("Other"),
}

_ANSWERS: dict[str, Message] = {"yes": message("yes"), "no": message("no")}
_CODES: dict[str, dict[str, Message]] = {
    "industry": _INDUSTRIES,
    "need_scope": {"whole": message("the whole need"), "part": message("a part of it")},
    "roles": {
        "economic": message("economic buyer"),
        "technical": message("technical buyer"),
        "user": message("user"),
    },
}
"""What the codes of our own fields mean. Keys of industries are in upper case, the others in lower."""

_OTHER_SAYS = message("{said} (taken from: {card}; {other_card}: {other})")
_CARDS: dict[str, Message] = {
    "lead": message("lead"),
    "company": message("company card"),
    "deal": message("deal"),
}


def called(name: str) -> Message:
    """What people call the fact; an admin's own fact goes by its name."""
    return _NAMES.get(name) or message("{name}", name=name)


def asked(name: str) -> Message:
    """The question that fills the fact."""
    return _QUESTIONS.get(name) or message("{fact}: what is it?", fact=called(name))


def fact_called(fact: Fact) -> Message:
    """What people call the fact: the admin's own title first."""
    return message("{name}", name=fact.title) if fact.title else called(fact.name)


def fact_asked(fact: Fact) -> Message:
    """The question that fills the fact: the admin's own first."""
    if fact.question:
        return message("{name}", name=fact.question)
    return message("{fact}: what is it?", fact=fact_called(fact)) if fact.title else asked(fact.name)


def card_called(source: str) -> Message:
    """The card of a source like `lead.UF_CRM_OGON_STEAM_TPH`."""
    card = source.partition(".")[0]
    return _CARDS.get(card) or message("{name}", name=card)


def truth_said(truth: Truth) -> Message:
    """Yes, no or not known."""
    match truth:
        case Truth.YES:
            return message("yes")
        case Truth.NO:
            return message("no")
        case Truth.UNKNOWN:
            return message("not known")


def value_said(name: str, value: FactValue) -> MessageValue:
    """A fact's value with its unit."""
    match value:
        case bool():
            return message("yes") if value else message("no")
        case Decimal() if name == "steam_tph":
            return message("{value} t/h", value=value)
        case Decimal() if name == "turnover":
            return message("{value} RUB a year", value=value)
        case Decimal() if name in {"margin", "amount"}:
            return message("{value} RUB", value=value)
        case Decimal() | date():
            return value
        case str():
            return code_said(name, value)
        case tuple():
            return tuple(_item_said(name, item) for item in value)


def code_said(name: str, code: str) -> str | Message:
    """A code; the portal's standard industries and the answers in our own fields by name."""
    known = _CODES.get(name, _ANSWERS)
    return known.get(code.upper() if name == "industry" else code.lower(), code)


def _item_said(name: str, item: str | date | Row) -> MessageValue:
    match item:
        case str():
            return code_said(name, item)
        case Row():
            return item.name
        case _:
            return item


def not_known(fact: Fact) -> Message:
    """That a fact is not known, and what was wrong with what is filled in."""
    if fact.problem is None:
        return message("{fact} is not known", fact=fact_called(fact))
    return message("{fact} is not known: {problem}", fact=fact_called(fact), problem=fact.problem)


def with_sources(said: Message, fact: Fact) -> Message:
    """Add who else says something else, and what could not be read, so that nobody wonders which value was taken."""
    if fact.problem is not None:
        said = message("{said} ({problem})", said=said, problem=fact.problem)
    for source, value in fact.others:
        if value != fact.value:
            said = Message(
                _OTHER_SAYS.template,
                {
                    "said": said,
                    "card": card_called(fact.source),
                    "other_card": card_called(source),
                    "other": value_said(fact.name, value),
                },
            )
    return said


def in_turn(parts: Sequence[Message]) -> Message:
    """Several messages as one line."""
    if not parts:
        return message("nothing to add")
    line, *rest = parts
    for part in rest:
        line = message("{first}; {second}", first=line, second=part)
    return line


def length_of_time(seconds: float) -> Message:
    """In its two largest units: `2 h 5 min`."""
    whole = round(seconds)
    if whole < _MINUTE:
        return message("{count} s", count=str(whole))
    if whole < _HOUR:
        return message("{count} min", count=str(whole // _MINUTE))
    large, small = (_HOUR, _MINUTE) if whole < _DAY else (_DAY, _HOUR)
    first, rest = str(whole // large), str(whole % large // small)
    if large == _HOUR:
        return message("{hours} h {minutes} min", hours=first, minutes=rest)
    return message("{days} d {hours} h", days=first, hours=rest)


def percent(share: float) -> Decimal:
    """A share of 0 to 1 in percent, below ten with a decimal place."""
    return Decimal(str(round(share * 100, 0 if share >= _TENTH else 1)))


def without_others(said: Message) -> Message:
    """The same without what other cards say instead: that decides nothing, and is there as soon as a card is linked."""
    values = dict(said.values)
    bare = values["said"] if said.template == _OTHER_SAYS.template else None
    if isinstance(bare, Message):
        return without_others(bare)
    told = {name: without_others(value) if isinstance(value, Message) else value for name, value in values.items()}
    return Message(said.template, told)
