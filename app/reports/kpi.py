"""The KPI sheet of managers: fixed, variable and penalty part by the weights of the rules, and what they are made of.

What is paid for what is reckoned in `domain/kpi.py`; here are the facts: a counted table for each indicator.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from app.domain.interval import Share
from app.domain.kpi import FIGURES_SAID, SHARES, Pay, months_of, pay_of
from app.domain.messages import Message, message
from app.domain.ruleset import KpiBreach, KpiFigure
from app.reports.grouped import CLOSED, CREATED, Grouped, Known, Measure, counted, shared, summed
from app.reports.relations import ACTIVE_CLIENTS, DEALS, WON, bought_since
from app.reports.report import (
    Chart,
    Column,
    Coverage,
    FoundCards,
    NoSuchNumber,
    Number,
    Report,
    Row,
    Table,
    Told,
    Value,
)
from app.reports.scope import Scope
from app.reports.sources import SourceKept, missing_said, sources_kept
from app.reports.touched import Touched, open_touched, worth
from app.store import histories
from app.store.database import ReadSession
from app.store.touches import REACHING

# One row for each stretch of a round in which a card was one person's. A stretch that ended in time because the card
# went to somebody else says nothing of the person.
_STRETCHES: Final = """
    SELECT one.*, one.arrived_at AS at, NULL::numeric AS amount FROM (
        SELECT held.entity_type_id, held.card_id, held.arrived_at, held.user_id AS responsible, round.state,
            CASE WHEN round.met = 'unknown' THEN 'unknown'
                WHEN round.met = 'no' AND coalesce(held.until, CAST(:now AS timestamptz)) > held.due_at THEN 'no'
                WHEN held.until <= held.due_at AND held.until >= coalesce(round.responded_at, round.closed_at)
                    THEN 'yes' END AS met
        FROM reactions AS round JOIN reaction_holders AS held
            USING (portal_id, entity_type_id, card_id, arrived_at)
        LEFT JOIN lead_figures AS lead ON round.entity_type_id = 1 AND lead.portal_id = round.portal_id
            AND lead.card_id = round.card_id
        LEFT JOIN deal_figures AS deal ON round.entity_type_id = 2 AND deal.portal_id = round.portal_id
            AND deal.card_id = round.card_id
        WHERE round.portal_id = :portal AND round.arrived_at >= :starts AND round.arrived_at < :ends
          AND round.deal_id IS NULL AND NOT coalesce(lead.deleted, deal.deleted, false) AND held.user_id IS NOT NULL
    ) AS one WHERE {where}
"""
_EACH: Final = "DISTINCT card_id * 8 + entity_type_id"
# A call of which nobody can tell whether there was a talk forgets no client for sure.
_FORGOTTEN: Final = f"""
    SELECT 4 AS entity_type_id, one.company_id AS card_id, one.*, NULL::numeric AS amount FROM (
        SELECT client.company_id, company.assigned_by_id AS responsible, last.last_at AS at
        FROM ({ACTIVE_CLIENTS}) AS client
        JOIN companies AS company ON company.portal_id = :portal AND company.company_id = client.company_id
        LEFT JOIN company_touches AS last ON last.portal_id = :portal AND last.company_id = client.company_id
        WHERE NOT EXISTS (
            SELECT FROM company_days AS touched
            WHERE touched.portal_id = :portal AND touched.company_id = client.company_id
              AND touched.day >= :since AND touched.day <= :until AND touched.kind = ANY(:perhaps_reaching)
        )
    ) AS one WHERE {{where}}
"""  # noqa: S608 - constants
_DAYS: Final = """
    SELECT one.* FROM (
        SELECT did.user_id AS responsible, did.kind, did.count FROM activity_days AS did
        WHERE did.portal_id = :portal AND did.day >= :since AND did.day <= :until AND did.user_id <> 0
    ) AS one WHERE {where}
