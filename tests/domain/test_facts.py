"""Three-valued logic, and facts that survive JSON."""

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.facts import Fact, Facts, Kind, Row, Truth, all_of, any_of, value_from_json
from app.domain.messages import Message, in_english, message, message_from_json, message_to_json
from tests.domain.judging_world import law, sensible_facts

Y, N, U = Truth.YES, Truth.NO, Truth.UNKNOWN


@pytest.mark.parametrize(
    ("truths", "every", "some"),
    [
        pytest.param((), Y, N, id="nothing"),
        pytest.param((Y, Y), Y, Y, id="all-yes"),
        pytest.param((Y, U), U, Y, id="unknown-beside-yes"),
        pytest.param((N, U), N, U, id="unknown-beside-no"),
        pytest.param((U, U), U, U, id="all-unknown"),
        pytest.param((Y, U, N), N, Y, id="all-three"),
        pytest.param((N, N), N, N, id="all-no"),
    ],
)
def test_kleene(truths: tuple[Truth, ...], every: Truth, some: Truth) -> None:
    assert all_of(truths) is every
    assert any_of(truths) is some


@law
@given(st.lists(st.sampled_from(Truth)))
def test_conjunction_is_what_all_completions_agree_on(truths: list[Truth]) -> None:
    ends = {True}
    for truth in truths:
        ends = {end and answer for end in ends for answer in truth.possible}
    assert all_of(truths) is (U if len(ends) == 2 else Truth.of(ends.pop()))


EACH_KIND = [
    Fact("n", Kind.NUMBER, Decimal("3.50"), "lead.X", others=(("company.Y", Decimal(2)),)),
    Fact("f", Kind.FLAG, False, "deal.X"),
    Fact("d", Kind.DATE, date(2026, 8, 30)),
    Fact("c", Kind.CODE, "MANUFACTURING"),
    Fact("cs", Kind.CODES, ("economic", "user")),
    Fact("t", Kind.TEXT, "котёл 'x'"),
    Fact("ds", Kind.DATES, (date(2026, 1, 31),)),
    Fact("r", Kind.ROWS, (Row(1, "Boiler", (5,)), Row(2, "Pump", None), Row(0, "Free"))),
    Fact("e", Kind.ROWS, ()),
    Fact(
        "p",
        Kind.NUMBER,
        None,
        problem=message("{b} and {a}: {n}", b="1", a=Decimal("2.5"), n=message("inner {d}", d=date(2026, 1, 1))),
    ),
]


@pytest.mark.parametrize("fact", [pytest.param(fact, id=fact.name) for fact in EACH_KIND])
def test_a_fact_of_each_kind_survives_json(fact: Fact) -> None:
    stored = json.loads(json.dumps(Facts([fact]).to_json(), sort_keys=True))
    assert Facts.from_json(stored)[fact.name] == fact


@law
@given(sensible_facts())
def test_facts_survive_json_and_keep_their_digest(facts: Facts) -> None:
    again = Facts.from_json(json.loads(json.dumps(facts.to_json(), sort_keys=True)))
    assert again == facts
    assert again.digest() == facts.digest()


def test_the_digest_is_of_values() -> None:
    plain = Facts([Fact("n", Kind.NUMBER, Decimal("3.5"), "lead.X")])
    assert Facts([Fact("n", Kind.NUMBER, Decimal("3.50"), "company.X")]).digest() == plain.digest()
    assert Facts([Fact("n", Kind.NUMBER, Decimal("3.6"))]).digest() != plain.digest()
    assert plain.with_(Fact("new", Kind.FLAG, None)).digest() == plain.digest()
    assert plain.with_(Fact("new", Kind.FLAG, False)).digest() != plain.digest()


def test_a_name_nobody_filled_is_unknown() -> None:
    facts = Facts([])
    assert not facts["steam_tph"].known
    assert facts.number("steam_tph") is None
    assert facts.flag("trial") is U
    assert facts.rows("rows") is None
    assert facts.days("won_deals") is None


def test_one_code_stands_for_a_list_of_one() -> None:
    assert value_from_json(Kind.CODES, "economic") == ("economic",)


def test_a_message_survives_a_store_that_sorts_keys() -> None:
    said = message("{z} {aa} {list} {n}", z=1, aa="x", list=("a", message("b {c}", c=Decimal("1.10"))), n=date.min)
    stored = json.loads(json.dumps(message_to_json(said), sort_keys=True))
    assert message_from_json(stored) == said
    assert in_english(message_from_json(stored)) == in_english(said)


def test_text_that_looks_like_a_message_stays_text() -> None:
    said = Message("{a}", (("a", '{"template": "x"}'),))
    assert message_from_json(message_to_json(said)) == said
