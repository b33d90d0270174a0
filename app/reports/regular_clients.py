"""Who our regular clients are: the industries, sizes and sources that buy most and most often, from won deals.

A suggestion for the list of industries, beside the list in force; nothing is switched on by it. What is not known is
counted as not known and never guessed: a share of the deals says how far each figure can be trusted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal, get_args

from sqlalchemy import text

from app.domain.criteria import evaluate
from app.domain.facts import Fact, Facts, Kind, Truth
from app.domain.messages import Message, message
from app.domain.ruleset import Criterion, Operator, Ruleset
from app.domain.wording import called, value_said
from app.reports.report import NOT_KNOWN, Column, Coverage, Report, Row, Table, Told, opens_nothing
from app.reports.scope import Scope, Words
from app.store import calendar, past_deals
from app.store.database import ReadSession
from app.store.recorded_deals import RECORDED_DEALS

TITLE: Final = message("Regular clients: who buys most and most often")
Trait = Literal["industry", "turnover", "steam_tph", "source"]
TRAITS: Final[tuple[Trait, ...]] = get_args(Trait)
Advice = Literal["add", "keep", "look"]

_EDGES: Final[Mapping[Trait, tuple[int, ...]]] = {
    "turnover": (100_000_000, 500_000_000, 1_000_000_000, 5_000_000_000, 10_000_000_000),
    "steam_tph": (1, 3, 10, 25, 50),
}
"""Where bands of size begin, RUB a year and t/h; a threshold in force on the same fact is one more edge."""
_MOST: Final = 12_000
"""Months and deals beyond which a rule means "never": the calendar would end before."""
_SHORTEST_YEARS: Final = Decimal("0.25")
_DAYS_IN_YEAR: Final = Decimal("365.25")


@dataclass(frozen=True, slots=True)
class Band:
    """Over `over` and at most `up_to`, as the thresholds are strict; None is without end."""

    over: Decimal | None
    up_to: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Won deals of one industry, band or source. `code` None with `band` None: not known.

    `regular_clients` of the `clients` were regular buyers at some time of the period. `money` and `profit` (RUB) sum
    the `money_known` and `profit_known` deals. `deals_a_year`: won deals a client and year, None over too short a time.
    """

    code: str | None
    band: Band | None
    clients: int
    regular_clients: int
    won_deals: int
    of_clients: int
    money: Decimal
    money_known: int
    profit: Decimal
    profit_known: int
    deals_a_year: Decimal | None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One industry: whether the rules in force take it, and what the won deals advise.

    `add`: regular clients are in it and the rules leave it out; `keep`: they are and the rules take it; `look`: the
    rules take it and too few regular clients are known in it; None: neither.
    """

    code: str
    in_force: bool
    advice: Advice | None
    regular_clients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegularClients:
    """`counted_from`: the period's first day, or the first known win if that is later; `years` since then.

    `known`: of how many won deals the client, each trait, the amount and the profit are known. `not_judged` of the won
    deals closed before any run and are as the portal's lists tell. `known_from`: the day from which on all closed deals
    are known; None until those lists are read, when only judged deals are counted.
    """

    since: date
    until: date
    counted_from: date | None
    years: Decimal
    known_from: date | None
    won_deals: int
    not_judged: int
    clients: int
    regular_clients: int
    known: Mapping[str, int]
    groups: Mapping[Trait, Sequence[Group]]
    industries: Sequence[Suggestion]


# Who is regular is told on each of the client's rows: joined to it, the planner would compare all deals with all.
_WON = f"""
    WITH counted AS (
        SELECT *, lag(closed_on, CAST(:needed AS int) - 1) OVER (PARTITION BY company_id ORDER BY closed_on, card_id)
            >= closed_on - make_interval(months => CAST(:months AS int)) AS makes_regular
        FROM ({RECORDED_DEALS}) AS recorded
        WHERE ending = 'won' AND closed_on >= CAST(:since AS date) AND closed_on <= CAST(:until AS date)
    ), won AS (
        SELECT *, company_id IS NOT NULL AND bool_or(makes_regular) OVER (PARTITION BY company_id) AS is_regular
        FROM counted
    )
