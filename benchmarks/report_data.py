"""A portal of a million leads for `benchmarks.reports`: three years of leads, deals, moves and activities by COPY.

Everything is made up by a seed, row by row while it is copied, so that memory stays flat. Stays are worked out of the
moves by the very statement that the sweep uses. How the rows are spread is told in `Spread`.
"""

import asyncio
import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from rich.progress import Progress

from app.store import stage_stays
from app.store.database import Database

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
YEARS = 3
PEOPLE = range(11, 61)
SOURCES = ("WEB", "CALL", "EMAIL", "FAIR", "PARTNER", "ADVERTISING", "RECOMMENDATION", None)
KINDS = ("call_out", "call_out", "call_in", "letter_out", "letter_in", "meeting", "chat", "todo")
LEAD_LINE = ("NEW", "IN_PROCESS", "PROCESSED")
DEAL_LINE = ("NEW", "PREPARATION", "PREPAYMENT_INVOICE", "EXECUTING", "FINAL_INVOICE")
STAGES = [
    *([1, 0, code, code.title(), 10 * place, "process", False] for place, code in enumerate(LEAD_LINE, 1)),
    [1, 0, "CONVERTED", "Converted", 80, "success", False],
    [1, 0, "JUNK", "Junk", 90, "failure", False],
    *([2, 0, code, code.title(), 10 * place, "process", False] for place, code in enumerate(DEAL_LINE, 1)),
    [2, 0, "WON", "Won", 80, "success", False],
    [2, 0, "LOSE", "Lost", 90, "failure", False],
    [2, 0, "APOLOGY", "Too dear", 95, "failure", True],
]
_CHUNK = 50_000


