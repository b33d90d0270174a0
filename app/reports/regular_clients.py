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
from app.reports.grouped import cards_behind
from app.reports.report import (
    NOT_KNOWN,
    Column,
    Coverage,
    FoundCards,
    NoSuchNumber,
    Number,
    Report,
    Row,
    Table,
    Told,
)
from app.reports.scope import Scope, Words
from app.store import past_deals
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
_ALL: Final = "all"
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

    @property
    def known(self) -> bool:
        """Whether it is known where the deals belong."""
        return self.code is not None or self.band is not None


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


def _band_of(value: str, edges: str) -> str:
    """How many edges it is over. `width_bucket` counts those that a value has come up to: so from the other side."""
    return f"cardinality(CAST(:{edges} AS numeric[])) - width_bucket(-{value}, CAST(:{edges} AS numeric[]))"


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

_TRAIT: Final = """CASE 0 WHEN grouping(industry) THEN 'industry' WHEN grouping(turnover_band) THEN 'turnover'
    WHEN grouping(steam_band) THEN 'steam_tph' WHEN grouping(source) THEN 'source' ELSE 'all' END AS trait,
    coalesce(industry, source) AS code, coalesce(turnover_band, steam_band) AS band"""
# The deals all together are the group of the trait `all`. Clients are told apart by hashing them: counting different
# ones within the sums would sort all deals anew for each trait.
_BANDED: Final = f"""
    {_WON}, banded AS MATERIALIZED (
        SELECT card_id, responsible, company_id, is_regular, closed_on, amount, profit, judged_at, industry, source,
            {_band_of("turnover", "turnover_edges")} AS turnover_band,
            {_band_of("steam_tph", "steam_edges")} AS steam_band
        FROM won
    )
"""  # noqa: S608 - constants
_GROUPS = text(f"""
    {_BANDED}, client AS (
        SELECT {_TRAIT}, bool_or(is_regular) AS is_regular FROM banded WHERE company_id IS NOT NULL
        GROUP BY GROUPING SETS ((industry, company_id), (turnover_band, company_id), (steam_band, company_id),
            (source, company_id), (company_id))
    ), clients AS (
        SELECT trait, code, band, count(*) AS clients, count(*) FILTER (WHERE is_regular) AS regular_clients
        FROM client GROUP BY trait, code, band
    ), deals AS (
        SELECT {_TRAIT}, min(closed_on) AS first_on, count(*) AS won_deals, count(company_id) AS of_clients,
            count(*) FILTER (WHERE judged_at IS NULL) AS not_judged, coalesce(sum(amount), 0) AS money,
            count(amount) AS money_known, coalesce(sum(profit), 0) AS profit, count(profit) AS profit_known
        FROM banded GROUP BY GROUPING SETS ((industry), (turnover_band), (steam_band), (source), ())
    )
    SELECT deals.*, coalesce(clients, 0) AS clients, coalesce(regular_clients, 0) AS regular_clients
    FROM deals LEFT JOIN clients ON clients.trait = deals.trait AND clients.code IS NOT DISTINCT FROM deals.code
        AND clients.band IS NOT DISTINCT FROM deals.band
    WHERE won_deals > 0 ORDER BY money DESC, won_deals DESC, deals.code, deals.band
""")  # noqa: S608 - constants
_PLACE: Final[Mapping[Trait, str]] = {
    "industry": "industry",
    "turnover": "turnover_band",
    "steam_tph": "steam_band",
    "source": "source",
}
_DEALS: Final = f"""
    {_BANDED} SELECT 2 AS entity_type_id, card_id, responsible, amount, closed_on AS at FROM banded
"""  # noqa: S608 - constants
_CLIENTS: Final = f"""
    {_BANDED}
    SELECT DISTINCT ON (company_id) 4 AS entity_type_id, company_id AS card_id, company.assigned_by_id AS responsible,
        CAST(NULL AS numeric) AS amount, closed_on AS at
    FROM banded LEFT JOIN (SELECT company_id, assigned_by_id FROM companies WHERE portal_id = :portal) AS company
        USING (company_id)
"""  # noqa: S608 - constants
_BEHIND: Final[Mapping[str, str]] = {
    "clients": f"{_CLIENTS} WHERE company_id IS NOT NULL AND {{place}} ORDER BY company_id, closed_on DESC",
    "regular_clients": f"{_CLIENTS} WHERE is_regular AND {{place}} ORDER BY company_id, closed_on DESC",
    "won_deals": f"{_DEALS} WHERE {{place}}",
    "money": f"{_DEALS} WHERE amount IS NOT NULL AND {{place}}",
    "profit": f"{_DEALS} WHERE profit IS NOT NULL AND {{place}}",
}
"""By column, the clients with their last win, or the deals."""


