"""What `check` says of the emulated portal when it is in order and when one thing after another is not."""

import pytest

from app.bitrix24.client import PortalClient
from app.bitrix24.retry import RetryPolicy
from app.domain.messages import in_english
from app.pipeline.check import Mark, check
from app.sandbox.faults import Fault

pytestmark = pytest.mark.anyio


def said(checks, mark):
    return [in_english(one.said) for one in checks if one.mark is mark]


async def test_a_portal_in_order(client, dictionary):
    checks = await check(client)
    assert {one.mark for one in checks} == {Mark.OK}
    assert said(checks, Mark.OK)[0] == "The webhook works; it acts as user 1."


async def test_a_fresh_portal_lacks_only_our_fields(client):
    problems = said(await check(client), Mark.PROBLEM)
    assert problems
    assert all("field UF_CRM_OGON_" in one and one.endswith("Run `ogon portal provision`.") for one in problems)


async def test_a_field_of_another_kind_is_not_promised_to_be_mended(portal, client):
    portal.call("crm.lead.userfield.add", {"fields": {"FIELD_NAME": "OGON_STEAM_TPH", "USER_TYPE_ID": "string"}})
    problems = said(await check(client), Mark.PROBLEM)
    assert (
        "Lead: field UF_CRM_OGON_STEAM_TPH exists but is of kind string, not double. "
        "Ogon never changes it: delete the field or point the rules at another one."
    ) in problems


def drop_item(portal):
    row = next(r for r in portal.world.userfields.of(2).values() if r["FIELD_NAME"] == "UF_CRM_OGON_GRADE")
    row["LIST"] = [item for item in row["LIST"] if item["XML_ID"] != "CCC"]


def drop_stages(portal, entity_id, semantics):
    dictionaries = portal.world.dictionaries
    dictionaries.statuses[:] = [
        one
        for one in dictionaries.statuses
        if (one.row()["ENTITY_ID"], one.row()["SEMANTICS"]) != (entity_id, semantics)
    ]


def drop_pipeline(portal):
    dictionaries = portal.world.dictionaries
    dictionaries.pipelines[:] = [one for one in dictionaries.pipelines if one.id != 0]


def drop_currency(portal):
    currencies = portal.world.dictionaries.currencies
    currencies[:] = [one for one in currencies if one.code != "RUB"]


@pytest.mark.parametrize(
    ("spoil", "mark", "words"),
    [
        pytest.param(lambda p: p.scopes.discard("catalog"), Mark.WARNING, "permission “catalog”", id="scope catalog"),
        pytest.param(lambda p: p.scopes.discard("department"), Mark.WARNING, "“department”", id="scope department"),
        pytest.param(lambda p: p.scopes.discard("user"), Mark.WARNING, "“user”", id="scope user"),
        pytest.param(lambda p: p.scopes.discard("crm"), Mark.PROBLEM, "permission “crm”", id="scope crm"),
        pytest.param(lambda p: p.world.people.admins.discard(1), Mark.PROBLEM, "not an administrator", id="admin"),
        pytest.param(
            lambda p: setattr(p.world, "simple_mode", True), Mark.PROBLEM, "Leads are switched off", id="leads"
        ),
        pytest.param(drop_item, Mark.PROBLEM, "field UF_CRM_OGON_GRADE lacks the values CCC", id="list item"),
        pytest.param(
            lambda p: drop_stages(p, "STATUS", "F"), Mark.PROBLEM, "Leads have no failed stage", id="failed lead stage"
        ),
        pytest.param(
            lambda p: drop_stages(p, "STATUS", "S"),
            Mark.PROBLEM,
            "Leads have no successful stage",
            id="successful lead stage",
        ),
        pytest.param(
            lambda p: drop_stages(p, "DEAL_STAGE", "F"),
            Mark.PROBLEM,
            "Deal pipeline 0 has no failed stage",
            id="failed deal stage",
        ),
        pytest.param(drop_pipeline, Mark.PROBLEM, "Deal pipeline 0 is not there or closed", id="pipeline"),
        pytest.param(drop_currency, Mark.WARNING, "no currency RUB", id="currency"),
    ],
)
async def test_one_thing_missing_is_the_one_thing_said(portal, client, dictionary, spoil, mark, words):
    assert dictionary.fields
    spoil(portal)
    checks = await check(client)
    found = [one for one in checks if one.mark is not Mark.OK]
    assert [one.mark for one in found] == [mark]
    assert words in in_english(found[0].said)


async def test_another_scope_may_stand_in(portal, client, dictionary):
    portal.scopes.discard("user")
    portal.scopes.add("user_basic")
    assert said(await check(client), Mark.WARNING) == []


async def test_a_pipeline_that_deals_are_routed_to_is_looked_at(client, dictionary):
    assert "Deal pipeline 7" in " ".join(said(await check(client, pipelines=(0, 7)), Mark.PROBLEM))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param({"code": "NO_AUTH_FOUND", "status": 401}, "does not accept the webhook", id="webhook deleted"),
        pytest.param({"code": "PAYMENT_REQUIRED", "status": 401}, "subscription has ended", id="plan ended"),
        pytest.param({"code": "ACCESS_DENIED", "status": 403}, "REST is part of paid plans", id="free plan"),
        pytest.param({"code": "PORTAL_DELETED", "status": 500}, "was deleted or is closed", id="deleted"),
    ],
)
async def test_a_portal_that_refuses_us(portal, client, fault, words):
    portal.faults.append(Fault("error", "profile", description="No", times=None, **fault))
    (only,) = await check(client)
    assert only.mark is Mark.PROBLEM
    assert words in in_english(only.said)


async def test_a_portal_that_cannot_be_reached():
    url = "http://127.0.0.1:9/rest/1/secretcode/"
    async with PortalClient(url, retry=RetryPolicy(attempts=1)) as client:
        (only,) = await check(client)
    assert only.mark is Mark.PROBLEM
    assert "does not answer" in in_english(only.said)
    assert "secretcode" not in in_english(only.said)
