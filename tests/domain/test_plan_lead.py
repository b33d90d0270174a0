"""What is planned for a lead: one table or case for each outcome of stage one, and who wins over whom."""

from dataclasses import replace

import pytest
from plan_world import (
    DICTIONARY,
    FACTS,
    HEAD,
    LEAD_STAGES,
    MANAGER,
    NEW_FACTS,
    ROW,
    US,
    World,
    lead_card,
    lead_verdict,
    of_type,
)

from app.domain.actions import AddComment, AddTodo, CompleteTodo, CreateItem, MoveItem, Ref, SetRows, UpdateItem
from app.domain.facts import Truth
from app.domain.messages import message
from app.domain.snapshot import Entity, Found, LeadSnapshot, Links, Memory, OpenTodo
from app.domain.touch import Hold
from app.domain.verdict import Outcome

DEAL, COMPANY, JUNK = lead_verdict(Outcome.DEAL), lead_verdict(Outcome.COMPANY), lead_verdict(Outcome.JUNK)
REVIEW, NEEDS_DATA = lead_verdict(Outcome.REVIEW), lead_verdict(Outcome.NEEDS_DATA)


def _created(world: World, verdict=DEAL) -> dict[str, dict]:
    return {action.makes: dict(action.fields) for action in of_type(world.plan(verdict), CreateItem)}


def test_a_target_lead_becomes_company_contact_and_deal_and_is_converted_last() -> None:
    world = World(links=Links(lead_rows_raw=(ROW,)))
    kinds = [type(action).__name__ for action in world.plan(DEAL).actions]
    assert kinds == ["CreateItem", "CreateItem", "CreateItem", "SetRows", "UpdateItem", "AddComment", "MoveItem"]
    assert of_type(world.plan(DEAL), MoveItem)[0].stage == "CONVERTED"
    made = _created(world)
    origin = {"leadId": 5, "originatorId": "ogon", "originId": "lead-5", "assignedById": MANAGER}
    assert made["company"] == {
        "title": "Plant [B]One[/B]",
        "UF_CRM_OGON_STEAM_TPH": 4.5,
        "revenue": 2_000_000_000,
        "currencyId": "RUB",
        "industry": "MANUFACTURING",
        **origin,
    }
    assert made["contact"] == {
        "name": "Ann",
        "lastName": "Lee",
        "sourceId": "WEB",
        "companyId": Ref("company"),
        "fm": [
            {"typeId": "PHONE", "valueType": "WORK", "value": "+7 999 000-11-22"},
            {"typeId": "EMAIL", "valueType": "HOME", "value": "ann@plant.example"},
        ],
        **origin,
    }
    assert made["deal"] == {
        "title": "Boiler house for a plant",
        "categoryId": 0,
        "stageId": "NEW",
        "opportunity": 2400,
        "currencyId": "RUB",
        "isManualOpportunity": "N",
        "sourceId": "WEB",
        "utmSource": "ads",
        "comments": "Call after ten",
        "companyId": Ref("company"),
        "contactIds": [Ref("contact")],
        **origin,
    }
    lead_fields = of_type(world.plan(DEAL), UpdateItem)[0].fields
    assert lead_fields["companyId"] == Ref("company")
    assert lead_fields["contactIds"] == [Ref("contact")]
    assert lead_fields["UF_CRM_OGON_VERDICT"] == 51


def test_copied_rows_leave_behind_what_belongs_to_the_lead() -> None:
    (rows,) = of_type(World(links=Links(lead_rows_raw=(ROW,))).plan(DEAL), SetRows)
    assert rows.item_id == Ref("deal")
    assert set(rows.rows[0]) == {
        "productId", "productName", "price", "quantity", "taxRate", "taxIncluded", "measureCode", "sort",
    }  # fmt: skip


