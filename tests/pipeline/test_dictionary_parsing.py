"""Dictionary parts from answers as the documentation prints them."""

from datetime import UTC, timedelta, timezone
from decimal import Decimal

import pytest

from app.domain.snapshot import Entity
from app.pipeline.custom_fields import described_fields, listed_field
from app.pipeline.dictionary import enumerations_of, names_of, rates_of, stages_of, zone_of


def status(entity_id, code, *, sort="10", semantics=None, extra=None):
    return {
        "ID": "101",
        "ENTITY_ID": entity_id,
        "STATUS_ID": code,
        "NAME": code.title(),
        "SORT": sort,
        "SEMANTICS": semantics,
        "EXTRA": extra if extra is not None else [],
    }


def test_stages_come_by_pipeline_and_order_with_their_meaning():
    stages = stages_of(
        [
            status("DEAL_STAGE_3", "C3:WON", sort="60", semantics="S", extra={"SEMANTICS": "success"}),
            status("DEAL_STAGE_3", "C3:NEW", sort="10", extra={"SEMANTICS": "process"}),
            status("DEAL_STAGE", "LOSE", sort="70", semantics="F", extra={"SEMANTICS": "failure"}),
            status("DEAL_STAGE", "APOLOGY", sort="80", semantics="F", extra={"SEMANTICS": "apology"}),
            status("STATUS", "UC_7Q", sort="9"),
            status("STATUS", "CONVERTED", sort="50", semantics="S"),
            status("SOURCE", "CALL"),
            status("QUOTE_STATUS", "APPROVED", semantics="S"),
            status("DEAL_STAGE_OLD", "NEW"),
        ]
    )
    assert [(s.entity, s.pipeline, s.code, s.semantics, s.apology) for s in stages] == [
        (Entity.LEAD, 0, "UC_7Q", "process", False),
        (Entity.LEAD, 0, "CONVERTED", "success", False),
        (Entity.DEAL, 0, "LOSE", "failure", False),
        (Entity.DEAL, 0, "APOLOGY", "failure", True),
        (Entity.DEAL, 3, "C3:NEW", "process", False),
        (Entity.DEAL, 3, "C3:WON", "success", False),
    ]


def test_meaning_is_taken_from_extra_where_semantics_is_not_told():
    (stage,) = stages_of([{"ENTITY_ID": "STATUS", "STATUS_ID": "J", "EXTRA": {"SEMANTICS": "failure"}}])
    assert stage.semantics == "failure"


def test_names_of_a_directory():
    rows = [status("INDUSTRY", "MANUFACTURING"), status("SOURCE", "CALL")]
    assert names_of(rows, "INDUSTRY") == {"MANUFACTURING": "Manufacturing"}
    assert names_of(rows, "SOURCE") == {"CALL": "Call"}


def currency(code, amount, count="1", base="N"):
    return {"CURRENCY": code, "AMOUNT": amount, "AMOUNT_CNT": count, "BASE": base}


@pytest.mark.parametrize(
    ("rows", "rates"),
    [
        pytest.param(
            [currency("RUB", "1.0000", base="Y"), currency("USD", "68.7900"), currency("KZT", "17.2000", "100")],
            {"RUB": Decimal(1), "USD": Decimal("68.79"), "KZT": Decimal("0.172")},
            id="rouble base",
        ),
        pytest.param(
            [currency("USD", "1.0000", base="Y"), currency("RUB", "1.2500", "100"), currency("EUR", "1.1000")],
            {"RUB": Decimal(1), "USD": Decimal(80), "EUR": Decimal(88)},
            id="dollar base, roubles by the hundred",
        ),
        pytest.param(
            [currency("BYN", "1.0000", base="Y"), currency("USD", "3.2")], {"RUB": Decimal(1)}, id="no rouble, no rates"
        ),
        pytest.param(
            [currency("USD", "68.7900"), currency("USD", "1.0000", base="Y"), currency("RUB", "0.0125")],
            {"RUB": Decimal(1), "USD": Decimal(80)},
            id="the base is 1 whatever a second row says",
        ),
        pytest.param(
            [currency("RUB", "1", base="Y"), currency("EUR", "0.0000"), currency("CNY", "", "1"), currency("GBP", "x")],
            {"RUB": Decimal(1)},
            id="no rate is no rate",
        ),
        pytest.param([], {"RUB": Decimal(1)}, id="not told"),
    ],
)
def test_rates_are_roubles_for_one_unit(rows, rates):
    assert rates_of(rows) == rates


def test_zone_is_the_offset_of_server_time():
    assert zone_of("2024-08-05T12:02:13+03:00") == timezone(timedelta(hours=3))
    assert zone_of("2024-08-05T09:02:13+00:00") == UTC
    assert zone_of("soon") == UTC


def listed(name="UF_CRM_OGON_REQUEST_FIT", items=(), **told):
    row = {"ID": "6799", "FIELD_NAME": name, "USER_TYPE_ID": "enumeration", "MULTIPLE": "N", "LIST": list(items)}
    return listed_field(Entity.LEAD, {**row, **told})


def test_items_go_by_xml_id_and_by_text_where_the_machine_made_the_xml_id():
    field = listed(
        name="UF_CRM_1724077760",
        items=[
            {"ID": "3157", "VALUE": "Да, входит", "XML_ID": "yes"},
            {"ID": "3159", "VALUE": "Радио", "XML_ID": "d3ffd89a825f218f5efd79dffd38fbbf"},
            {"ID": "3161", "VALUE": "Пусто", "XML_ID": None},
        ],
    )
    assert field.codes == {"3157": "yes", "3159": "Радио", "3161": "Пусто"}


def test_our_own_items_are_known_by_their_text_too():
    machine_made = "d3ffd89a825f218f5efd79dffd38fbbf"
    field = listed(items=[{"ID": "1", "VALUE": "Да", "XML_ID": machine_made}, {"ID": "2", "VALUE": "Нет"}])
    assert field.codes == {"1": "yes", "2": "no"}


def test_without_the_right_to_list_fields_their_description_still_maps_items():
    fields = described_fields(
        Entity.DEAL,
        {
            "fields": {
                "id": {"type": "integer", "upperName": "ID", "isDynamic": False},
                "UF_CRM_OGON_NEED": {
                    "type": "enumeration",
                    "isMultiple": False,
                    "items": [{"ID": "79", "VALUE": "Да"}, {"ID": "80", "VALUE": "Нет"}],
                    "upperName": "UF_CRM_OGON_NEED",
                },
                "ufCrm44_1721812814433": {
                    "type": "enumeration",
                    "isMultiple": True,
                    "items": [{"ID": "81", "VALUE": "Первый"}],
                    "upperName": "UF_CRM_44_1721812814433",
                },
                "UF_CRM_OGON_WHY": {"type": "string", "isMultiple": False, "upperName": "UF_CRM_OGON_WHY"},
            }
        },
    )
    assert enumerations_of(fields) == {
        (Entity.DEAL, "UF_CRM_OGON_NEED"): {"79": "yes", "80": "no"},
        (Entity.DEAL, "UF_CRM_44_1721812814433"): {"81": "Первый"},
    }
    assert {field.name for field in fields} >= {"UF_CRM_OGON_WHY"}


def test_an_empty_answer_is_no_fields():
    assert described_fields(Entity.LEAD, []) == ()