async def regular_clients(
    session: ReadSession, portal_id: int, ruleset: Ruleset, *, since: date, until: date, least_regular: int = 2
) -> RegularClients:
    """Deals won from the day `since` to the day `until`, both counted; who is regular, the rules in force say.

    An industry is advised when at least `least_regular` regular clients are in it. Groups come by money, most first.
    """
    edges: dict[Trait, list[Decimal]] = {trait: _edges(trait, ruleset.client) for trait in _EDGES}
    values = {"portal": portal_id, "since": since, "until": until, **_binds(ruleset, edges)}
    rows = (await session.execute(_GROUPS, values)).all()
    whole = next((row for row in rows if row.trait == _ALL), None)
    counted_from = None if whole is None else max(since, whole.first_on)
    years = _years(counted_from, until)
    groups: dict[Trait, list[Group]] = {
        trait: [_group(row, edges, years) for row in rows if row.trait == trait] for trait in TRAITS
    }
    known = {trait: sum(one.won_deals for one in of if one.known) for trait, of in groups.items()}
    return RegularClients(
        since=since,
        until=until,
        counted_from=counted_from,
        years=years,
        known_from=await past_deals.whole_from(session, portal_id),
        won_deals=whole.won_deals if whole else 0,
        not_judged=whole.not_judged if whole else 0,
        clients=whole.clients if whole else 0,
        regular_clients=whole.regular_clients if whole else 0,
        known={
            "client": whole.of_clients if whole else 0,
            **known,
            "amount": whole.money_known if whole else 0,
            "profit": whole.profit_known if whole else 0,
        },
        groups=groups,
        industries=_suggested(groups["industry"], ruleset.client, least_regular),
    )


def _binds(ruleset: Ruleset, edges: Mapping[Trait, Sequence[Decimal]]) -> dict[str, Any]:
    return {
        "needed": min(max(ruleset.minimum.regular_won_deals, 1), _MOST),
        "months": min(max(ruleset.minimum.regular_months, 0), _MOST),
        "turnover_edges": [-edge for edge in reversed(edges["turnover"])],
        "steam_edges": [-edge for edge in reversed(edges["steam_tph"])],
    }


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
    Column("clients", message("Clients"), cards=True),
    Column("regular_clients", message("Regular clients"), cards=True),
    Column("won_deals", message("Won deals"), cards=True),
    Column("money", message("Money"), "money", cards=True),
    Column("profit", message("Profit"), "money", cards=True),
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
        return Row(_key(group.band.over), band_said(trait, group.band), cells)
    label = words.industry(group.code) if trait == "industry" else words.source(group.code)
    return Row(group.code or NOT_KNOWN, label, cells)


def _key(over: Decimal | None) -> str:
    """Of a band's row."""
    return str(over or 0)


async def _open(session: ReadSession, scope: Scope, number: Number, limit: int, offset: int) -> FoundCards:
    trait: Trait | None = next((one for one in TRAITS if one == number.table), None)
    behind = _BEHIND.get(number.column)
    if trait is None or behind is None or number.row is None:
        raise NoSuchNumber(str(number))
    edges: dict[Trait, list[Decimal]] = {one: _edges(one, scope.rules.client) for one in _EDGES}
    row: str | int = number.row
    if trait in edges and row != NOT_KNOWN:
        keys = [_key(over) for over in (None, *edges[trait])]
        if row not in keys:
            raise NoSuchNumber(str(number))
        row = keys.index(row)
    place = f"{_PLACE[trait]} IS NULL" if row == NOT_KNOWN else f"{_PLACE[trait]} = :row"
    values = scope.values | _binds(scope.rules, edges) | {"row": row}
    return await cards_behind(session, behind.replace("{place}", place), values, limit, offset)


REPORT: Final = Report(
    name="regular-clients",
    title=TITLE,
    definition=message(
        "Deals won in the period by their close date, grouped by what is known of the client and by source. A client "
        "is regular with the won deals and months of the rules in force."
    ),
    tell=_tell,
    open=_open,
    filters=frozenset({"period"}),
    days=1096,
)