def test_no_nameless_company_is_made() -> None:
    world = World().changing(companyTitle=" ")
    assert set(_created(world)) == {"contact", "deal"}
    assert "companyId" not in _created(world)["deal"]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        pytest.param({"name": "Ann", "lastName": "", "fm": []}, "Ann", id="a name alone"),
        pytest.param({"name": "", "lastName": ""}, "+7 999 000-11-22", id="a phone alone"),
        pytest.param({"name": "", "lastName": "", "fm": None, "email": "a@b.example"}, "a@b.example", id="an alias"),
    ],
)
def test_whoever_can_be_reached_or_named_is_a_contact(fields, name) -> None:
    assert _created(World().changing(**fields))["contact"]["name"] == name


def test_nobody_named_and_nobody_reachable_is_no_contact() -> None:
    world = World().changing(name="", lastName=None, fm=[], honorific="HNR_1")
    assert set(_created(world)) == {"company", "deal"}


def test_what_was_found_is_reused() -> None:
    found = Links(Found(8, "phone", {"id": 8}), Found(9, "email"), deal_ids=(90, 91), lead_rows_raw=(ROW,))
    world = World(links=found)
    assert _created(world) == {}
    assert of_type(world.plan(DEAL), SetRows)[0].item_id == 90
    assert of_type(world.plan(DEAL), UpdateItem)[-1].fields["companyId"] == 8
    assert of_type(world.plan(DEAL), UpdateItem)[-1].fields["contactIds"] == [9]
    assert not of_type(replace(world, links=replace(found, deal_has_rows=True)).plan(DEAL), SetRows)


def test_the_leads_own_links_beat_what_was_found() -> None:
    card = lead_card(companyId=6, contactIds=[4, 3])
    world = World(LeadSnapshot(card, company={"id": 6}), links=Links(Found(8, "phone"), Found(9, "phone")))
    deal = _created(world)["deal"]
    assert (deal["companyId"], deal["contactIds"]) == (6, [4, 3])
    assert not {"companyId", "contactIds"} & set(of_type(world.plan(DEAL), UpdateItem)[-1].fields)


def _company_fields(card: dict, verdict=DEAL) -> dict:
    world = World(LeadSnapshot(lead_card(companyId=8), company=card))
    updates = [u for u in of_type(world.plan(verdict), UpdateItem) if u.entity is Entity.COMPANY]
    return dict(updates[0].fields) if updates else {}


@pytest.mark.parametrize(
    ("card", "written"),
    [
        pytest.param(
            {"revenue": 0, "industry": None, "currencyId": "RUB"},
            {"UF_CRM_OGON_STEAM_TPH": 4.5, "revenue": 2_000_000_000, "industry": "MANUFACTURING"},
            id="empty fields are filled",
        ),
        pytest.param(
            {"revenue": 5, "industry": "OTHER", "UF_CRM_OGON_STEAM_TPH": 0},
            {},
            id="filled ones are left, a typed 0 too",
        ),
        pytest.param(
            {"revenue": "0.00", "industry": "IT", "UF_CRM_OGON_STEAM_TPH": 1, "currencyId": "USD"},
            {"revenue": 25_000_000},
            id="in the currency the company has",
        ),
        pytest.param(
            {"revenue": 0, "industry": "IT", "UF_CRM_OGON_STEAM_TPH": 1, "currencyId": "XXX"},
            {},
            id="no rate, no guess",
        ),
    ],
)
def test_a_reused_company_gets_only_what_it_lacks(card, written) -> None:
    assert _company_fields({"id": 8, **card}) == written


def test_a_company_whose_card_was_not_read_is_not_written() -> None:
    world = World(LeadSnapshot(lead_card(companyId=8)))
    assert [u.entity for u in of_type(world.plan(DEAL), UpdateItem)] == [Entity.LEAD]


def test_nurture_keeps_the_company_and_makes_no_deal() -> None:
    made = _created(World(), COMPANY)
    assert set(made) == {"company", "contact"}
    assert made["company"]["UF_CRM_OGON_SEGMENT"] == 74
    assert World().plan(COMPANY).actions[-1].stage == "CONVERTED"
    assert _company_fields({"id": 8, "revenue": 1, "industry": "IT", "UF_CRM_OGON_STEAM_TPH": 1}, COMPANY) == {
        "UF_CRM_OGON_SEGMENT": 74
    }


