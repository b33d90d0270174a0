"""100,000 recorded cards through a draft of rules: `make bench-replay`.

Loads varied leads and deals as a year of judging would have left them (facts, verdicts, kept cards), asks for a replay
and carries it out with the very object that the worker uses, on two processes and a real PostgreSQL (an embedded one).
The limit beside it, in the same run: the same pages read and parsed by two bare processes that judge nothing. Exit
code 1 when the replay takes longer than the bar, or when its counts do not add up.

    make bench-replay
    make bench-replay ARGS="--cards 20000 --fields"     the draft maps another field, so every fact of it is read anew
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import psycopg
from pydantic import SecretStr
from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.domain.facts import Facts, Kind, Row
from app.domain.kept_cards import kept_to_json
from app.domain.qualify import qualify
from app.domain.reading import deal_facts, lead_facts
from app.domain.record import verdict_to_json
from app.domain.replay import Tally
from app.domain.ruleset import DEFAULT, Criterion, FactDefinition, FactSource, Nomenclature, Operator, Ruleset
from app.domain.snapshot import DealSnapshot, Entity, LeadSnapshot, PortalDictionary, Snapshot, Stage, WonDeal
from app.domain.verdict import DealVerdict, LeadVerdict, Outcome
from app.pipeline.replay import PAGE, Replayer
from app.sandbox.samples import SampleLead, generate_leads
from app.settings import load_settings
from app.store import dictionary, dictionary_document, portals, replays, rulesets
from app.store.database import Database, open_database
from app.store.migrate import migrate
from app.store.recorded_cards import START, Period, Place, read_page, reader
from app.store.ruleset_document import ruleset_to_document
from app.store.secret_box import SecretBox

BAR_SECONDS = 10.0
CARDS = 100_000
PROCESSES = 2
RESULTS = Path(__file__).parent / "results" / "replay.json"
FIRST_DAY = datetime(2026, 1, 1, 9, tzinfo=UTC)
PERIOD = (FIRST_DAY, FIRST_DAY + timedelta(days=365))
PEOPLE = range(11, 31)
_CODES = {"yes": "1", "no": "2"}
_ROLES = {"economic": "1", "technical": "2", "user": "3"}
out = Console()

DICTIONARY = PortalDictionary(
    integration_user_id=7,
    zone=UTC,
    stages=(
        Stage(Entity.LEAD, 0, "NEW", "New", 10, "process"),
        Stage(Entity.LEAD, 0, "CONVERTED", "Converted", 20, "success"),
        Stage(Entity.LEAD, 0, "JUNK", "Junk", 30, "failure"),
        Stage(Entity.DEAL, 0, "NEW", "New", 10, "process"),
        Stage(Entity.DEAL, 0, "WON", "Won", 20, "success"),
        Stage(Entity.DEAL, 0, "LOSE", "Lost", 30, "failure"),
    ),
    enumerations={
        (Entity.LEAD, "UF_CRM_OGON_REQUEST_FIT"): {"1": "yes", "2": "no"},
        (Entity.DEAL, "UF_CRM_OGON_NEED"): {"1": "yes", "2": "no"},
        (Entity.DEAL, "UF_CRM_OGON_BUDGET"): {"1": "yes", "2": "no"},
        (Entity.DEAL, "UF_CRM_OGON_NEED_SCOPE"): {"1": "whole", "2": "part"},
        (Entity.DEAL, "UF_CRM_OGON_ROLES"): {item: role for role, item in _ROLES.items()},
    },
    rates={"RUB": Decimal(1)},
    heads=dict.fromkeys(PEOPLE, 10),
    industries={"MANUFACTURING": "Manufacturing"},
)
THEN = replace(DEFAULT, nomenclature=Nomenclature(terms=("паровой котёл", "горелка", "деаэратор")))
DRAFT = replace(
    THEN,
    client=(
        Criterion("steam_tph", Operator.OVER, number=Decimal(5)),
        Criterion("turnover", Operator.OVER, number=Decimal(800_000_000)),
        Criterion("industry", Operator.ONE_OF, codes=("MANUFACTURING", "ENTERTAINMENT")),
    ),
    nomenclature=Nomenclature(terms=("паровой котёл", "экономайзер", "холодильная камера", "водоподготовка")),
    urgency_days=12,
    minimum=replace(THEN.minimum, profit=Decimal(50_000)),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded card: what was seen, judged by the rules of then."""

    entity: Entity
    card_id: int
    opened_at: datetime
    snapshot: Snapshot
    facts: Facts
    verdict: LeadVerdict | DealVerdict


