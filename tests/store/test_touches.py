"""What counts as activity, against a plain count over all that is kept: whatever changes, in whatever order."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import text

from app.domain.activity_kind import Activity, ActivityKind, Call, WhyUnknown
from app.domain.chat_history import Conversation
from app.domain.figures import CardFigures
from app.store import activities, calendar, card_figures, chats, papers, portals, sweeps, touches
from app.store.chats import ReadChat, WantedChat
from app.store.database import Database
from app.store.papers import Paper
from app.store.secret_box import SecretBox

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 8, 20, 20, 30, tzinfo=UTC)
AHEAD = timedelta(hours=3)
KINDS = ("call_out", "call_in", "letter_out", "letter_in", "meeting", "chat", "todo")
REACHING = {"call_out", "call_in", "letter_out", "meeting", "chat", "quote", "invoice"}


def activity(number: int, kind: str, **more: Any) -> Activity:
    told = ActivityKind(kind)
    unknown = kind.startswith("call") or kind == "chat"
    return Activity(
        **{
            "activity_id": number,
            "kind": told,
            "provider": None,
            "direction": "in" if kind.endswith("in") else "out",
            "completed": True,
            "owner_type_id": 2,
            "owner_id": 1,
            "responsible_id": 12,
            "author_id": 12,
            "created_at": NOW,
            "start_at": NOW,
            "end_at": NOW,
            "updated_at": NOW,
            "happened": None if unknown else True,
            "why_unknown": WhyUnknown.NO_STATISTICS if unknown else None,
            **more,
        }
    )


def call(number: int, activity_id: int | None, seconds: int | None, **more: Any) -> Call:
    return Call(
        **{
            "statistic_id": number,
            "call_id": f"A{number}",
            "direction": "out",
            "user_id": 13,
            "started_at": NOW,
            "duration_seconds": seconds,
            "talk_seconds": seconds,
            "failed_code": "200",
            "entity_type_id": None,
            "entity_id": None,
            "activity_id": activity_id,
            **more,
        }
    )


def card(number: int, company: int | None, **more: Any) -> CardFigures:
    values = {
        "card_id": number, "created_at": NOW, "updated_at": NOW, "closed_on": None, "pipeline": 0, "stage_id": "NEW",
        "ending": "open", "source": None, "responsible": 12, "company_id": company, **more,
    }  # fmt: skip
    return CardFigures(**values)


async def follow(database: Database, portal: int, limit: int = 7) -> None:
    for _ in range(10):
        async with database.writing() as session:
            if not await touches.follow(session, portal, limit=limit):
                return
    raise AssertionError("counting finds no end")


async def rows(database: Database, query: str, portal: int) -> list[dict[str, Any]]:
    async with database.reading() as session:
        return [dict(row) for row in (await session.execute(text(query), {"portal": portal})).mappings()]


class Plain:
    """Each thing that counts with all its companies, by plain loops over the tables as they are."""

    def __init__(self, tables: dict[str, list[dict[str, Any]]]) -> None:
        self.tables = tables
        self.things: list[dict[str, Any]] = []
        self.company = {
            (kind, one["card_id"]): one["company_id"]
            for kind, name in ((1, "lead_figures"), (2, "deal_figures"))
            for one in tables[name]
        }
        self.bound: dict[int, set[tuple[int, int]]] = {}
        for one in tables["activity_bindings"]:
            self.bound.setdefault(one["activity_id"], set()).add((one["entity_type_id"], one["card_id"]))
        for one in tables["activities"]:
            self.bound.setdefault(one["activity_id"], set()).add((one["owner_type_id"], one["owner_id"]))
        self.spoken: dict[int, list[dict[str, Any]]] = {}
        for one in tables["calls"]:
            self.spoken.setdefault(one["activity_id"] or -one["statistic_id"], []).append(one)

    def count(self) -> list[dict[str, Any]]:
        for number, group in self.spoken.items():
            self.call(number, group)
        for one in self.tables["activities"]:
            if one["activity_id"] not in self.spoken and one["kind"] != "todo":
                self.activity(one)
        for kind in ("quote", "invoice"):
            for one in self.tables[f"{kind}s"]:
                self.paper(kind, one)
        for one in self.tables["deal_figures"]:
            if one["ending"] == "won" and not one["deleted"] and one["closed_on"]:
                at = calendar.starts(one["closed_on"], AHEAD)
                of, deal = {(4, one["company_id"])}, {(2, one["card_id"])}
                self.add("sale", at, one["responsible"], of, amount=one["amount"], cards=deal)
        return self.things

    def add(self, kind: str, at: datetime | None, user: int | None, of, talk: int = 0, amount=None, cards=None) -> None:
        if at is not None:
            found = {number if code == 4 else self.company.get((code, number)) for code, number in of}
            told = {"kind": kind, "at": at, "day": calendar.day_of(at, AHEAD), "user": user or 0}
            # Leads, deals and companies that it belongs to, with the company of each.
            bound = {(code, number) for code, number in cards or of if code in (1, 2, 4) and number}
            whose = {one: one[1] if one[0] == 4 else self.company.get(one) for one in bound}
            sums = {"companies": found - {None}, "talk": talk, "amount": amount}
            self.things.append({**told, **sums, "cards": whose})

    def call(self, number: int, group: list[dict[str, Any]]) -> None:
        talked = [one for one in group if (one["talk_seconds"] or 0) > 0]
        for one in talked or [max(group, key=lambda row: row["statistic_id"])]:
            seconds, incoming = one["talk_seconds"], one["direction"] == "in"
            if seconds is None:
                kind = "call_unknown"
            elif seconds:
                kind = "call_in" if incoming else "call_out"
            else:
                kind = "call_missed" if incoming else "call_unanswered"
            of = self.bound.get(number, set()) | {(one["entity_type_id"], one["entity_id"])}
            self.add(kind, one["started_at"], one["user_id"], of, seconds or 0)

    def activity(self, one: dict[str, Any]) -> None:
        kind = one["kind"]
        if kind.startswith("call"):
            missed = one["happened"] == "no" and kind == "call_in"
            kind = "call_missed" if missed else None if one["happened"] == "no" else "call_unknown"
        elif one["happened"] != "yes":
            kind = None
        if kind is not None:
            self.add(kind, one["done_at"], one["done_by_id"], self.bound[one["activity_id"]])

    def paper(self, kind: str, one: dict[str, Any]) -> None:
        parents = [(code, one[name]) for code, name in ((4, "company_id"), (2, "deal_id"), (1, "lead_id")) if one[name]]
        of = set(parents[:1])
        self.add(kind, one["created_at"], one["made_by_id"], of, amount=one["amount"], cards=parents)
        if kind == "invoice":
            self.add("payment", one["succeeded_at"], one["made_by_id"], of, amount=one["amount"], cards=parents)


async def everything(database: Database, portal: int) -> list[dict[str, Any]]:
    """Each thing that counts, with its companies."""
    names = ("activities", "activity_bindings", "calls", "quotes", "invoices", "lead_figures", "deal_figures")
    query = "SELECT * FROM {} WHERE portal_id = :portal"
    return Plain({name: await rows(database, query.format(name), portal) for name in names}).count()


def summed(things, keys) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    sums: dict[tuple[Any, ...], list[Any]] = {}
    for one in things:
        for key in keys(one):
            known = sums.setdefault(key, [0, 0, Decimal(0), 0])
            amount = one["amount"]
            for at, more in enumerate((1, one["talk"], amount or 0, amount is not None)):
                known[at] += more
    return {key: tuple(value) for key, value in sums.items()}


async def check(database: Database, portal: int) -> None:
    """The sums, and each company's last touch, are those of the plain count."""
    await follow(database, portal)
    things = await everything(database, portal)
    kept = await rows(database, "SELECT * FROM activity_days WHERE portal_id = :portal", portal)
    figures = ("count", "talk_seconds", "amount", "amount_known")
    told = {(one["day"], one["user_id"], one["kind"]): tuple(one[name] for name in figures) for one in kept}
    assert told == summed(things, lambda one: [(one["day"], one["user"], one["kind"])])
    kept = await rows(database, "SELECT * FROM company_days WHERE portal_id = :portal", portal)
    told = {
        (one["company_id"], one["day"], one["user_id"], one["kind"]): tuple(one[name] for name in figures)
        for one in kept
    }
    assert told == summed(
        things, lambda one: [(company, one["day"], one["user"], one["kind"]) for company in one["companies"]]
    )
    last: dict[int, datetime] = {}
    perhaps: dict[int, datetime] = {}
    for one in things:
        for company in one["companies"]:
            kept_at = last if one["kind"] in REACHING else perhaps if one["kind"] == "call_unknown" else {}
            kept_at[company] = max(kept_at.get(company, one["at"]), one["at"])
    kept = await rows(database, "SELECT * FROM company_touches WHERE portal_id = :portal", portal)
    assert {one["company_id"]: one["last_at"] for one in kept if one["last_at"]} == last
    later = {company: at for company, at in perhaps.items() if company not in last or at > last[company]}
    assert {one["company_id"]: one["perhaps_at"] for one in kept if one["perhaps_at"]} == later


