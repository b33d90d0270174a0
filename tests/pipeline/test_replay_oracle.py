"""A replay beside a plain reckoning over the same past: same cells, same cards, same truths, same load."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, note, settings
from replay_world import DICTIONARY, SINCE, UNTIL, US, Past, Told, facts_of, opened, pasts, read_by, rulesets, store

from app.domain.facts import Facts
from app.domain.qualify import qualify
from app.domain.ruleset import Ruleset
from app.domain.snapshot import Entity
from app.domain.verdict import LeadVerdict, Verdict
from app.pipeline.replay_share import Found, Order, Share
from app.store.recorded_cards import START, Period, Place

_END = Place(9, 0)
_NAMES = {"success": "S", "failure": "F", "process": "P"}


@pytest.fixture
def connection(database_conninfo: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_conninfo, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO portals (name, domain, webhook_url_encrypted, application_tokens_encrypted)"
            " VALUES ('p', 'p.example', '', '')"
        )
        yield connection


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(past=pasts(), first=rulesets(1), second=rulesets(2), draft=rulesets(2))
def test_a_replay_counts_what_a_plain_reckoning_counts(
    connection: psycopg.Connection[Any], past: list[Told], first: Ruleset, second: Ruleset, draft: Ruleset
) -> None:
    versions = {1: first, 2: second}
    (portal_id,) = connection.execute("SELECT id FROM portals").fetchone() or (0,)
    store(connection, portal_id, past, versions)
    share = Share(connection, Order(Period(portal_id, SINCE, UNTIL), draft, versions, DICTIONARY))
    page = share.page(START, _END)
    gaps = {(one.entity_type_id, one.card_id) for one in page.found if one.gap is not None}

    cells: Counter[tuple[int, str, str]] = Counter()
    truths: Counter[tuple[tuple[int, str, str], str]] = Counter()
    before, after = Counter[tuple[int, str]](), Counter[tuple[int, str]]()
    changed: set[tuple[int, int, str, str, str]] = set()
    unsure = 0
    for told in past:
        run = _last_in_period(told)
        if run is None:
            continue
        key = int(told.entity), told.card_id
        if key in gaps:
            note(f"gap: {key}")
            unsure += 1
            assert _asks_for_more(versions[run.version], draft), "a gap, and the draft asks for nothing new"
            continue
        old = _said(_judged(told, run, versions[run.version]))
        new = _said(_judged(told, run, draft))
        cells[key[0], old, new] += 1
        for load, said in ((before, old), (after, new)):
            for owed in _owed(told, said):
                load[owed] += 1
        if old != new:
            became = _truth(told, {one.card_id: one for one in past if one.entity is Entity.DEAL})
            truths[(key[0], old, new), became] += 1
            changed.add((*key, old, new, became))

    assert dict(page.tally.cells) == dict(cells)
    assert dict(page.tally.truths) == dict(truths)
    assert {(duty.user_id, duty.what): count for duty, count in page.tally.before.items()} == dict(before)
    assert {(duty.user_id, duty.what): count for duty, count in page.tally.after.items()} == dict(after)
    assert page.tally.not_comparable == unsure == len(gaps)
    assert {_line(one) for one in page.found if one.gap is None} == changed
    _in_small_pages_too(share, page.tally, page.found)


def _in_small_pages_too(share: Share, whole: Any, found: list[Found]) -> None:
    """Any way of cutting gives the same."""
    places = [START, Place(1, 2), Place(1, 5), Place(2, 1), Place(2, 4), _END]
    pages = [share.page(after, last) for after, last in pairwise(places)]
    sum_of = replace(pages[0].tally)
    for page in pages[1:]:
        sum_of.add(page.tally)
    assert sum_of.to_json() == whole.to_json()
    assert [one for page in pages for one in page.found] == found


def _last_in_period(told: Told) -> Past | None:
    inside = [run for run in told.runs if SINCE <= opened(run) < UNTIL and run.status in {"done", "failed"}]
    return inside[-1] if inside else None


def _judged(told: Told, run: Past, rules: Ruleset) -> Verdict:
    """As if the card had been read and judged by these rules on that day."""
    today = opened(run).date()
    facts: Facts = facts_of(read_by(told, rules, today), rules)
    return qualify(told.entity, facts, rules, today)


def _asks_for_more(then: Ruleset, draft: Ruleset) -> bool:
    return (then.facts, then.currencies, then.nomenclature, then.minimum) != (
        draft.facts,
        draft.currencies,
        draft.nomenclature,
        draft.minimum,
    )


def _said(verdict: Verdict) -> str:
    if isinstance(verdict, LeadVerdict):
        return verdict.outcome.value
    return verdict.grade.value + ("_declined" if verdict.declined else "")


def _owed(told: Told, said: str) -> list[tuple[int, str]]:
    who = told.responsible
    if told.entity is Entity.DEAL:
        return [(who, "declined")] if "declined" in said else []
    head = {11: 3}.get(who, who)
    return {"deal": [(who, "deals")], "needs_data": [(who, "todos")], "review": [(head, "todos")]}.get(said, [])


def _truth(told: Told, deals: dict[int, Told]) -> str:
    if told.became in deals:
        return _truth(deals[told.became], {})
    known = {(one.entity, one.code): _NAMES[one.semantics] for one in DICTIONARY.stages}
    meaning = known.get((told.entity, told.stage), told.last_move)
    if meaning == "S":
        return "converted" if told.entity is Entity.LEAD else "won"
    if meaning == "F" and told.entity is Entity.DEAL:
        return "lost"
    if meaning == "F":
        return "junk_by_us" if told.moved_by == US else "junk"
    return "gone" if told.state == "deleted" else "open"


def _line(one: Found) -> tuple[int, int, str, str, str]:
    return one.entity_type_id, one.card_id, one.before, str(one.after), str(one.truth)
