"""The dictionary read from the emulated portal over HTTP, with full and with poor rights."""

from datetime import UTC, timedelta, timezone
from decimal import Decimal

import pytest

from app.bitrix24.errors import InvalidCredentials
from app.domain.snapshot import Entity
from app.pipeline.dictionary import read_dictionary
from app.sandbox.faults import Fault
from app.store.dictionary_document import from_json, to_json

pytestmark = pytest.mark.anyio


def add_field(portal, family, **fields):
    answer = portal.call(f"crm.{family}.userfield.add", {"fields": fields})
    assert answer.status == 200, answer


async def test_the_whole_dictionary(portal, client):
    add_field(
        portal,
        "lead",
        FIELD_NAME="UF_CRM_OGON_REQUEST_FIT",
        USER_TYPE_ID="enumeration",
        LIST=[{"VALUE": "Да", "XML_ID": "yes"}, {"VALUE": "Нет", "XML_ID": "no"}],
    )
    add_field(portal, "company", FIELD_NAME="UF_CRM_OGON_STEAM_TPH", USER_TYPE_ID="double")

    found = await read_dictionary(client)

    assert found.integration_user_id == 1
    assert found.zone == timezone(timedelta(hours=3))
    assert [s.code for s in found.stages if s.entity is Entity.LEAD] == [
        "NEW",
        "IN_PROCESS",
        "PROCESSED",
        "CONVERTED",
        "JUNK",
    ]
    assert {(s.pipeline, s.code) for s in found.stages if s.semantics == "success"} == {
        (0, "CONVERTED"),
        (0, "WON"),
        (1, "C1:WON"),
    }
    assert set(found.enumerations[Entity.LEAD, "UF_CRM_OGON_REQUEST_FIT"].values()) == {"yes", "no"}
    assert (Entity.COMPANY, "UF_CRM_OGON_STEAM_TPH") in found.fields
    assert found.rates == {"RUB": Decimal(1), "USD": Decimal("78.5"), "EUR": Decimal("90.2")}
    assert found.industries["MANUFACTURING"] == "Производство"
    assert found.sources["CALL"] == "Звонок"
    assert from_json(to_json(found)) == found


async def test_each_list_is_asked_for_once(client):
    await read_dictionary(client)
    lists = ["profile", "time", "statuses", "currencies", "pipelines", "leads", "deals", "companies"]
    assert client.stats.commands == len(lists)


async def test_pipelines_go_by_their_names(portal, client):
    assert (await read_dictionary(client)).pipelines == {0: "Общая", 1: "Сервис и запчасти"}


async def test_without_the_admin_right_enumerations_go_by_text(portal, client):
    add_field(
        portal,
        "lead",
        FIELD_NAME="OGON_REQUEST_FIT",
        USER_TYPE_ID="enumeration",
        LIST=[{"VALUE": "Да", "XML_ID": "yes"}, {"VALUE": "Нет", "XML_ID": "no"}],
    )
    listed = await read_dictionary(client)
    portal.faults.append(
        Fault("error", "crm.lead.userfield.list", code="", description="Access denied.", status=400, times=None)
    )
    described = await read_dictionary(client)
    assert described.enumerations == listed.enumerations
    assert described.fields == listed.fields


async def test_without_server_time_any_answer_tells_the_zone(portal, client):
    portal.faults.append(Fault("error", "server.time", code="ERROR_METHOD_NOT_FOUND", description="No", status=404))
    assert (await read_dictionary(client)).zone == timezone(timedelta(hours=3))


async def test_a_dead_webhook_is_an_error_not_an_empty_dictionary(portal, client):
    portal.faults.append(
        Fault(
            "error",
            "crm.currency.list",
            code="NO_AUTH_FOUND",
            description="Wrong authorization data",
            status=401,
            times=None,
        )
    )
    with pytest.raises(InvalidCredentials):
        await read_dictionary(client)


def test_utc_survives_storing():
    from_utc = from_json({**_EMPTY, "offset": 0})
    assert from_utc.zone == UTC
    assert from_json(to_json(from_utc)) == from_utc


_EMPTY = {
    "integration_user_id": 1,
    "offset": 0,
    "stages": [],
    "enumerations": [],
    "fields": [],
    "rates": {},
    "heads": {},
    "industries": {},
}