_SMALL = st.integers(1, 3)
_COMPANY = st.one_of(st.none(), st.integers(41, 43))
_USER = st.one_of(st.none(), st.integers(11, 13))
_CARDS = st.lists(st.tuples(st.sampled_from([1, 2, 4, 3]), st.integers(1, 3)), min_size=1, max_size=3, unique=True)
_BINDINGS, _MAYBE = st.one_of(st.none(), _CARDS), st.one_of(st.none(), _SMALL)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("activity"), _SMALL, st.sampled_from(KINDS), st.booleans(), _USER, _BINDINGS),
        st.tuples(st.just("call"), st.integers(1, 4), st.one_of(st.none(), _SMALL), st.sampled_from([None, 0, 5, 60]),
                  st.sampled_from(["in", "out"]), _USER),
        st.tuples(st.just("chat"), _SMALL, st.one_of(st.none(), st.integers(0, 90)), _USER),
        st.tuples(st.just("paper"), st.sampled_from(["quote", "invoice"]), _SMALL, _COMPANY, _MAYBE,
                  st.sampled_from([None, 10, 20]), st.sampled_from(["process", "success"]), _USER),
        st.tuples(st.just("deal"), _SMALL, _COMPANY, st.sampled_from(["open", "won", "lost"]), _USER),
        st.tuples(st.just("lead"), _SMALL, _COMPANY),
        st.just(("count",)),
    ),
    max_size=14,
)  # fmt: skip