def test_nurture_without_a_company_is_not_forced() -> None:
    planned = World().changing(companyTitle="").plan(COMPANY)
    assert planned.held == (Hold.COMPANY_UNKNOWN,)
    assert not of_type(planned, MoveItem)


def test_junk_says_why_before_it_moves() -> None:
    kinds = [type(action).__name__ for action in World().plan(JUNK).actions]
    assert kinds == ["UpdateItem", "AddComment", "MoveItem"]
    assert World().plan(JUNK).actions[-1].stage == "JUNK"


@pytest.mark.parametrize(
    ("stages", "goal"),
    [
        pytest.param(LEAD_STAGES, "JUNK", id="the system's own before an earlier one"),
        pytest.param(LEAD_STAGES[:4], "UC_DOUBLE", id="else the first failure"),
        pytest.param((*LEAD_STAGES[:3], replace(LEAD_STAGES[4], semantics="process"), LEAD_STAGES[3]), "UC_DOUBLE",
                     id="JUNK that is no failure any more is not used"),
        pytest.param((*LEAD_STAGES[:3], replace(LEAD_STAGES[4], apology=True), LEAD_STAGES[3]), "UC_DOUBLE",
                     id="an analysed failure is not junk"),
        pytest.param(LEAD_STAGES[:3], None, id="no failure stage"),
    ],
)  # fmt: skip
def test_where_junk_goes(stages, goal) -> None:
    planned = World(dictionary=replace(DICTIONARY, stages=stages)).plan(JUNK)
    assert [move.stage for move in of_type(planned, MoveItem)] == ([goal] if goal else [])
    assert planned.held == (() if goal else (Hold.STAGE_UNKNOWN,))


def test_needs_data_asks_once_and_only_what_decides() -> None:
    (todo,) = of_type(World().plan(NEEDS_DATA), AddTodo)
    assert todo.description == "1. Which industry is it?\n2. Do we sell that?"
    assert todo.responsible_id == MANAGER
    assert todo.deadline == "2026-08-22T12:00:00+03:00"
    assert not of_type(World().plan(NEEDS_DATA), MoveItem)
    asked = World().after(NEEDS_DATA)
    assert asked.plan(NEEDS_DATA).actions == ()
    other = replace(NEEDS_DATA, questions=NEEDS_DATA.questions[:1])
    assert [type(a) for a in asked.plan(other).actions] == [CompleteTodo, AddTodo]


def test_review_asks_the_head_of_the_department() -> None:
    (todo,) = of_type(World().plan(REVIEW), AddTodo)
    assert todo.responsible_id == HEAD
    alone = World(dictionary=replace(DICTIONARY, heads={}))
    assert of_type(alone.plan(REVIEW), AddTodo)[0].responsible_id == MANAGER


@pytest.mark.parametrize("verdict", [DEAL, COMPANY, JUNK])
def test_an_answered_todo_is_closed(verdict) -> None:
    world = World(memory=Memory(todo=OpenTodo(880, "old")))
    assert [todo.activity_id for todo in of_type(world.plan(verdict), CompleteTodo)] == [880]
    assert not of_type(world.plan(verdict), AddTodo)


@pytest.mark.parametrize("stored", [51, "51"])
def test_fields_that_say_it_already_are_not_written(stored) -> None:
    world = World().changing(UF_CRM_OGON_VERDICT=stored, UF_CRM_OGON_WHY="Outcome deal because of steam")
    (update,) = of_type(world.plan(DEAL), UpdateItem)
    assert set(update.fields) == {"companyId", "contactIds"}


def test_fields_the_portal_does_not_have_are_not_written() -> None:
    world = World(dictionary=replace(DICTIONARY, fields=frozenset()))
    assert not of_type(world.plan(NEEDS_DATA), UpdateItem)
    assert set(_created(world)["company"]) & {"UF_CRM_OGON_STEAM_TPH", "UF_CRM_OGON_SEGMENT"} == set()


