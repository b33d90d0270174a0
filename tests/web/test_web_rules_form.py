"""Rules as a form and back: nothing is lost on the way, and every wrong value finds its field."""

from dataclasses import replace
from decimal import Decimal

import pytest

from app.domain.ruleset import DEFAULT, Currencies, LeadRoute, Nomenclature, Ruleset
from app.domain.verdict import Outcome
from app.store.ruleset_document import examine, ruleset_from_document, ruleset_to_document
from app.texts import catalogue
from app.web.rules_form import COUNT, OWN, Group, Input, document_of, form_of

SAY = catalogue("en").say
FULL = replace(
    DEFAULT,
    nomenclature=Nomenclature(sections=(4, 7), terms=("boiler", "паровой котёл")),
    currencies=Currencies(accepted=("USD",), rates={"USD": Decimal("91.5")}),
    outcome_routes={Outcome.JUNK: LeadRoute("JUNK", {"UF_CRM_A": True, "UF_CRM_B": 7, "UF_CRM_C": "words = more"})},
)


def sent(form: Group) -> dict[str, list[str]]:
    """What a browser sends of a form that nobody touched."""
    values: dict[str, list[str]] = {}
    if form.count is not None:
        values[f"{form.path}.{COUNT}"] = [str(form.count)]
    if form.own:
        values[f"{form.path}.{OWN}"] = ["on"]
    for part in form.parts:
        if isinstance(part, Group):
            values |= sent(part)
        elif part.kind == "choices" or part.kind == "flag":
            values[part.path] = list(part.chosen)
        else:
            # Browsers send line ends as CR LF.
            values[part.path] = [part.value.replace("\n", "\r\n")]
    return values


@pytest.mark.parametrize("rules", [DEFAULT, FULL], ids=["default", "full"])
def test_an_untouched_form_says_the_same_rules(rules: Ruleset) -> None:
    document = ruleset_to_document(rules)
    back = document_of(sent(form_of(document, {}, SAY)))
    assert ruleset_from_document({**back, "version": rules.version}) == rules


def every(form: Group) -> list[Input | Group]:
    return [form, *(one for part in form.parts for one in (every(part) if isinstance(part, Group) else [part]))]


def test_every_wrong_value_is_told_at_its_field() -> None:
    values = sent(form_of(ruleset_to_document(FULL), {}, SAY))
    values |= {
        "client.0.number": ["much"],
        "urgency_days": ["soon"],
        "minimum.profit": [" 5 000,50 "],
        "nomenclature.sections": ["4\r\nseven"],
        "outcome_routes.junk.fields": ["UF_CRM_A = x"],
    }
    document = document_of(values)
    assert document["minimum"]["profit"] == "5000.50"
    wrong: dict[str, list[str]] = {}
    for remark in examine(document, None).wrong:
        wrong.setdefault(remark.path, []).append(SAY(remark.said))
    told = {one.path for one in every(form_of(document, wrong, SAY)) if one.errors}
    assert told == {"client.0.number", "urgency_days", "nomenclature.sections"}
    assert form_of(document, wrong, SAY).wrong


def test_items_are_added_and_removed() -> None:
    values = sent(form_of(ruleset_to_document(DEFAULT), {}, SAY))
    document = document_of({**values, "client.1.__remove": ["on"]}, add="client")
    assert [one["fact"] for one in document["client"]] == ["steam_tph", "industry", ""]
    more = document_of(values, add="facts.0.sources")
    assert [one["card"] for one in more["facts"][0]["sources"]] == ["lead", "company", "lead"]


@pytest.mark.parametrize("count", ["", "-1", "many", "99999999999"])
def test_a_forged_count_does_no_harm(count: str) -> None:
    assert len(document_of({"client.__count": [count]})["client"]) <= 1000