async def take(database: Database, portal: int, step: tuple[Any, ...], at: datetime) -> None:
    async with database.writing() as session:
        match step:
            case ("activity", number, kind, happened, user, cards):
                told = activity(
                    number * 10 + KINDS.index(kind), kind, responsible_id=user, updated_at=at, start_at=at,
                    bindings=tuple(cards) if cards else None, completed=happened,
                )  # fmt: skip
                if told.happened is not None:
                    told = replace(told, happened=happened)
                await activities.keep(session, portal, [told])
            case ("call", number, of, seconds, direction, user):
                bound = None if of is None else of * 10
                told = call(number, bound, seconds, direction=direction, user_id=user, started_at=at)
                if number == 4:
                    told = replace(told, entity_type_id=4, entity_id=43)
                await activities.keep_calls(session, portal, [told])
            case ("chat", number, minutes, user):
                chat = activity(number * 10 + KINDS.index("chat"), "chat", updated_at=at, session_id=7)
                await activities.keep(session, portal, [chat])
                answered = None if minutes is None else NOW + timedelta(minutes=minutes)
                conversation = Conversation(
                    first_client_at=NOW, first_operator_at=answered, operator=None if answered is None else user,
                    client_messages=1, operator_messages=int(answered is not None),
                )  # fmt: skip
                asked = WantedChat(chat.activity_id, 7, None, chat.updated_at)
                await chats.keep(session, portal, [ReadChat(asked, 7, conversation)], now=at)
            case ("paper", kind, number, company, deal, amount, semantics, user):
                paper = Paper(
                    paper_id=number, number=None, deal_id=deal, lead_id=None, company_id=company, responsible_id=user,
                    stage_id=None, semantics=semantics, amount=None if amount is None else Decimal(amount),
                    currency="RUB", amount_in_currency=None, created_at=NOW, updated_at=at,
                )  # fmt: skip
                await papers.keep(session, portal, kind, [paper])
            case ("deal", number, company, ending, user):
                closed = None if ending == "open" else calendar.day_of(at, AHEAD)
                told = card(number, company, ending=ending, closed_on=closed, responsible=user, updated_at=at)
                await card_figures.listed(session, portal, 2, [told])
            case ("lead", number, company):
                await card_figures.listed(session, portal, 1, [card(number, company, updated_at=at)])
            case _:
                pass