"""  # noqa: S608 - constants

_TOTALS = text(f"""
    {_WON}
    SELECT min(closed_on) AS first_on, count(*) AS won_deals, count(DISTINCT company_id) AS clients,
        count(*) FILTER (WHERE last_run_id IS NULL) AS not_judged,
        count(DISTINCT company_id) FILTER (WHERE is_regular) AS regular_clients,
        count(company_id) AS client, count(industry) AS industry, count(turnover) AS turnover,
        count(steam_tph) AS steam_tph, count(source) AS source, count(amount) AS amount, count(profit) AS profit
    FROM won
""")  # noqa: S608 - constants

_GROUPS = text(f"""
    {_WON}
    SELECT trait, code, band,
        count(DISTINCT company_id) AS clients, count(DISTINCT company_id) FILTER (WHERE is_regular) AS regular_clients,
        count(*) AS won_deals, count(company_id) AS of_clients,
        coalesce(sum(amount), 0) AS money, count(amount) AS money_known,
        coalesce(sum(profit), 0) AS profit, count(profit) AS profit_known
    FROM won CROSS JOIN LATERAL (VALUES
        ('industry', industry, NULL),
        ('turnover', NULL, CASE WHEN turnover IS NOT NULL THEN
            (SELECT count(*) FROM unnest(CAST(:turnover_edges AS numeric[])) AS edge WHERE turnover > edge) END),
        ('steam_tph', NULL, CASE WHEN steam_tph IS NOT NULL THEN
            (SELECT count(*) FROM unnest(CAST(:steam_edges AS numeric[])) AS edge WHERE steam_tph > edge) END),
        ('source', source, NULL)
    ) AS told (trait, code, band)
    GROUP BY trait, code, band
    ORDER BY money DESC, won_deals DESC, code, band