def cases(cards: int, dice: random.Random) -> Iterator[Case]:
    """Leads as they come, and a deal for each that became one, until there are so many cards."""
    made = 0
    for lead_id, sample in enumerate(generate_leads(dice, cards), 1):
        opened_at = FIRST_DAY + timedelta(minutes=dice.randrange(365 * 24 * 60 - 60))
        lead = {"id": lead_id, "assignedById": dice.choice(PEOPLE), "stageId": "NEW", **_printed(sample.fields, dice)}
        rows = tuple(Row(row.get("productId", 0), row.get("productName", "Boiler"), None) for row in sample.rows)
        snapshot = LeadSnapshot(lead, _company(dice), rows)
        judged = _case(Entity.LEAD, lead_id, opened_at, snapshot)
        yield judged
        made += 1
        if made == cards:
            return
        if judged.verdict.outcome is Outcome.DEAL:  # type: ignore[union-attr]
            yield _case(Entity.DEAL, lead_id, opened_at, _deal(sample, lead, rows, opened_at.date(), dice))
            made += 1
            if made == cards:
                return


def _case(entity: Entity, card_id: int, opened_at: datetime, snapshot: Snapshot) -> Case:
    read = lead_facts if entity is Entity.LEAD else deal_facts
    facts = read(snapshot, THEN, DICTIONARY)
    return Case(entity, card_id, opened_at, snapshot, facts, qualify(entity, facts, THEN, opened_at.date()))


def _deal(sample: SampleLead, lead: dict[str, Any], rows: tuple[Row, ...], day: date, dice: random.Random):
    answers = dict(sample.answers)
    if "UF_CRM_OGON_NEEDED_BY" in answers:
        answers["UF_CRM_OGON_NEEDED_BY"] = (day + timedelta(days=answers["UF_CRM_OGON_NEEDED_BY"])).isoformat()
    deal = {
        "id": lead["id"],
        "title": lead["title"],
        "leadId": lead["id"],
        "stageId": "NEW",
        "categoryId": 0,
        "assignedById": lead["assignedById"],
        "opportunity": dice.randrange(10_000, 5_000_000),
        "currencyId": "RUB",
        **_printed(answers, dice),
    }
    won = tuple(WonDeal(10**9 + n, day - timedelta(days=dice.randrange(400))) for n in range(dice.randrange(5)))
    return DealSnapshot(deal, _company(dice), lead, rows, (), won)


def _company(dice: random.Random) -> dict[str, Any] | None:
    if dice.random() < 0.5:
        return None
    return {"id": dice.randrange(1, 9999), "title": "Plant", "revenue": dice.randrange(10**8, 10**10), "industry": ""}