LETTER = ("activity", 1, "letter_out", True, 12)
CALLED = ("activity", 1, "call_out", True, 12, [(4, 41)])
COUNT = ("count",)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([(*LETTER, [(2, 2)]), COUNT, ("deal", 2, 41, "open", 12)], id="the deal's company comes late"),
        pytest.param([(*LETTER, [(1, 2)]), COUNT, ("lead", 2, 41)], id="the lead's company comes late"),
        pytest.param([(*LETTER, None), ("deal", 1, 41, "open", 12), COUNT, ("deal", 1, 42, "open", 12)], id="changes"),
        pytest.param([(*LETTER, None), COUNT, (*LETTER, [(4, 41), (4, 42)])], id="bound to two companies later"),
        pytest.param([(*LETTER, [(4, 41), (4, 42)]), COUNT, (*LETTER, [(4, 42)])], id="bound to one less"),
        pytest.param([CALLED, COUNT, ("call", 1, 1, 60, "out", 13)], id="statistics come late"),
        pytest.param([("call", 1, 1, 60, "out", 13), COUNT, CALLED], id="the activity comes late"),
        pytest.param([CALLED, ("call", 1, 1, 0, "in", 13), COUNT, ("call", 2, 1, 5, "in", 12)], id="passed on"),
        pytest.param([("call", 1, 1, 5, "in", 13), ("call", 2, 1, 0, "in", 12), COUNT, ("call", 2, 1, 9, "in", 12)],
                     id="the second talked after all"),
        pytest.param([CALLED, ("call", 1, 1, 5, "in", 13), COUNT, ("call", 1, None, 5, "in", 13)], id="taken apart"),
        pytest.param([("chat", 1, None, None), COUNT, ("chat", 1, 30, 13)], id="a chat is answered"),
        pytest.param([("paper", "invoice", 1, None, 2, 10, "process", 12), COUNT, ("deal", 2, 43, "open", 12), COUNT,
                      ("paper", "invoice", 1, None, 2, 20, "success", 13)], id="an invoice is paid, its client late"),
        pytest.param([("paper", "quote", 1, None, 2, 10, "process", 12), COUNT, ("deal", 2, 43, "open", 12)],
                     id="a proposal's client comes late"),
        pytest.param([("deal", 1, 41, "won", 12), COUNT, ("deal", 1, 42, "won", 13)], id="a sale's client changes"),
        pytest.param([("deal", 1, 41, "won", 12), COUNT, ("deal", 1, 41, "open", 12)], id="a sale is taken back"),
        pytest.param([(*LETTER, [(4, 41)]), COUNT, ("activity", 1, "letter_out", False, 12, [(4, 41)])], id="unsent"),
    ],
)  # fmt: skip
async def test_what_comes_late_or_changes_is_counted_as_if_it_had_been_so(database, steps) -> None:
    portal = await portal_of_its_own(database)
    for number, step in enumerate(steps):
        await take(database, portal, step, NOW + timedelta(hours=number))
        if step == COUNT:
            await check(database, portal)
    await check(database, portal)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=_STEPS)
async def test_sums_are_those_of_a_plain_count_whatever_comes_late(database, steps) -> None:
    portal = await portal_of_its_own(database)
    for number, step in enumerate(steps):
        await take(database, portal, step, NOW + timedelta(hours=number))
        if step == ("count",):
            await check(database, portal)
    await check(database, portal)


_NUMBER = Counter[str]()


async def portal_of_its_own(database: Database) -> int:
    """Each example counts for a portal that nobody has used."""
    _NUMBER["portal"] += 1
    async with database.writing() as session:
        box = SecretBox(SecretStr("a key for touches, long enough"))
        webhook = SecretStr(f"https://a{_NUMBER['portal']}.example/rest/1/code00001/")
        made = await portals.add(session, box, webhook=webhook)
        await sweeps.begin(session, made.id, now=NOW)
        await sweeps.learn_offset(session, made.id, int(AHEAD.total_seconds()))
    return made.id


async def test_past_figures_stay_with_the_people_of_that_time(database) -> None:
    portal = await portal_of_its_own(database)
    letter = activity(1, "letter_out", author_id=None, responsible_id=12, bindings=((4, 41),))
    async with database.writing() as session:
        await activities.keep(session, portal, [letter])
    await follow(database, portal)
    later = replace(letter, responsible_id=14, start_at=NOW + timedelta(days=3), updated_at=NOW + timedelta(days=4))
    async with database.writing() as session:
        await activities.keep(session, portal, [later])
    await check(database, portal)
    kept = await rows(database, "SELECT day, user_id, count FROM activity_days WHERE portal_id = :portal", portal)
    assert kept == [{"day": date(2026, 8, 20), "user_id": 12, "count": 1}]


async def test_a_portion_costs_what_it_holds_however_much_is_kept(database) -> None:
    """What is written for one more letter is the same with ten times the history."""
    portal = await portal_of_its_own(database)

    async def written_for(first: int, count: int) -> int:
        made = [
            activity(number, "letter_out", start_at=NOW - timedelta(days=number % 900), bindings=((4, 41), (2, 1)))
            for number in range(first, first + count)
        ]
        async with database.writing() as session:
            await activities.keep(session, portal, made)
        for _ in range(20):
            async with database.writing() as session:
                if not await touches.follow(session, portal):
                    break
        async with database.writing() as session:
            await activities.keep(session, portal, [activity(first + count, "letter_out", bindings=((4, 41),))])
        query = "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_xact_user_tables"
        async with database.writing() as session:
            before = await session.scalar(text(query))
            await touches.follow(session, portal)
            return int(await session.scalar(text(query)) - before)

    first = await written_for(1_000, 200)
    assert await written_for(10_000, 2_000) == first