def test_a_long_reason_is_one_line_that_fits() -> None:
    long = replace(JUNK, why=message("Because {text}", text="of steam\n" * 60))
    (update,) = of_type(World().plan(long), UpdateItem)
    why = update.fields["UF_CRM_OGON_WHY"]
    assert len(why) <= 255
    assert why.endswith("…")
    assert "\n" not in why


def test_text_from_outside_is_never_markup() -> None:
    hostile = replace(JUNK, why=message("Company {name}", name="[URL=https://bad.example]A[/URL]"))
    text = of_type(World().plan(hostile), AddComment)[0].text
    assert "[URL" not in text
    assert "URL=https://bad.example" in text
    assert text.startswith("[B]Junk")


def test_the_comment_says_verdict_why_findings_and_what_was_done() -> None:
    text = of_type(World().plan(DEAL), AddComment)[0].text
    assert text.splitlines() == [
        "[B]Fire: a target client with a fitting request[/B]",
        "Outcome deal because of steam",
        "✓ Steam 4.5 t/h",
        (
            "[B]Done:[/B] A card was made for the company. A contact was made. "
            "A deal was made in the stage “New”. The lead is being converted."
        ),
    ]


@pytest.mark.parametrize("truth", [Truth.NO, Truth.UNKNOWN])
def test_the_comment_says_what_would_turn_a_finding_around(truth) -> None:
    finding = replace(JUNK.findings[0], truth=truth)
    text = of_type(World().plan(replace(JUNK, findings=(finding,))), AddComment)[0].text
    assert "Steam 4.5 t/h. Steam 3 t/h or less" in text


# People win


@pytest.mark.parametrize("stage", ["IN_PROCESS", "NEW"])
def test_a_person_who_moved_the_card_back_wins_on_the_same_facts(stage) -> None:
    world = World().after(JUNK).moved_by_person(stage, JUNK)
    assert world.plan(JUNK) == replace(world.plan(JUNK), actions=(), held=(Hold.PERSON_MOVED,))


def test_new_facts_with_the_same_outcome_do_not_move_what_a_person_moved() -> None:
    world = replace(World().after(JUNK).moved_by_person("NEW", JUNK), facts=NEW_FACTS)
    assert world.plan(JUNK).held == (Hold.PERSON_MOVED,)


def test_new_facts_with_another_outcome_do() -> None:
    world = replace(World().after(JUNK).moved_by_person("NEW", JUNK), facts=NEW_FACTS)
    assert world.plan(DEAL).actions[-1].stage == "CONVERTED"


def test_a_held_conversion_makes_nothing_but_still_explains() -> None:
    world = replace(World().after(NEEDS_DATA).moved_by_person("IN_PROCESS", NEEDS_DATA))
    planned = world.plan(DEAL)
    assert planned.held == (Hold.PERSON_MOVED,)
    assert [type(action) for action in planned.actions] == [UpdateItem, AddComment, CompleteTodo]


def test_a_person_under_our_account_is_a_person() -> None:
    junked = World().after(JUNK)
    back = junked.moved_by_person("IN_PROCESS", JUNK).changing(movedBy=US)
    assert back.plan(JUNK).held == (Hold.PERSON_MOVED,)


def test_the_first_sight_of_an_open_card_may_move_it() -> None:
    assert World().changing(stageId="IN_PROCESS").plan(JUNK).actions[-1].stage == "JUNK"


@pytest.mark.parametrize(
    ("stage", "verdict", "held"),
    [
        ("JUNK", DEAL, (Hold.CLOSED_BY_PERSON,)),
        ("JUNK", JUNK, ()),
        ("UC_DOUBLE", NEEDS_DATA, (Hold.CLOSED_BY_PERSON,)),
        ("CONVERTED", DEAL, ()),
        ("CONVERTED", JUNK, (Hold.CLOSED_BY_PERSON,)),
    ],
)
def test_a_lead_closed_by_a_person_is_recorded_not_moved(stage, verdict, held) -> None:
    world = World(memory=Memory(todo=OpenTodo(880, "old"))).changing(stageId=stage)
    planned = world.plan(verdict)
    assert planned.held == held
    assert [type(action) for action in planned.actions] == [UpdateItem, CompleteTodo]
    assert set(planned.actions[0].fields) == {"UF_CRM_OGON_VERDICT", "UF_CRM_OGON_WHY"}