@dataclass(frozen=True, slots=True)
class Spread:
    """How many rows there are of each: 0.3 deals, 5 moves and 5 activities for each lead, as the issue asks."""

    leads: int

    @property
    def deals(self) -> int:
        return self.leads * 3 // 10

    @property
    def companies(self) -> int:
        return max(1, self.leads // 20)

    @property
    def activities(self) -> int:
        return self.leads * 5

    @property
    def moves(self) -> int:
        return self.leads * 5


def load(conninfo: str, portal_id: int, spread: Spread, watch: Progress) -> None:
    """COPY all tables and ANALYZE them."""
    with psycopg.connect(conninfo) as connection:
        connection.execute("SET synchronous_commit = off")
        for table, columns, rows, count in _tables(portal_id, spread):
            bar = watch.add_task(table, total=count)
            names = sql.SQL(", ").join(map(sql.Identifier, columns.split()))
            copying = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
            with connection.cursor() as cursor, cursor.copy(copying) as copy:
                for number, row in enumerate(rows, 1):
                    copy.write_row(row)
                    if number % 1000 == 0:
                        watch.update(bar, completed=number)
            watch.update(bar, completed=count)
            connection.commit()


async def follow(database: Database, portal_id: int, spread: Spread, watch: Progress) -> None:
    """Work the stays out of the moves, as the sweep does, some cards at a time."""
    bar = watch.add_task("stage_stays", total=spread.leads + spread.deals)
    for kind, count in ((1, spread.leads), (2, spread.deals)):
        for first in range(1, count + 1, _CHUNK):
            cards = range(first, min(first + _CHUNK, count + 1))
            async with database.writing() as session:
                await stage_stays.alone(session, portal_id, kind)
                await stage_stays.follow(session, portal_id, kind, cards)
            watch.advance(bar, len(cards))


async def settle(database: Database) -> None:
    """What autovacuum does in its own time."""
    conninfo = database.conninfo.get_secret_value()
    await asyncio.to_thread(_vacuum, conninfo)


def _vacuum(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


@dataclass(frozen=True, slots=True)
class _Card:
    """One lead or deal and its hops, the same whenever it is asked for."""

    number: int
    created: datetime
    hops: tuple[tuple[datetime, str, str], ...]
    dice: random.Random

    @property
    def ending(self) -> str:
        return {"P": "open", "S": "won", "F": "lost"}[self.hops[-1][2]]


def _card(kind: int, number: int, of: int) -> _Card:
    """Cards come in the order of their numbers; each walks its line, some come back, some end."""
    dice = random.Random(kind * 10**9 + number)
    age = timedelta(days=365 * YEARS) * (1 - (number - dice.random()) / of)
    at = created = NOW - age
    line = LEAD_LINE if kind == 1 else DEAL_LINE
    hops = [(at, line[0], "P")]
    steps = dice.randrange(1, 3) if kind == 1 else dice.randrange(2, 5)
    place = 0
    for _ in range(steps):
        at += timedelta(minutes=dice.expovariate(1 / 6000))
        if at >= NOW:
            break
        place = max(0, place - 1) if dice.random() < 0.1 else min(place + 1, len(line) - 1)
        hops.append((at, line[place], "P"))
    at += timedelta(minutes=dice.expovariate(1 / 6000))
    if at < NOW:
        success, failures = ("CONVERTED", ("JUNK",)) if kind == 1 else ("WON", ("LOSE", "APOLOGY"))
        won = dice.random() < 0.3
        hops.append((at, success, "S") if won else (at, dice.choice(failures), "F"))
    return _Card(number, created, tuple(hops), dice)


def _cards(kind: int, of: int) -> Iterator[_Card]:
    return (_card(kind, number, of) for number in range(1, of + 1))


def _owner(number: int) -> int:
    return PEOPLE[number * 7919 % len(PEOPLE)]


def _tables(portal_id: int, spread: Spread) -> list[tuple[str, str, Iterable[tuple[Any, ...]], int]]:
    def both(make: Callable[[int, _Card], tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        for kind, count in ((1, spread.leads), (2, spread.deals)):
            yield from (make(kind, card) for card in _cards(kind, count))

    cards = spread.leads + spread.deals
    return [
        ("people", "portal_id user_id name active department_ids read_at", _people(portal_id), len(PEOPLE)),
        (
            "companies",
            "portal_id company_id title assigned_by_id created_at updated_at",
            (
                (portal_id, number, f"Plant {number}", _owner(number), NOW - timedelta(days=1000), NOW)
                for number in range(1, spread.companies + 1)
            ),
            spread.companies,
        ),
        (
            "cards",
            (
                "portal_id entity_type_id card_id title stage_id assigned_by_id company_id outcome grade created_time "
                "updated_time judged_at state last_run_id"
            ),
            both(lambda kind, card: _kept(portal_id, kind, card, spread)),
            cards,
        ),
        (
            "runs",
            (
                "id portal_id entity_type_id card_id mode opened_at closed_at status seen facts verdict plan "
                "facts_digest"
            ),
            (_run(portal_id, card) for card in _cards(2, spread.deals)),
            spread.deals,
        ),
        (
            "lead_figures",
            (
                "portal_id card_id created_at updated_at judged_at closed_on ending stage_id source responsible"
                " company_id outcome heat client request solvent failed"
            ),
            (_lead(portal_id, card, spread) for card in _cards(1, spread.leads)),
            spread.leads,
        ),
        (
            "deal_figures",
            (
                "portal_id card_id lead_id created_at updated_at judged_at closed_on ending pipeline stage_id source"
                " responsible company_id grade heat amount profit declined client checklist roles"
            ),
            (_deal(portal_id, card, spread) for card in _cards(2, spread.deals)),
            spread.deals,
        ),
        (
            "stage_moves",
            "portal_id entity_type_id history_id card_id type_id stage_id category_id semantics created_time",
            _moves(portal_id, spread),
            spread.moves,
        ),
        (
            "activities",
            (
                "portal_id activity_id kind completed owner_type_id owner_id responsible_id author_id created_at"
                " start_at end_at updated_at talk_seconds happened bindings_known"
            ),
            _activities(portal_id, spread),
            spread.activities,
        ),
    ]


def _people(portal_id: int) -> Iterator[tuple[Any, ...]]:
    for user in PEOPLE:
        yield portal_id, user, f"Person {user}", True, [user % 5 + 1], NOW


def _closed(card: _Card) -> Any:
    return None if card.ending == "open" else card.hops[-1][0].date()


def _kept(portal_id: int, kind: int, card: _Card, spread: Spread) -> tuple[Any, ...]:
    outcome = ("deal", "company", "junk", "review", "needs_data")[card.number % 5] if kind == 1 else None
    grade = ("AAA", "BBB", "CCC", "none")[card.number % 4] if kind == 2 else None
    return (
        portal_id,
        kind,
        card.number,
        f"Boiler house {card.number}",
        card.hops[-1][1],
        _owner(card.number),
        card.number % spread.companies + 1,
        outcome,
        grade,
        card.created,
        card.hops[-1][0],
        card.hops[-1][0],
        "open" if card.ending == "open" else "final",
        card.number if kind == 2 else None,
    )


def _run(portal_id: int, card: _Card) -> tuple[Any, ...]:
    """The last run of a deal, with the facts that reports read; one in fifty let it through below the minimum."""
    dice, below = random.Random(card.number), card.number % 50 == 0
    facts = {
        "amount": {"kind": "number", "value": str(dice.randrange(10_000, 5_000_000))},
        "margin": {"kind": "number", "value": str(dice.randrange(-1000, 100_000))},
        "turnover": {"kind": "number", "value": str(dice.randrange(10**8, 10**10))},
        "steam_tph": {"kind": "number", "value": str(dice.randrange(1, 60))},
        "industry": {"kind": "code", "value": dice.choice(("MANUFACTURING", "DELIVERY", "OTHER"))},
    }
    ending = {"open": "process", "won": "success", "lost": "failure"}[card.ending]
    closed = None if card.ending == "open" else card.hops[-1][0].date().isoformat()
    seen = {"semantics": ending, "responsible": _owner(card.number), "close_date": closed, "source": "WEB"}
    verdict = {
        "above_minimum": "no" if below else "yes",
        "exemption": "regular" if below else None,
        "declined": False,
        "why": {"template": "so it is", "values": {}},
    }
    plan = {"actions": [], "held": []}
    at = card.hops[-1][0]
    documents = (json.dumps(one) for one in (seen, facts, verdict, plan))
    return (card.number, portal_id, 2, card.number, "live", at, at, "done", *documents, "")


def _lead(portal_id: int, card: _Card, spread: Spread) -> tuple[Any, ...]:
    truths, dice = ("yes", "no", "unknown"), card.dice
    return (
        portal_id,
        card.number,
        card.created,
        card.hops[-1][0],
        card.hops[-1][0],
        _closed(card),
        card.ending,
        card.hops[-1][1],
        dice.choice(SOURCES),
        _owner(card.number),
        card.number % spread.companies + 1,
        ("deal", "company", "junk", "review", "needs_data")[card.number % 5],
        dice.choice(("hot", "warm", "other")),
        *(dice.choice(truths) for _ in range(3)),
        [name for name in ("steam_tph", "turnover", "industry") if dice.random() < 0.3],
    )


def _deal(portal_id: int, card: _Card, spread: Spread) -> tuple[Any, ...]:
    dice = card.dice
    return (
        portal_id,
        card.number,
        card.number * 10 // 3 if dice.random() < 0.8 else None,
        card.created,
        card.hops[-1][0],
        card.hops[-1][0],
        _closed(card),
        card.ending,
        0,
        card.hops[-1][1],
        dice.choice(SOURCES),
        _owner(card.number),
        card.number % spread.companies + 1,
        ("AAA", "BBB", "CCC", "none")[card.number % 4],
        dice.choice(("hot", "warm", "other")),
        dice.randrange(10_000, 5_000_000) if dice.random() < 0.9 else None,
        dice.randrange(-1000, 100_000) if dice.random() < 0.6 else None,
        dice.random() < 0.1,
        dice.choice(("yes", "no", "unknown")),
        "".join(dice.choice("ynu") for _ in range(7)),
        dice.choice((None, [], ["economic"], ["economic", "user"], ["economic", "technical", "user"])),
    )


def _moves(portal_id: int, spread: Spread) -> Iterator[tuple[Any, ...]]:
    for kind, count in ((1, spread.leads), (2, spread.deals)):
        history = 0
        for card in _cards(kind, count):
            for at, stage, semantics in card.hops:
                history += 1
                category = 0 if kind == 2 else None
                yield portal_id, kind, history, card.number, 2, stage, category, semantics, at


def _activities(portal_id: int, spread: Spread) -> Iterator[tuple[Any, ...]]:
    dice = random.Random(3)
    step = timedelta(days=365 * YEARS) / spread.activities
    for number in range(1, spread.activities + 1):
        at = NOW - timedelta(days=365 * YEARS) + step * number
        kind, owner_kind = dice.choice(KINDS), dice.choice((1, 2))
        newest = max(1, (spread.leads if owner_kind == 1 else spread.deals) * number // spread.activities)
        user = dice.choice(PEOPLE)
        talk = dice.randrange(600) if kind.startswith("call") else None
        happened = "no" if kind == "todo" or talk == 0 else "yes"
        owner = max(1, newest - dice.randrange(200))
        yield (
            portal_id, number, kind, True, owner_kind, owner, user, user, at, at, at, at, talk, happened, True,
        )  # fmt: skip


def dictionary_document() -> dict[str, Any]:
    """The portal's words, as the pipeline keeps them."""
    return json.loads(
        json.dumps(
            {
                "integration_user_id": 1,
                "offset": 10800,
                "stages": STAGES,
                "enumerations": [],
                "fields": [],
                "rates": {"RUB": "1"},
                "heads": {},
                "industries": {},
                "sources": {source: source.title() for source in SOURCES if source},
            }
        )
    )