def _printed(fields: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """Codes as the ids that the portal prints; and numbers that differ from card to card."""
    printed: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "UF_CRM_OGON_ROLES":
            printed[name] = [_ROLES[one] for one in value]
        elif name == "UF_CRM_OGON_NEED_SCOPE":
            printed[name] = "1"
        elif name == "UF_CRM_OGON_MARGIN":
            printed[name] = round(value * dice.uniform(0.5, 2), 2)
        else:
            printed[name] = _CODES.get(value, value) if isinstance(value, str) else value
    return printed


def fill(conninfo: str, portal_id: int, cards: int) -> None:
    """COPY of cards, runs and the creation of deals, as a year of work leaves them."""
    dice = random.Random(1)
    with psycopg.connect(conninfo) as connection:
        made = list(track(cases(cards, dice), "cards", total=cards, console=out, transient=True))
        with connection.cursor().copy(
            "COPY runs (portal_id, entity_type_id, card_id, ruleset_version, mode, opened_at, closed_at, status, seen,"
            " facts, facts_digest, verdict, snapshot) FROM STDIN"
        ) as copy:
            for case in made:
                copy.write_row(_run(portal_id, case))
        with connection.cursor().copy(
            "COPY cards (portal_id, entity_type_id, card_id, title, stage_id, assigned_by_id, outcome, grade, state,"
            " moved_by, judged_at) FROM STDIN"
        ) as copy:
            for case in made:
                copy.write_row(_card(portal_id, case, dice))
        runs = connection.execute("SELECT card_id, id FROM runs WHERE entity_type_id = 1").fetchall()
        deals = {case.card_id for case in made if case.entity is Entity.DEAL}
        with connection.cursor().copy(
            "COPY actions (run_id, position, portal_id, key, kind, payload, state, result) FROM STDIN"
        ) as copy:
            for card_id, run_id in runs:
                if card_id in deals:
                    result = json.dumps({"id": card_id})
                    copy.write_row((run_id, 0, portal_id, f"lead-{card_id}:deal", "create", "{}", "done", result))
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")


def _run(portal_id: int, case: Case) -> tuple[Any, ...]:
    raw = case.snapshot.lead if isinstance(case.snapshot, LeadSnapshot) else case.snapshot.deal
    return (
        portal_id,
        int(case.entity),
        case.card_id,
        1,
        "live",
        case.opened_at,
        case.opened_at,
        "done",
        json.dumps({"stage": "NEW", "responsible": raw["assignedById"]}),
        json.dumps(case.facts.to_json(), ensure_ascii=False),
        case.facts.digest(),
        json.dumps({**verdict_to_json(case.verdict), "decision": case.verdict.decision}, ensure_ascii=False),
        json.dumps(kept_to_json(case.snapshot), ensure_ascii=False),
    )


def _card(portal_id: int, case: Case, dice: random.Random) -> tuple[Any, ...]:
    lead = case.entity is Entity.LEAD
    raw = case.snapshot.lead if isinstance(case.snapshot, LeadSnapshot) else case.snapshot.deal
    stage = dice.choice(("NEW", "CONVERTED", "JUNK") if lead else ("NEW", "WON", "LOSE"))
    outcome = case.verdict.outcome.value if isinstance(case.verdict, LeadVerdict) else None
    grade = case.verdict.grade.value if isinstance(case.verdict, DealVerdict) else None
    state = "open" if stage == "NEW" else "final"
    moved_by = dice.choice((7, 12))
    return (
        portal_id,
        int(case.entity),
        case.card_id,
        raw["title"],
        stage,
        raw["assignedById"],
        outcome,
        grade,
        state,
        moved_by,
        case.opened_at,
    )


async def measure(options: argparse.Namespace) -> int:
    draft = _draft(fields=options.fields)
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="ogon-replay-") as directory:
        settings = load_settings(_env_file=None, data_dir=Path(directory) / "data")
        settings.data_dir.mkdir(parents=True)
        async with open_database(settings) as database:
            await migrate(database)
            portal_id = await _portal(database)
            conninfo = database.conninfo.get_secret_value()
            await asyncio.to_thread(fill, conninfo, portal_id, options.cards)
            rounds: list[tuple[float, float]] = []
            for _ in range(options.rounds):
                bare = await asyncio.to_thread(_bare, conninfo, await _pages(database, portal_id), options.fields)
                replay, seconds, meter = await _replay(database, portal_id, draft)
                rounds.append((seconds, bare))
    return _report(replay, rounds, meter, options, busy)


def _draft(*, fields: bool) -> Ruleset:
    if not fields:
        return DRAFT
    steam = FactDefinition("steam_tph", Kind.NUMBER, (FactSource("lead", "UF_CRM_OGON_STEAM_TPH"),))
    return replace(DRAFT, facts=tuple(steam if one.name == "steam_tph" else one for one in DRAFT.facts))


async def _portal(database: Database) -> int:
    async with database.writing() as session:
        portal = await portals.add(
            session,
            SecretBox(SecretStr("a key for a benchmark, long enough")),
            webhook=SecretStr("https://bench.example/rest/7/benchmark0001/"),
            application_tokens=[SecretStr("application-token")],
        )
        await rulesets.publish(
            session,
            portal_id=portal.id,
            edited_version=0,
            document=ruleset_to_document(THEN),
            author="bench",
            reason="bench",
        )
        document = dictionary_document.to_json(DICTIONARY)
        await dictionary.save(session, portal_id=portal.id, document=document, read_at=FIRST_DAY)
    return portal.id


async def _pages(database: Database, portal_id: int) -> list[tuple[Period, Place, Place]]:
    period = Period(portal_id, *PERIOD)
    async with database.reading() as session:
        pages = await replays.pages(session, period, after=START, size=PAGE)
    ends = [end for end, _ in pages.ends]
    return [(period, after, last) for after, last in zip([START, *ends], ends, strict=False)]


