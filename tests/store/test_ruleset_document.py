"""Rule documents: JSON and YAML to rulesets and back without loss, and every wrong value told, whatever comes."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.facts import Kind
from app.domain.messages import in_english
from app.domain.ruleset import (
    DEFAULT,
    Criterion,
    Currencies,
    FactDefinition,
    FactSource,
    GradeCell,
    Heat,
    Indicator,
    Kpi,
    LeadRoute,
    Minimum,
    Nomenclature,
    Nurture,
    Operator,
    Route,
    Ruleset,
    Segments,
    Targets,
    Texts,
)
from app.domain.verdict import Grade, Outcome
from app.store.ruleset_document import (
    RulesetInvalid,
    examine,
    kept_ruleset,
    ruleset_from_document,
    ruleset_to_document,
)
from app.store.ruleset_yaml import RulesUnreadable, rules_from_text, rules_to_yaml
from app.texts import catalogue

law = settings(deadline=None, max_examples=60)

text = st.text(max_size=6) | st.sampled_from(
    ("yes", "no", "null", "on", "012", "1e3", "- a", "#", "a: b", "\u2028", "😀")
)
small = st.integers(-3, 10**6)
number = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12)
names = st.lists(text, max_size=3).map(tuple)
values = text | small | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
written = st.dictionaries(text, values, max_size=2)
criteria = st.lists(st.builds(Criterion, text, st.sampled_from(Operator), st.none() | number, names), max_size=2).map(
    tuple
)
routes = st.builds(Route, st.none() | small, st.none() | text, written)
facts = st.builds(
    FactDefinition,
    text,
    st.sampled_from(Kind),
    st.lists(
        st.builds(FactSource, st.sampled_from(("lead", "company", "deal")), text, st.booleans(), st.booleans()),
        max_size=2,
    ).map(tuple),
    st.none() | text,
    st.none() | text,
)
heats = st.builds(
    Heat, st.lists(st.sampled_from(Outcome)).map(tuple), st.lists(st.sampled_from(Grade), max_size=2).map(tuple)
)
cells = st.builds(GradeCell, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(Grade))
rulesets = st.builds(
    Ruleset,
    version=small,
    facts=st.lists(facts, max_size=2).map(tuple),
    client=criteria,
    request=criteria,
    nomenclature=st.builds(Nomenclature, st.lists(small, max_size=2).map(tuple), st.just(()), names),
    fitting_request_of_no_client=st.sampled_from(("review", "junk", "deal")),
    unfitting_request_of_client=st.sampled_from(("company", "review", "junk")),
    grades=st.lists(cells, max_size=2).map(tuple),
    urgency_days=small,
    minimum=st.builds(Minimum, st.none() | number, st.none() | number, st.booleans(), small, small, st.booleans()),
    currencies=st.builds(Currencies, names, st.dictionaries(text, number, max_size=2)),
    outcome_routes=st.dictionaries(
        st.sampled_from(Outcome), st.builds(LeadRoute, st.none() | text, written), max_size=2
    ),
    deal_route=routes,
    grade_routes=st.dictionaries(st.sampled_from(Grade), routes, max_size=2),
    declined_route=routes,
    nurture=st.builds(Nurture, text, text, written),
    segments=st.builds(Segments, st.booleans(), text, text, text, small, st.none() | small, st.none() | small),
    targets=st.builds(Targets, small, small, small, heats, heats, st.booleans(), small, st.booleans(), st.booleans()),
    kpi=st.builds(
        Kpi,
        number,
        number,
        st.lists(st.builds(Indicator, st.sampled_from(("sales", "won")), small, number), max_size=2).map(tuple),
        small,
        small,
        number,
        number,
        number,
    ),
    question_days=small,
    review_days=small,
    texts=st.builds(Texts, st.none() | text),
)


@law
@given(rulesets)
def test_a_ruleset_survives_json(ruleset: Ruleset) -> None:
    document = json.loads(json.dumps(ruleset_to_document(ruleset)))
    assert ruleset_from_document(document) == ruleset
    assert kept_ruleset(document, 5) == replace(ruleset, version=5)


@law
@given(rulesets, st.sampled_from(("ru", "en")))
def test_a_document_survives_yaml_in_any_language(ruleset: Ruleset, language: str) -> None:
    document = ruleset_to_document(ruleset)
    written = rules_to_yaml(document, catalogue(language).say)
    assert rules_from_text(written) == document
    assert ruleset_from_document(rules_from_text(written)) == ruleset


def test_every_key_has_a_comment_and_what_there_is_to_choose_from() -> None:
    written = rules_to_yaml(ruleset_to_document(DEFAULT), catalogue("en").say).splitlines()
    for at, line in enumerate(written):
        key = line.strip().partition(":")[0]
        if line.startswith(tuple("abcdefghijklmnopqrstuvwxyz")) or key in {"profit", "hot", "deal", "segment_field"}:
            assert written[at - 1].strip().startswith("#"), line
    assert "#   operator – comparison: over | at_least | under | at_most | one_of | none_of" in written


@pytest.mark.parametrize(
    ("said", "read"),
    [
        pytest.param("a: [yes, no, on, y]", {"a": ["yes", "no", "on", "y"]}, id="words that are codes here"),
        pytest.param("a: [true, null, 012, 1.50, 1e3]", {"a": [True, None, 12, 1.5, 1000.0]}, id="numbers"),
        pytest.param("a: 2026-01-01\nb: 10:30", {"a": "2026-01-01", "b": "10:30"}, id="no dates"),
        pytest.param('{"a": [1, 2,],}', {"a": [1, 2]}, id="a comma too many"),
        pytest.param('{\n\t"a": 1\n}', {"a": 1}, id="JSON with tabs"),
    ],
)
def test_yaml_is_read_as_it_looks(said: str, read: Any) -> None:
    assert rules_from_text(said) == read


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param("a: [", "line 1, column 5", id="not closed"),
        pytest.param("a: 1\nb:\n  c: 1\n  c: 2", "line 4, column 3: “c” is here twice", id="a key twice"),
        pytest.param("a: &x [1]\nb: *x", "references are not taken", id="a reference"),
        pytest.param("a: !!python/object/apply:os.system [id]", "could not determine a constructor", id="a command"),
        pytest.param("a: \x00", "special characters", id="a NUL"),
        pytest.param("[" * 1200, "neither JSON nor YAML", id="very deep"),
    ],
)
def test_what_is_no_document_is_told_with_its_place(said: str, words: str) -> None:
    with pytest.raises(RulesUnreadable) as refused:
        rules_from_text(said)
    assert words in str(refused.value)


def spoilt(spoil: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    document = deepcopy(ruleset_to_document(DEFAULT))
    spoil(document)
    return document


@pytest.mark.parametrize(
    ("spoil", "paths"),
    [
        pytest.param(lambda d: d.update(urgency_days="x", speed=1), {"urgency_days", "speed"}, id="two keys"),
        pytest.param(lambda d: d["client"][0].pop("fact"), {"client.0.fact"}, id="missing"),
        pytest.param(
            lambda d: (d["client"][0].update(operator="?"), d["client"][2].update(codes=[])),
            {"client.0.operator", "client.2.codes"},
            id="shape before meaning in one list",
        ),
        pytest.param(
            lambda d: d["minimum"].update(profit="much", amount=0),
            {"minimum.profit", "minimum.amount"},
            id="shape beside meaning in one group",
        ),
        pytest.param(
            lambda d: (d["facts"][3].update(kind="?"), d.update(question_days=-1)),
            {"facts.3.kind", "question_days"},
            id="of facts that are half known nothing else is said",
        ),
        pytest.param(lambda d: d["grades"][0].update(grade="D"), {"grades.0.grade"}, id="no cell is called missing"),
        pytest.param(
            lambda d: d.update(grade_routes={"AAA": {"fields": {"x": [1]}}, "D": {}}),
            {"grade_routes.AAA.fields.x", "grade_routes.D"},
            id="a table",
        ),
        pytest.param(lambda d: d.update(client="all", texts=None), {"client", "texts"}, id="no groups at all"),
        pytest.param(lambda d: d["minimum"].update(profit=float("nan")), {"minimum.profit"}, id="NaN"),
        pytest.param(lambda d: d["minimum"].update(profit="Infinity"), {"minimum.profit"}, id="endless"),
    ],
)
def test_everything_wrong_is_told_at_once(spoil: Callable[[dict[str, Any]], Any], paths: set[str]) -> None:
    document = spoilt(spoil)
    before = deepcopy(document)
    found = examine(document, None)
    assert found.ruleset is None
    assert {remark.path for remark in found.wrong} == paths
    assert repr(document) == repr(before)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = sorted(ruleset_to_document(DEFAULT))


@law
@given(anything | st.dictionaries(st.sampled_from(KEYS), anything, max_size=4))
def test_whatever_comes_is_examined_and_said(document: Any) -> None:
    found = examine(document, None)
    assert (found.ruleset is None) is bool(found.wrong)
    assert all(in_english(remark.said) for remark in found.remarks)


def test_a_document_of_another_release_is_read_with_defaults() -> None:
    first = {"version": 1, "client": [], "targets": {"hot": 15, "warm": 60, "other": 540}, "of_a_later_release": True}
    assert kept_ruleset(first, 3) == replace(DEFAULT, version=3, client=())
    with pytest.raises(RulesetInvalid, match="of_a_later_release: There is no such key"):
        ruleset_from_document(first)


def test_numbers_stay_exact() -> None:
    exact = replace(DEFAULT, minimum=Minimum(profit=Decimal("0.1000000000000000000001")))
    assert ruleset_from_document(ruleset_to_document(exact)).minimum == exact.minimum