@pytest.mark.parametrize("verdict", [NEEDS_DATA, REVIEW])
def test_our_junk_is_taken_back_to_where_the_lead_was(verdict) -> None:
    world = replace(World().changing(stageId="IN_PROCESS").after(JUNK), facts=NEW_FACTS)
    assert world.plan(verdict).actions[-1] == MoveItem("lead-5:stage:IN_PROCESS", Entity.LEAD, 5, "IN_PROCESS")
    forgotten = replace(world, memory=replace(world.memory, stage_before="GONE"))
    assert forgotten.plan(verdict).actions[-1].stage == "NEW"


def test_our_junk_becomes_a_deal_when_the_facts_say_so() -> None:
    world = replace(World().after(JUNK), facts=NEW_FACTS)
    assert set(_created(world)) == {"company", "contact", "deal"}
    assert world.after(DEAL).card["stageId"] == "CONVERTED"


def test_a_conversion_of_ours_is_never_undone() -> None:
    world = replace(World().after(DEAL), facts=NEW_FACTS)
    planned = world.plan(JUNK)
    assert planned.held == (Hold.ALREADY_CONVERTED,)
    assert [type(action) for action in planned.actions] == [UpdateItem]


def test_a_nurtured_lead_that_turns_target_is_recorded_only() -> None:
    planned = replace(World().after(COMPANY), facts=NEW_FACTS).plan(DEAL)
    assert planned.held == (Hold.ALREADY_CONVERTED,)
    assert not of_type(planned, CreateItem)


def test_a_robot_that_moves_the_card_back_is_given_way() -> None:
    world = World(memory=Memory(recent_moves=5))
    assert world.plan(JUNK).held == (Hold.TOO_MANY_MOVES,)
    assert not of_type(world.plan(JUNK), MoveItem)


def test_an_argument_over_fields_is_given_up_and_only_over_those() -> None:
    (update,) = of_type(World().plan(JUNK), UpdateItem)
    world = World(memory=Memory(recent_writes={update.key: 5}))
    assert world.plan(JUNK).held == (Hold.FIELDS_NOT_KEPT,)
    assert not of_type(world.plan(JUNK), UpdateItem)
    assert of_type(world.plan(JUNK), MoveItem)
    assert of_type(world.plan(NEEDS_DATA), UpdateItem)
    assert of_type(World(memory=Memory(recent_writes={update.key: 4})).plan(JUNK), UpdateItem)


def test_an_unknown_stage_is_not_left() -> None:
    world = World().changing(stageId="UC_NEW")
    assert world.plan(DEAL).held == (Hold.STAGE_UNKNOWN,)
    assert not of_type(world.plan(DEAL), CreateItem | MoveItem)
    assert world.changing(stageSemanticId="F").plan(DEAL).held == (Hold.CLOSED_BY_PERSON,)


def test_a_route_into_an_unknown_stage_makes_nothing() -> None:
    route = replace(World().ruleset.deal_route, pipeline=9)
    world = World(ruleset=replace(World().ruleset, deal_route=route), facts=FACTS)
    assert world.plan(DEAL).held == (Hold.STAGE_UNKNOWN,)
    assert not of_type(world.plan(DEAL), CreateItem | MoveItem)


def test_a_route_names_pipeline_and_stage() -> None:
    route = replace(World().ruleset.deal_route, pipeline=4)
    first = World(ruleset=replace(World().ruleset, deal_route=route))
    assert (_created(first)["deal"]["categoryId"], _created(first)["deal"]["stageId"]) == (4, "C4:NEW")
    named = World(ruleset=replace(World().ruleset, deal_route=replace(route, stage="C4:UC_1")))
    assert _created(named)["deal"]["stageId"] == "C4:UC_1"