def _bare(conninfo: str, pages: list[tuple[Period, Place, Place]], snapshots: bool) -> float:
    """Seconds to read and parse the same pages on as many processes, which are there already."""
    shares = [(conninfo, pages[number::PROCESSES], snapshots) for number in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        list(pool.map(_warm, range(PROCESSES)))
        started = time.perf_counter()
        list(pool.map(_read, shares))
        return time.perf_counter() - started


def _warm(_: int) -> None:
    time.sleep(0.2)


def _read(share: tuple[str, list[tuple[Period, Place, Place]], bool]) -> int:
    conninfo, pages, snapshots = share
    with reader(conninfo) as connection:
        return sum(
            len(read_page(connection, period, after=after, last=last, snapshots=snapshots))
            for period, after, last in pages
        )


class Meter:
    """What the replay's processes and their PostgreSQL backends use, looked at ten times a second.

    Seconds of processors tell more than seconds of the clock on a machine that does other things too.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._used: dict[int, float] = {}
        self.megabytes = 0.0

    @property
    def processor_seconds(self) -> float:
        return sum(self._used.values())

    async def run(self) -> None:
        """Look until cancelled."""
        async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
            while True:
                backends = await connection.execute(
                    "SELECT pid FROM pg_stat_activity WHERE application_name = 'ogon-replay'"
                )
                pids = [row[0] for row in await backends.fetchall()]
                ours = [child for child in psutil.Process().children() if "app.pipeline.replay_share" in _words(child)]
                for process in (*ours, *(psutil.Process(pid) for pid in pids if psutil.pid_exists(pid))):
                    self._look(process)
                self.megabytes = max(self.megabytes, sum(map(_megabytes, ours)))
                await asyncio.sleep(0.1)

    def _look(self, process: psutil.Process) -> None:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            self._used[process.pid] = times.user + times.system


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def _megabytes(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        return process.memory_info().rss / 1024**2
    return 0.0


async def _replay(database: Database, portal_id: int, draft: Ruleset) -> tuple[replays.Replay, float, Meter]:
    async with database.writing() as session:
        asked = await replays.ask(
            session, portal_id=portal_id, draft=ruleset_to_document(draft), since=PERIOD[0], until=PERIOD[1], by="bench"
        )
    meter = Meter(database.conninfo.get_secret_value())
    metering = asyncio.create_task(meter.run())
    started = time.perf_counter()
    await Replayer(database, processes=PROCESSES).step()
    seconds = time.perf_counter() - started
    metering.cancel()
    await asyncio.gather(metering, return_exceptions=True)
    async with database.reading() as session:
        replay = await replays.get(session, asked.id)
    assert replay is not None
    return replay, seconds, meter


def _report(
    replay: replays.Replay,
    rounds: list[tuple[float, float]],
    meter: Meter,
    options: argparse.Namespace,
    busy: float,
) -> int:
    seconds = median(one for one, _ in rounds)
    ratio = median(one / bare for one, bare in rounds)
    tally = Tally.from_json(replay.tally)
    whole = (replay.state, tally.compared + tally.not_comparable) == ("done", options.cards)
    bar = BAR_SECONDS * options.cards / CARDS
    passed = whole and seconds <= bar
    result = {
        "cards": options.cards,
        "fields_read_anew": options.fields,
        "seconds": round(seconds, 2),
        "rounds": [round(one, 2) for one, _ in rounds],
        "cards_per_second": round(options.cards / seconds),
        "bare_seconds": round(median(bare for _, bare in rounds), 2),
        "ratio_to_bare": round(ratio, 2),
        "changed": tally.changed,
        "not_comparable": tally.not_comparable,
        "processor_seconds": round(meter.processor_seconds, 2),
        "seconds_on_two_idle_cores": round(meter.processor_seconds / PROCESSES, 2),
        "megabytes_of_both_processes": round(meter.megabytes),
        "load_before": round(busy, 2),
        "bar_seconds": bar,
        "passed": passed,
    }
    table = Table(f"replay of {options.cards} recorded cards, {PROCESSES} processes", "")
    for name, value in result.items():
        table.add_row(name.replace("_", " "), str(value))
    out.print(table)
    if replay.error:
        out.print(replay.error)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--cards", type=int, default=CARDS)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--fields", action="store_true", help="the draft reads a fact from other fields")
    sys.exit(asyncio.run(measure(arguments.parse_args())))
