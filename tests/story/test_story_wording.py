"""What people read in the portal: Russian throughout, and text from strangers is harmless in it."""

import re

import pytest

from app.domain.ruleset import Nomenclature
from tests.story.house import COMPANY, DEAL, LEAD, Story
from tests.story.people import FITS, FITS_NOT, SMALL, TARGET, person

pytestmark = pytest.mark.anyio

_OURS = re.compile(r"\[/?B\]")
_LATIN = re.compile(r"[A-Za-z]{2,}")
_GRADES = {"AAA", "BBB", "CCC"}
_HOSTILE = "[B]x[/B] [URL=javascript:alert(1)]y[/URL] <script>alert(2)</script> {0} %s {stage}"


def marked_up(story: Story) -> list[str]:
    """What we wrote where the portal reads BB-code: timeline entries and to-dos."""
    texts: list[str] = []
    for kind in (LEAD, DEAL):
        for item in story.portal.items(kind):
            texts += story.comments(kind, item["id"])
            for todo in story.portal.activities(kind, item["id"]):
                texts += [todo["SUBJECT"], todo["DESCRIPTION"]]
    return texts


def reasons(story: Story) -> list[str]:
    """What we wrote into fields, where text is text."""
    return [item["UF_CRM_OGON_WHY"] for kind in (LEAD, DEAL) for item in story.portal.items(kind)]


async def test_everything_people_read_is_russian(story: Story) -> None:
    for number, (client, request) in enumerate(
        ((TARGET, FITS), (TARGET, FITS_NOT), (SMALL, FITS_NOT), (SMALL, FITS), ({}, {}), (TARGET, {}))
    ):
        story.add(LEAD, **person(number), **client, **request)
    story.add(LEAD, **person(8, companyTitle=""), **TARGET, **FITS_NOT)
    company = story.add(COMPANY, title="ООО «Завод»", UF_CRM_OGON_STEAM_TPH=9, industry="MANUFACTURING")
    for day in ("2020-01-01", "2020-02-01"):
        story.won_deal(company, day)
    for answers in (
        {},
        {"UF_CRM_OGON_NEED": "yes", "UF_CRM_OGON_BUDGET": "yes", "UF_CRM_OGON_NEEDED_BY": 10},
        {"UF_CRM_OGON_NEED": "yes", "UF_CRM_OGON_NEEDED_BY": 90, "UF_CRM_OGON_MARGIN": 100},
        {"UF_CRM_OGON_NEEDED_BY": -3, "UF_CRM_OGON_MARGIN": 100, "UF_CRM_OGON_TRIAL": "Y"},
        {"UF_CRM_OGON_MARGIN": 100, "UF_CRM_OGON_TRIAL": "Y", "UF_CRM_OGON_PROSPECTS": "Y", "companyId": company},
    ):
        story.add(DEAL, title="Сделка", **answers)
    await story.settled()

    texts = [*marked_up(story), *reasons(story)]
    assert len(texts) > 30
    for text in texts:
        english = set(_LATIN.findall(_OURS.sub("", text))) - _GRADES
        assert not english, text
        assert not re.search(r"[{}]|%[sd(]|None|Decimal|\s$|\.\.|  |;;", text), text


async def test_text_from_strangers_is_harmless(story: Story) -> None:
    await story.publish(nomenclature=Nomenclature(terms=("[x]",)))
    hostile = person(1, title=_HOSTILE, companyTitle=_HOSTILE, name=_HOSTILE, comments=_HOSTILE)
    fire = story.add(LEAD, **hostile, **TARGET)
    by_rows = story.add(LEAD, **{**hostile, **person(2)}, **TARGET)
    story.portal.ui_set_rows(LEAD, by_rows, [{"productName": _HOSTILE, "price": 1, "quantity": 1}])
    story.add(LEAD, **{**hostile, "title": "Заявка", "comments": ""}, UF_CRM_OGON_TURNOVER=1)
    await story.settled()

    assert story.verdict(fire) == "deal"
    assert story.deal_of(fire)["title"] == _HOSTILE, "their own words stay theirs"
    for text in marked_up(story):
        assert "[" not in _OURS.sub("", text), text
    page = await story.http.get(f"/api/v1/cards/lead/{fire}", headers={"Authorization": "Bearer story-admin-token"})
    assert page.headers["content-type"].startswith("application/json")