""")  # noqa: S608 - constants


async def regular_clients(
    session: ReadSession, portal_id: int, ruleset: Ruleset, *, since: date, until: date, least_regular: int = 2
) -> RegularClients:
    """Deals won from the day `since` to the day `until`, both counted; who is regular, the rules in force say.

    An industry is advised when at least `least_regular` regular clients are in it. Groups come by money, most first.
    """
    edges: dict[Trait, list[Decimal]] = {trait: _edges(trait, ruleset.client) for trait in _EDGES}
    values = {
        "portal": portal_id,
        "ahead": await calendar.offset(session, portal_id),
        "since": since,
        "until": until,
        "needed": min(max(ruleset.minimum.regular_won_deals, 1), _MOST),
        "months": min(max(ruleset.minimum.regular_months, 0), _MOST),
        "turnover_edges": edges["turnover"],
        "steam_edges": edges["steam_tph"],
    }
    totals = (await session.execute(_TOTALS, values)).one()
    counted_from = None if totals.first_on is None else max(since, totals.first_on)
    years = _years(counted_from, until)
    groups: dict[Trait, list[Group]] = {trait: [] for trait in TRAITS}
    for row in await session.execute(_GROUPS, values):
        groups[row.trait].append(_group(row, edges, years))
    return RegularClients(
        since=since,
        until=until,
        counted_from=counted_from,
        years=years,
        known_from=await past_deals.whole_from(session, portal_id),
        won_deals=totals.won_deals,
        not_judged=totals.not_judged,
        clients=totals.clients,
        regular_clients=totals.regular_clients,
        known={name: getattr(totals, name) for name in ("client", *TRAITS, "amount", "profit")},
        groups=groups,
        industries=_suggested(groups["industry"], ruleset.client, least_regular),
    )


def _edges(trait: Trait, criteria: Iterable[Criterion]) -> list[Decimal]:
    in_force = {one.number for one in criteria if one.fact == trait and one.number is not None}
    return sorted(in_force | {Decimal(edge) for edge in _EDGES[trait]})


def _years(first: date | None, until: date) -> Decimal:
    return Decimal(0) if first is None else (((until - first).days + 1) / _DAYS_IN_YEAR).quantize(Decimal("0.01"))


def _group(row: Any, edges: Mapping[Trait, Sequence[Decimal]], years: Decimal) -> Group:
    often = None
    if row.clients and years >= _SHORTEST_YEARS:
        often = (row.of_clients / (row.clients * years)).quantize(Decimal("0.01"))
    return Group(
        code=row.code,
        band=None if row.band is None else _band(edges[row.trait], row.band),
        clients=row.clients,
        regular_clients=row.regular_clients,
        won_deals=row.won_deals,
        of_clients=row.of_clients,
        money=row.money,
        money_known=row.money_known,
        profit=row.profit,
        profit_known=row.profit_known,
        deals_a_year=often,
    )


def _band(edges: Sequence[Decimal], number: int) -> Band:
    return Band(edges[number - 1] if number else None, edges[number] if number < len(edges) else None)


def _suggested(groups: Iterable[Group], criteria: Iterable[Criterion], least: int) -> list[Suggestion]:
    """The industries with won deals in the order of the groups, then those that only the rules name."""
    rules = [one for one in criteria if one.fact == "industry"]
    regular = {group.code: group.regular_clients for group in groups if group.code is not None}
    listed = {code for rule in rules if rule.operator is Operator.ONE_OF for code in rule.codes}
    bought = {code.casefold() for code in regular}
    codes = [*regular, *sorted(code for code in listed if code.casefold() not in bought)]
    return [_suggestion(code, regular.get(code, 0), rules, least) for code in codes]


def _suggestion(code: str, regular: int, rules: Iterable[Criterion], least: int) -> Suggestion:
    facts = Facts([Fact("industry", Kind.CODE, code)])
    in_force = all(evaluate(rule, facts).truth is Truth.YES for rule in rules)
    advice: Advice | None = "look" if in_force else None
    if regular >= least:
        advice = "keep" if in_force else "add"
    return Suggestion(code, in_force, advice, regular)


def band_said(trait: Trait, band: Band) -> Message:
    """A band of size in words, with its unit."""
    match band:
        case Band(over=None, up_to=Decimal() as up_to):
            return message("up to {up_to}", up_to=value_said(trait, up_to))
        case Band(over=Decimal() as over, up_to=None):
            return message("over {over}", over=value_said(trait, over))
        case Band(over=Decimal() as over, up_to=Decimal() as up_to):
            return message("over {over}, up to {up_to}", over=value_said(trait, over), up_to=value_said(trait, up_to))
        case _:
            return message("any")


_CALLED: Final[Mapping[str, Message]] = {
    "client": message("Client"),
    "source": message("Source"),
    **{name: called(name) for name in ("industry", "turnover", "steam_tph", "amount")},
    "profit": called("margin"),
}
_COLUMNS: Final = (
    Column("clients", message("Clients")),
    Column("regular_clients", message("Regular clients")),
    Column("won_deals", message("Won deals")),
    Column("money", message("Money"), "money"),
    Column("profit", message("Profit"), "money"),
    Column("deals_a_year", message("Deals of a client in a year"), "number"),
)


async def _tell(session: ReadSession, scope: Scope) -> Told:
    since, until = scope.filter.since, scope.filter.until
    found = await regular_clients(session, scope.portal_id, scope.rules, since=since, until=until)
    tables = [
        Table(
            trait,
            _CALLED[trait],
            _CALLED[trait],
            _COLUMNS,
            tuple(_row(trait, group, scope.words) for group in found.groups[trait]),
        )
        for trait in TRAITS
    ]
    known = [Coverage(_CALLED[name], count, found.won_deals) for name, count in found.known.items()]
    return Told(tuple(tables), tuple(known))


def _row(trait: Trait, group: Group, words: Words) -> Row:
    cells = {column.name: getattr(group, column.name) for column in _COLUMNS}
    if group.band is not None:
        edge = group.band.over or 0
        return Row(str(edge), band_said(trait, group.band), cells)
    label = words.industry(group.code) if trait == "industry" else words.source(group.code)
    return Row(group.code or NOT_KNOWN, label, cells)


REPORT: Final = Report(
    name="regular-clients",
    title=TITLE,
    definition=message(
        "Deals won in the period by their close date, grouped by what is known of the client and by source. A client "
        "is regular with the won deals and months of the rules in force."
    ),
    tell=_tell,
    open=opens_nothing,
    filters=frozenset({"period"}),
    days=1096,
)
