"""Leads from webhook to each outcome, over HTTP end to end; the portal is looked at, not our tables."""

import pytest
from sqlalchemy import text

from app.domain.ruleset import Nomenclature
from tests.story.house import COMPANY, CONTACT, DEAL, LEAD, Story
from tests.story.people import FITS, FITS_NOT, SMALL, TARGET, person

pytestmark = pytest.mark.anyio


async def test_a_target_client_with_a_fitting_request_becomes_one_deal(story: Story) -> None:
    lead_id = story.add(LEAD, **person(1), **TARGET, **FITS)
    story.portal.ui_set_rows(LEAD, lead_id, [{"productId": 101, "price": 1_000_000, "quantity": 2}])
    await story.settled()

    lead = story.lead(lead_id)
    assert story.verdict(lead_id) == "deal"
    assert lead["stageId"] == "CONVERTED"
    deal = story.deal_of(lead_id)
    assert (deal["categoryId"], deal["stageId"]) == (0, "NEW")
    assert (deal["originatorId"], deal["originId"]) == ("ogon", f"lead-{lead_id}")
    assert [row["productId"] for row in story.portal.rows(DEAL, deal["id"])] == [101]
    assert deal["opportunity"] == 2_000_000
    company = story.item(COMPANY, deal["companyId"])
    assert company["title"] == "ООО «Пар-1»"
    assert (company["revenue"], company["industry"]) == (2_500_000_000, "MANUFACTURING")
    assert company["UF_CRM_OGON_STEAM_TPH"] == 8
    (contact_id,) = deal["contactIds"]
    contact = story.item(CONTACT, contact_id)
    assert (contact["name"], contact["companyId"]) == ("Анна", company["id"])
    assert (lead["companyId"], lead["contactIds"]) == (company["id"], [contact_id])
    assert lead["UF_CRM_OGON_WHY"]
    assert len(story.comments(LEAD, lead_id)) == 1
    assert story.todos(LEAD, lead_id) == []
    # The amount follows its rows, and nobody has answered the manager's questions yet.
    assert story.grade(deal["id"]) == "none"
    assert deal["UF_CRM_OGON_CHECKLIST"] == "2/7"


async def test_the_other_four_outcomes(story: Story) -> None:
    company, junk, review, asked = (
        story.add(LEAD, **person(number), **client, **request)
        for number, (client, request) in enumerate(((TARGET, FITS_NOT), (SMALL, FITS_NOT), (SMALL, FITS), ({}, {})))
    )
    await story.settled()

    assert story.verdict(company) == "company"
    kept = story.lead(company)
    assert kept["stageId"] == "CONVERTED"
    assert story.code(COMPANY, kept["companyId"], "UF_CRM_OGON_SEGMENT") == "nurture"
    assert story.item(COMPANY, kept["companyId"])["assignedById"] == 12

    assert story.verdict(junk) == "junk"
    assert story.lead(junk)["stageId"] == "JUNK"

    assert story.verdict(review) == "review"
    assert story.lead(review)["stageId"] == "NEW"
    (todo,) = story.todos(LEAD, review)
    assert todo["RESPONSIBLE_ID"] == "10", "the head of the responsible person's department decides"

    assert story.verdict(asked) == "needs_data"
    assert story.lead(asked)["stageId"] == "NEW"
    (todo,) = story.todos(LEAD, asked)
    assert todo["RESPONSIBLE_ID"] == "12"
    assert len(todo["DESCRIPTION"].splitlines()) == 4, "three of the client, then one of the request"

    assert story.portal.items(DEAL) == []
    assert [one["id"] for one in story.portal.items(COMPANY)] == [kept["companyId"]]
    for lead_id in (company, junk, review, asked):
        assert story.lead(lead_id)["UF_CRM_OGON_WHY"]
        assert len(story.comments(LEAD, lead_id)) == 1


async def test_answers_close_the_to_do_and_decide(story: Story) -> None:
    asked, unsure, reviewed = (
        story.add(LEAD, **person(1), UF_CRM_OGON_STEAM_TPH=8),
        story.add(LEAD, **person(2), **TARGET),
        story.add(LEAD, **person(3), **SMALL, **FITS),
    )
    await story.settled()
    assert [story.verdict(one) for one in (asked, unsure, reviewed)] == ["needs_data", "needs_data", "review"]
    (of_request,) = story.todos(LEAD, unsure)
    assert len(of_request["DESCRIPTION"].splitlines()) == 1, "only what decides is asked"

    story.edit(LEAD, asked, UF_CRM_OGON_TURNOVER=2_500_000_000)
    story.edit(LEAD, unsure, **FITS)
    story.edit(LEAD, reviewed, **TARGET)
    await story.settled()
    (left,) = story.todos(LEAD, asked)
    assert len(left["DESCRIPTION"].splitlines()) == 2, "what was answered is not asked again"
    assert len(story.todos(LEAD, asked, completed="Y")) == 1

    story.edit(LEAD, asked, **TARGET, **FITS)
    await story.settled()
    for lead_id in (asked, unsure, reviewed):
        assert story.verdict(lead_id) == "deal"
        assert story.todos(LEAD, lead_id) == []
        assert len(story.deals_of(lead_id)) == 1


