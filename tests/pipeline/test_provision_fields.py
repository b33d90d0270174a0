"""Custom fields made in the emulated portal: all of them, once, after a crash too, and never over somebody's own."""

import pytest

from app.bitrix24.client import PortalClient
from app.bitrix24.errors import Bitrix24Error
from app.bitrix24.retry import RetryPolicy
from app.domain.messages import in_english
from app.domain.snapshot import Entity
from app.pipeline.portal_fields import FIELDED, FIELDS, codes_by_text
from app.pipeline.provision import Created, Problem, problems_of, provision, read_fields
from app.sandbox.faults import Fault

pytestmark = pytest.mark.anyio


class Reports(list):
    def __call__(self, told):
        self.append(told)

    @property
    def problems(self):
        return [in_english(told.said) for told in self if isinstance(told, Problem)]


def stored(portal, entity):
    return {row["FIELD_NAME"]: row for row in portal.world.userfields.of(entity).values()}


async def test_every_field_of_the_table_is_made_as_the_table_says(portal, client):
    told = Reports()
    made = await provision(client, told)

    assert [(one.entity, one.name) for one in made] == [(field.entity, field.name) for field in FIELDS]
    assert told == made
    for field in FIELDS:
        row = stored(portal, field.entity)[field.name]
        assert (row["USER_TYPE_ID"], row["MULTIPLE"], row["MANDATORY"]) == (
            field.kind,
            "Y" if field.multiple else "N",
            "N",
        )
        assert row["EDIT_FORM_LABEL"] == {"ru": field.label.ru, "en": field.label.en}
        assert [(item["XML_ID"], item["VALUE"]) for item in row.get("LIST", [])] == [
            (item.code, item.text) for item in field.items
        ]
    industry = stored(portal, Entity.LEAD)["UF_CRM_OGON_INDUSTRY"]
    assert industry["SETTINGS"] == {"ENTITY_TYPE": "INDUSTRY"}
    assert stored(portal, Entity.LEAD)["UF_CRM_OGON_STEAM_TPH"]["SETTINGS"] == {"PRECISION": 3}


async def test_a_second_run_makes_nothing(portal, client):
    await provision(client, Reports())
    before = {entity: stored(portal, entity) for entity in FIELDED}
    told = Reports()
    assert await provision(client, told) == []
    assert told == []
    assert {entity: stored(portal, entity) for entity in FIELDED} == before


async def test_a_run_after_a_crash_completes(sandbox, portal, client):
    portal.faults.append(Fault("error", "crm.deal.userfield.add", times=None))
    async with PortalClient(sandbox.webhook_url, retry=RetryPolicy(attempts=1)) as crashing:
        with pytest.raises(Bitrix24Error):
            await provision(crashing, Reports())
    assert "UF_CRM_OGON_STEAM_TPH" in stored(portal, Entity.LEAD)
    portal.faults.clear()

    made = await provision(client, Reports())

    assert {one.entity for one in made} == {Entity.DEAL, Entity.COMPANY}
    assert problems_of(await read_fields(client)) == []


async def test_a_lost_answer_makes_no_second_field(sandbox, portal):
    portal.faults.append(Fault("drop_after_write", "crm.lead.userfield.add"))
    async with PortalClient(sandbox.webhook_url, retry=RetryPolicy(first_wait=0.01, settle=0.01)) as client:
        made = await provision(client, Reports())
        assert len(made) == len(FIELDS)
        assert len(stored(portal, Entity.LEAD)) == sum(field.entity is Entity.LEAD for field in FIELDS)


def add(portal, family, **fields):
    answer = portal.call(f"crm.{family}.userfield.add", {"fields": fields})
    assert answer.status == 200, answer.body


async def test_missing_items_join_the_existing_ones(portal, client):
    add(
        portal,
        "deal",
        FIELD_NAME="UF_CRM_OGON_GRADE",
        USER_TYPE_ID="enumeration",
        LIST=[
            {"VALUE": "Самые лучшие", "XML_ID": "AAA", "SORT": 5},
            {"VALUE": "Наш особый", "XML_ID": "special", "SORT": 7, "DEF": "Y"},
        ],
    )
    before = stored(portal, Entity.DEAL)["UF_CRM_OGON_GRADE"]["LIST"]

    made = await provision(client, Reports())

    after = stored(portal, Entity.DEAL)["UF_CRM_OGON_GRADE"]["LIST"]
    assert after[:2] == before
    assert [item["XML_ID"] for item in after] == ["AAA", "special", "BBB", "CCC", "none"]
    assert Created(Entity.DEAL, "UF_CRM_OGON_GRADE", ("BBB", "CCC", "none")) in made
    assert await provision(client, Reports()) == []


@pytest.mark.parametrize(
    ("family", "fields", "said"),
    [
        pytest.param(
            "lead",
            {"FIELD_NAME": "UF_CRM_OGON_STEAM_TPH", "USER_TYPE_ID": "string"},
            "Lead: field UF_CRM_OGON_STEAM_TPH exists but is of kind string, not double",
            id="another type",
        ),
        pytest.param(
            "deal",
            {"FIELD_NAME": "UF_CRM_OGON_ROLES", "USER_TYPE_ID": "enumeration", "MULTIPLE": "N"},
            "Deal: field UF_CRM_OGON_ROLES exists but is of kind enumeration, not enumeration (multiple)",
            id="one value instead of several",
        ),
        pytest.param(
            "lead",
            {
                "FIELD_NAME": "UF_CRM_OGON_INDUSTRY",
                "USER_TYPE_ID": "crm_status",
                "SETTINGS": {"ENTITY_TYPE": "SOURCE"},
            },
            "Lead: field UF_CRM_OGON_INDUSTRY exists but is of kind crm_status SOURCE, not crm_status INDUSTRY",
            id="another directory",
        ),
    ],
)
async def test_a_field_of_another_kind_is_told_and_left(portal, client, family, fields, said):
    add(portal, family, **fields)
    entity = Entity.LEAD if family == "lead" else Entity.DEAL
    before = dict(stored(portal, entity)[fields["FIELD_NAME"]])
    told = Reports()
    made = await provision(client, told)
    assert told.problems == [said]
    assert len(made) == len(FIELDS) - 1
    assert stored(portal, entity)[fields["FIELD_NAME"]] == before


async def test_without_the_admin_right_every_field_is_a_problem_and_says_so(portal, client):
    for family in ("lead", "deal", "company"):
        portal.faults.append(
            Fault("error", f"crm.{family}.userfield.add", code="", description="Access denied.", status=400, times=None)
        )
    told = Reports()
    assert await provision(client, told) == []
    assert len(told.problems) == len(FIELDS)
    assert all("could not be made" in one and "Access denied" in one for one in told.problems)


def test_names_fit_the_portal_and_texts_are_unambiguous():
    for field in FIELDS:
        assert field.name.startswith("UF_CRM_OGON_")
        assert len(field.name) <= 50
        assert len(codes_by_text(field.entity, field.name)) == len(field.items)
    assert len({(field.entity, field.name) for field in FIELDS}) == len(FIELDS)
