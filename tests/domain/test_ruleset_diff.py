"""What differs between two versions: paths, values and words; and that equal rules differ in nothing."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.messages import in_english, message
from app.domain.ruleset import (
    DEFAULT,
    Criterion,
    Currencies,
    FactDefinition,
    Nomenclature,
    Operator,
    Route,
    Ruleset,
    Texts,
)
from app.domain.ruleset_diff import differences
from app.domain.ruleset_words import WORDS, Word, lines
from app.domain.verdict import Grade
from tests.domain.judging_world import law

LINKED = Criterion("company_linked", Operator.ONE_OF, codes=("yes",))


def test_equal_rules_differ_in_nothing_whatever_their_number() -> None:
    assert differences(DEFAULT, replace(DEFAULT, version=7)) == []
    same = replace(DEFAULT.client[0], number=Decimal("3.0"))
    assert differences(DEFAULT, replace(DEFAULT, client=(same, *DEFAULT.client[1:]))) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param(
            {"client": (LINKED, *DEFAULT.client)},
            [("client.0", None, "Target client · company_linked: added (one of the list: yes)")],
            id="a criterion in front of others",
        ),
        pytest.param(
            {"kpi": replace(DEFAULT.kpi, indicators=DEFAULT.kpi.indicators[1:], fixed=Decimal(60_000))},
            [
                ("kpi.fixed", "50000", "KPI sheet of managers · fixed part, RUB a month: 50,000 → 60,000"),
                (
                    "kpi.indicators.0",
                    None,
                    (
                        "KPI sheet of managers · indicators of the variable part · Sales, RUB: "
                        "taken away (40 %, goal 3,000,000)"
                    ),
                ),
            ],
            id="another fixed part, and an indicator is gone",
        ),
        pytest.param(
            {"client": DEFAULT.client[1:]},
            [("client.0", "over", "Target client · Steam consumption: taken away (more than 3)")],
            id="a criterion is gone",
        ),
        pytest.param(
            {"client": (replace(DEFAULT.client[0], number=Decimal(5)), *DEFAULT.client[1:])},
            [("client.0.number", "3", "Target client · Steam consumption · bound: 3 → 5")],
            id="another bound",
        ),
        pytest.param(
            {"client": (*DEFAULT.client[:2], replace(DEFAULT.client[2], codes=("OTHER", "IT")))},
            [
                (
                    "client.2.codes",
                    ["MANUFACTURING"],
                    "Target client · Industry · list: added OTHER, IT; taken away MANUFACTURING",
                )
            ],
            id="another list",
        ),
        pytest.param(
            {"client": DEFAULT.client[::-1]},
            [
                (
                    "client",
                    ["steam_tph", "turnover", "industry"],
                    (
                        "Target client: another order, Steam consumption, Turnover, Industry → "
                        "Industry, Turnover, Steam consumption"
                    ),
                )
            ],
            id="another order",
        ),
        pytest.param(
            {"minimum": replace(DEFAULT.minimum, profit=None, trial_exempt=False)},
            [
                ("minimum.profit", "5000", "Minimum of a deal · profit, RUB: 5,000 → not set"),
                ("minimum.trial_exempt", True, "Minimum of a deal · exception for trial deliveries: yes → no"),
            ],
            id="two figures",
        ),
        pytest.param(
            {"grade_routes": {Grade.AAA: Route(4, "C4:NEW")}, "currencies": Currencies((), {"USD": Decimal(90)})},
            [
                ("currencies.rates.USD", None, "Currencies · own rates, RUB · USD: added (90)"),
                (
                    "grade_routes.AAA",
                    None,
                    "Deals by grade · AAA: added (pipeline: 4, stage: C4:NEW, fields: )",
                ),
            ],
            id="entries of tables",
        ),
        pytest.param(
            {"facts": (replace(DEFAULT.facts[0], sources=DEFAULT.facts[0].sources[:1]), *DEFAULT.facts[1:])},
            [
                (
                    "facts.0.sources.1",
                    "company",
                    (
                        "Facts · Steam consumption · where it is read · company.UF_CRM_OGON_STEAM_TPH: taken away "
                        "(card: company, field: UF_CRM_OGON_STEAM_TPH, zero_is_empty: no, money: no)"
                    ),
                )
            ],
            id="a source is gone",
        ),
        pytest.param(
            {"deal_route": Route(0, None, {"opened": True})},
            [("deal_route.fields.opened", None, "New deals · fields · opened: added (yes)")],
            id="a field to write",
        ),
        pytest.param(
            {"texts": Texts(deal="Fire!")},
            [("texts.deal", None, "Texts · headline, deal: not set → Fire!")],
            id="a text",
        ),
    ],
)
def test_a_change_is_told_where_it_is_and_in_words(changes: dict[str, Any], told: list[Any]) -> None:
    found = differences(DEFAULT, replace(DEFAULT, **changes))
    assert [(one.path, _first(one.before), in_english(one.said)) for one in found] == told


def _first(before: Any) -> Any:
    """Of a whole item its second word: enough to know it by."""
    return before.get("operator") or before.get("card") if isinstance(before, dict) else before


def test_a_box_is_not_the_number_that_equals_it() -> None:
    number, box = (replace(DEFAULT, deal_route=Route(0, None, {"opened": value})) for value in (1, True))
    (told,) = differences(number, box)
    assert (told.path, in_english(told.said)) == ("deal_route.fields.opened", "New deals · fields · opened: 1 → yes")


rules = st.builds(
    lambda days, policy, terms, profit, order, routes: replace(
        DEFAULT,
        urgency_days=days,
        fitting_request_of_no_client=policy,
        nomenclature=Nomenclature(terms=tuple(terms)),
        minimum=replace(DEFAULT.minimum, profit=profit),
        client=tuple(DEFAULT.client[at] for at in order),
        grade_routes=routes,
    ),
    st.integers(0, 3),
    st.sampled_from(("review", "junk")),
    st.lists(st.sampled_from(("boiler", "burner")), max_size=2, unique=True),
    st.none() | st.sampled_from((Decimal(5), Decimal("5.0"))),
    st.lists(st.integers(0, 2), max_size=3),
    st.dictionaries(st.sampled_from(Grade), st.builds(Route, st.integers(0, 1), st.none() | st.just("A")), max_size=2),
)


@law
@given(rules, rules)
def test_nothing_is_told_exactly_when_nothing_differs(before: Ruleset, after: Ruleset) -> None:
    told = differences(before, after)
    assert bool(told) is (before != after)
    assert len(told) == len(differences(after, before))
    assert all(in_english(one.said) for one in told)


def test_every_key_of_the_rules_has_a_word() -> None:
    assert sorted(_missing(DEFAULT, WORDS, "")) == ["version"]


def _missing(value: Any, word: Word, path: str) -> Iterator[str]:
    for one in fields(value):
        place = f"{path}{one.name}"
        inner = word.keys.get(one.name)
        held = getattr(value, one.name)
        if inner is None:
            yield place
        elif is_dataclass(held):
            yield from _missing(held, inner, f"{place}.")
        elif inner.named is not None and held:
            yield from _missing(held[0], inner, f"{place}.*.")


def test_all_there_is_can_be_listed_in_words() -> None:
    title = FactDefinition("pressure", DEFAULT.facts[0].kind, DEFAULT.facts[0].sources, title="Pressure")
    shown = [
        (in_english(label), in_english(message("{value}", value=value)))
        for label, value in lines(
            replace(DEFAULT, facts=(title,), grade_routes={Grade.AAA: Route(4)}, nomenclature=Nomenclature((5, 6)))
        )
    ]
    assert ("Target client · Steam consumption", "more than 3") in shown
    assert ("Nomenclature · catalog sections", "5, 6") in shown
    assert ("Deals by grade · AAA · pipeline", "4") in shown
    assert ("Target request", "not set") in shown