async def test_an_unknown_that_does_not_matter_holds_nobody_up(story: Story) -> None:
    dry = story.add(LEAD, **person(1), UF_CRM_OGON_TURNOVER=20_000_000, **FITS_NOT)
    zero = story.add(LEAD, **person(2), UF_CRM_OGON_STEAM_TPH=0, **FITS_NOT)
    nameless = story.add(LEAD, **person(3, companyTitle=""), **TARGET, **FITS)
    no_title = story.add(LEAD, **person(4, companyTitle=""), **TARGET, **FITS_NOT)
    await story.settled()

    assert [story.verdict(one) for one in (dry, zero)] == ["junk", "junk"], "a No is enough, and 0 t/h was typed"
    assert story.todos(LEAD, dry) == []

    assert story.verdict(nameless) == "deal"
    deal = story.deal_of(nameless)
    assert len(deal["contactIds"]) == 1
    assert not deal["companyId"]
    assert story.portal.items(COMPANY) == [], "no nameless company"

    assert story.verdict(no_title) == "needs_data", "there is nothing to keep in the nurture group"
    assert len(story.todos(LEAD, no_title)) == 1
    story.edit(LEAD, no_title, companyTitle="ООО «Имя»")
    await story.settled()
    assert story.verdict(no_title) == "company"
    assert [one["title"] for one in story.portal.items(COMPANY)] == ["ООО «Имя»"]
    assert story.todos(LEAD, no_title) == []


async def test_the_request_is_read_from_rows_and_words_under_published_rules(story: Story) -> None:
    await story.publish(
        nomenclature=Nomenclature(sections=(13,), terms=("паровой котёл", "деаэратор")),
        fitting_request_of_no_client="junk",
    )
    in_catalog = story.add(LEAD, **person(1), **TARGET)
    story.portal.ui_set_rows(
        LEAD, in_catalog, [{"productName": "Доставка", "price": 1}, {"productId": 100, "price": 0, "quantity": 1}]
    )
    free_text = story.add(LEAD, **person(2), **TARGET)
    story.portal.ui_set_rows(LEAD, free_text, [{"productName": "Котёл паровой", "price": 5, "quantity": 1}])
    other_section = story.add(LEAD, **person(3), **TARGET)
    story.portal.ui_set_rows(LEAD, other_section, [{"productId": 107, "price": 5, "quantity": 1}])
    in_words = story.add(LEAD, **person(4, title="Заявка с сайта", comments="нужны паровые котлы"), **TARGET)
    no_words = story.add(LEAD, **person(5, title="Заявка с сайта", comments="нужен трактор"), **TARGET)
    overruled = story.add(LEAD, **person(6, title="Паровой котёл"), **TARGET, **FITS_NOT)
    junked = story.add(LEAD, **person(7), **SMALL, **FITS)
    await story.settled()

    assert story.verdict(in_catalog) == "deal", "one row in is enough, whatever the sum"
    assert story.verdict(free_text) == "company", "rows beat words, and free text is no catalog"
    assert story.verdict(other_section) == "company"
    assert story.verdict(in_words) == "deal"
    assert story.verdict(no_words) == "needs_data", "words can only prove a yes"
    assert story.verdict(overruled) == "company", "the desk's word beats the text"
    assert story.verdict(junked) == "junk"

    await story.publish(fitting_request_of_no_client="deal")
    taken = story.add(LEAD, **person(8), **SMALL, **FITS)
    unknown = story.add(LEAD, **person(9), **FITS)
    await story.settled()
    assert [story.verdict(one) for one in (taken, unknown)] == ["deal", "deal"]
    assert len(story.deals_of(taken)) == len(story.deals_of(unknown)) == 1
    assert (await story.told("lead", taken))["current"]["ruleset_version"] == 3


async def test_reports_count_a_card_as_its_run_left_it_and_no_longer_once_it_is_gone(story: Story) -> None:
    fire = story.add(LEAD, **person(1), **TARGET, **FITS)
    junk = story.add(LEAD, **person(2), **SMALL, **FITS_NOT)
    await story.settled()
    deal = story.deal_of(fire)["id"]
    assert await _figures(story, "lead_figures") == {
        fire: ("won", "CONVERTED", 12, "hot", False),
        junk: ("lost", "JUNK", 12, "other", False),
    }
    assert await _figures(story, "deal_figures") == {deal: ("open", "NEW", 12, "other", False)}

    story.portal.ui_delete(LEAD, junk)
    await story.settled()
    assert (await _figures(story, "lead_figures"))[junk] == ("lost", "JUNK", 12, "other", True)


async def _figures(story: Story, table: str) -> dict[int, tuple[object, ...]]:
    async with story.database.reading() as session:
        rows = await session.execute(text(f"SELECT card_id, ending, stage_id, responsible, heat, deleted FROM {table}"))
        return {card_id: tuple(rest) for card_id, *rest in rows}