"""
_POINTS: Final = """
    sum(count * CASE WHEN kind IN ('call_out', 'call_in') THEN :call WHEN kind = 'letter_out' THEN :letter
        WHEN kind = 'chat' THEN :chat WHEN kind = 'meeting' THEN :meeting WHEN kind = 'quote' THEN :proposal
        WHEN kind = 'invoice' THEN :invoice ELSE 0 END)
"""
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "calls": (histories.CALLS,),
    "points": (histories.ACTIVITIES, histories.CALLS),
    "forgotten_client": (histories.ACTIVITIES, histories.CALLS),
}
"""Sources of which all of the period must be kept, or else the figure is not known."""


def _binds(scope: Scope) -> Mapping[str, Any]:
    points = scope.rules.activity
    return {
        "bought_since": bought_since(scope),
        "perhaps_reaching": [*REACHING, "call_unknown"],
        "call": points.call,
        "letter": points.letter,
        "chat": points.chat,
        "meeting": points.meeting,
        "proposal": points.proposal,
        "invoice": points.invoice,
    }


def _label(scope: Scope, key: str) -> str | Message:
    return scope.words.person(key)


def _facts(name: str, title: Message, base: str, fact: Measure, **more: Any) -> Grouped:
    return Grouped(
        name=name,
        title=title,
        heading=message("Manager"),
        base=base,
        key="responsible",
        label=_label,
        measures=(fact,),
        filters=("managers",),
        totals=False,
        binds=_binds,
        **more,
    )


def _figure(figure: KpiFigure, base: str, fact: Measure, **more: Any) -> Grouped:
    return _facts(figure, FIGURES_SAID[figure], base, fact, **more)


_OF_FIGURE: Final[Mapping[KpiFigure, Grouped]] = {
    "sales": _figure(
        "sales",
        DEALS,
        summed("fact", message("Revenue"), "amount", WON),
        period=CLOSED,
        known=(Known(message("Amount of won deals"), "amount IS NOT NULL", WON),),
    ),
    "profit": _figure(
        "profit",
        DEALS,
        summed("fact", message("Profit"), "profit", WON),
        period=CLOSED,
        known=(Known(message("Profit of won deals"), "profit IS NOT NULL", WON),),
    ),
    "won": _figure("won", DEALS, counted("fact", message("Won"), WON), period=CLOSED),
    "within_target": _figure(
        "within_target",
        _STRETCHES,
        shared("fact", message("Within the target"), "met = 'yes'", "met IN ('yes', 'no')", each=_EACH),
        known=(Known(message("Whether the target was met"), "met <> 'unknown'", "met IS NOT NULL"),),
    ),
    "calls": _figure(
        "calls",
        _DAYS,
        Measure(
            Column("fact", message("Calls"), cards=True),
            "coalesce(sum(count) FILTER (WHERE kind IN ('call_out', 'call_in')), 0)",
        ),
    ),
    "points": _figure("points", _DAYS, Measure(Column("fact", message("Points"), "number", cards=True), _POINTS)),
    "checklist": _figure(
        "checklist",
        DEALS,
        shared("fact", message("Whole list"), "checklist = 'yyyyyyy'", "checklist IS NOT NULL"),
        period=CREATED,
        known=(Known(message("Self-check list"), "checklist IS NOT NULL"),),
    ),
}
_OF_BREACH: Final[Mapping[KpiBreach, Grouped]] = {
    "missed_response": _facts(
        "missed_response",
        message("Missed first responses"),
        _STRETCHES,
        counted("missed_response", message("Missed first responses"), "met = 'no'", each=_EACH),
    ),
    "forgotten_client": _facts(
        "forgotten_client",
        message("Forgotten clients"),
        _FORGOTTEN,
        counted("forgotten_client", message("Forgotten clients")),
    ),
    "below_minimum": _facts(
        "below_minimum",
        message("Deals below the minimum"),
        DEALS,
        counted("below_minimum", message("Deals below the minimum"), f"{WON} AND declined"),
        period=CLOSED,
        known=(Known(message("Won deals judged by the rules"), "declined IS NOT NULL", WON),),
    ),
}
_TOUCHES: Final[Mapping[str, Callable[[Scope], tuple[str, ...]]]] = {
    "calls": lambda _: ("call_out", "call_in"),
    "points": lambda scope: worth(scope.rules.activity),
}
"""Figures that count touches, and of which kinds."""
_PENALTIES: Final = "penalties"
_SHEET: Final = (
    Column("fixed", message("Fixed part"), "money"),
    Column("variable", message("Variable part"), "money"),
    Column(
        "penalty", message("Penalties"), "money", message("Taken from the variable part, never more than there is.")
    ),
    Column("total", message("Total"), "money"),
)
_PART: Final = (
    Column("goal", message("Goal"), "number", message("For the period; of shares in percent.")),
    Column("done", message("Fulfilment, %"), "number"),
    Column("pay", message("Part, RUB"), "money"),
)

ByPerson = dict[str, Value]


async def _tell(session: ReadSession, scope: Scope) -> Told:
    kpi, kept = scope.rules.kpi, await sources_kept(session, scope)
    if not kpi.indicators and not kpi.fixed:
        said = message("Switched off: the rules (`kpi`) have neither a fixed part nor indicators.")
        return Told((_sheet(scope, {}),), notes=(said,))
    facts: dict[KpiFigure, ByPerson] = {}
    breaches: dict[KpiBreach, ByPerson] = {}
    coverage: dict[Coverage, None] = {}
    for one in kpi.indicators:
        facts[one.figure], known = await _by_person(session, scope, _OF_FIGURE[one.figure])
        coverage |= dict.fromkeys(known)
    for breach, table in _OF_BREACH.items():
        if getattr(kpi, breach) and _whole(breach, kept):
            breaches[breach], known = await _by_person(session, scope, table)
            coverage |= dict.fromkeys(known)
    people = {key for of in (*facts.values(), *breaches.values()) for key in of if key}
    months = months_of(scope.filter.since, scope.filter.until)
    sheets = {
        key: pay_of(
            kpi,
            months,
            {name: _number(name, of.get(key, _none(name)), kept) for name, of in facts.items()},
            {name: _count(of.get(key)) for name, of in breaches.items()},
        )
        for key in sorted(people, key=int)
    }
    tables = [_sheet(scope, sheets), *(_indicator(scope, name, of, sheets) for name, of in facts.items())]
    if breaches:
        tables.append(_penalties(scope, breaches, sheets))
    needed = {source for name in (*facts, *_OF_BREACH) for source in _NEEDED.get(name, ())}
    return Told(tuple(tables), tuple(coverage), missing_said([one for one in kept if one.source in needed]))


async def _by_person(session: ReadSession, scope: Scope, table: Grouped) -> tuple[ByPerson, tuple[Coverage, ...]]:
    told, coverage = await table.tell(session, scope)
    first = table.measures[0].column.name
    return {row.key: row.cells[first] for row in told.rows}, coverage


def _whole(name: str, kept: list[SourceKept]) -> bool:
    needed = _NEEDED.get(name, ())
    return all(one.whole for one in kept if one.source in needed)


def _none(figure: KpiFigure) -> Value:
    """Of a person without anything to count: nothing was done; of a share there is nothing to tell."""
    return None if figure in SHARES else 0


def _number(figure: KpiFigure, value: Value, kept: list[SourceKept]) -> Decimal | None:
    """The fact as it is held against the goal; None where it is not known."""
    if not _whole(figure, kept):
        return None
    if isinstance(value, Share):
        return Decimal(100 * value.hits) / value.of
    return Decimal(value) if isinstance(value, int | Decimal) else None


def _count(value: Value) -> int:
    return value if isinstance(value, int) else 0


def _sheet(scope: Scope, sheets: Mapping[str, Pay]) -> Table:
    names = [column.name for column in _SHEET]
    rows = tuple(
        Row(key, _label(scope, key), {name: getattr(sheet, name) for name in names}) for key, sheet in sheets.items()
    )
    known = {name: [value for row in rows if isinstance(value := row.cells[name], Decimal)] for name in names}
    whole = Row("", message("Total"), {name: sum(of, Decimal(0)) if of else None for name, of in known.items()})
    heading, title = message("Manager"), message("KPI sheet")
    return Table("sheet", title, heading, _SHEET, rows, whole if rows else None, Chart("bars", ("total",)))


def _indicator(scope: Scope, figure: KpiFigure, facts: ByPerson, sheets: Mapping[str, Pay]) -> Table:
    weight = next(one.weight for one in scope.rules.kpi.indicators if one.figure == figure)
    title = message("{indicator} – weight {weight} %", indicator=FIGURES_SAID[figure], weight=weight)
    rows: list[Row] = []
    for key, sheet in sheets.items():
        part = sheet.parts[figure]
        done = None if part.done is None else round(100 * part.done, 2)
        cells: dict[str, Value] = {"fact": facts.get(key, _none(figure)), "goal": part.goal, "done": done}
        rows.append(Row(key, _label(scope, key), cells | {"pay": part.pay}))
    columns = (_OF_FIGURE[figure].measures[0].column, *_PART)
    return Table(figure, title, message("Manager"), columns, tuple(rows))


def _penalties(scope: Scope, breaches: Mapping[KpiBreach, ByPerson], sheets: Mapping[str, Pay]) -> Table:
    columns = [_OF_BREACH[name].measures[0].column for name in breaches]
    charged = Column("charged", message("Comes to, RUB"), "money")
    rows = tuple(
        Row(key, _label(scope, key), {name: _count(of.get(key)) for name, of in breaches.items()} | {"charged": one})
        for key, one in ((key, sheet.charged) for key, sheet in sheets.items())
    )
    return Table(_PENALTIES, message("Penalties"), message("Manager"), (*columns, charged), rows)


async def _open(session: ReadSession, scope: Scope, number: Number, limit: int, offset: int) -> FoundCards:
    if number.column == "fact" and number.row and number.row.isdecimal() and number.table in _TOUCHES:
        kinds = _TOUCHES[number.table](scope)
        return await open_touched(session, scope, Touched(kinds=kinds, user=int(number.row)), limit, offset)
    named: Mapping[str, Grouped] = {**_OF_FIGURE}
    of_breach: Mapping[str, Grouped] = {**_OF_BREACH}
    table = of_breach.get(number.column) if number.table == _PENALTIES else named.get(number.table)
    if table is None:
        raise NoSuchNumber(str(number))
    return await table.open(session, scope, number, limit, offset)


REPORT: Final = Report(
    name="kpi",
    title=message("KPI sheet of managers"),
    definition=message(
        "What the rules (`kpi`) make of a month for each person of whom there is anything to count: fixed part, "
        "variable part, penalties. An indicator pays nothing up to the floor, from there evenly up to its whole share "
        "at the goal, and on to the cap. Fixed part, variable part and goals are those of a month, for another period "
        "in proportion; goals of shares stay. A figure that is not known pays and costs nothing: its weight goes to "
        "the others. Sales, profit and won deals by their close date; a first response is in time by the person's own "
        "clock, from when he got the card; the self-check list is of deals made in the period. Forgotten clients are "
        "active clients of whom the person is responsible now and whom nobody touched. A deal below the minimum is "
        "one that the rules declined and the person won all the same. Penalties are taken from the variable part "
        "only. The sheet only tells: it pays nobody."
    ),
    tell=_tell,
    open=_open,
    filters=frozenset({"period", "manager", "department", "pool"}),
    days=31,
    last_month=True,
    role="head",
)
