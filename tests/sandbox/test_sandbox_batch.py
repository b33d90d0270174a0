"""`batch`: order, references, PHP's empty maps, the limit of fifty, halting, errors inside a 200."""

import pytest

from app.sandbox.wire import encode_form, parse_query


def run(portal, cmd, **more):
    answer = portal.call("batch", {"cmd": cmd, **more})
    assert answer.status == 200
    return answer.body["result"]


def test_empty_maps_are_lists(portal):
    result = run(portal, {"a": "server.time"})
    assert result["result"] == {"a": "2026-03-02T12:00:00+03:00"}
    assert (result["result_error"], result["result_total"], result["result_next"]) == ([], [], [])
    assert result["result_time"]["a"]["operating"] == pytest.approx(0.005)


def test_numbered_commands_come_back_as_a_list(portal):
    assert run(portal, ["server.time", "crm.currency.base.get"])["result"] == ["2026-03-02T12:00:00+03:00", "RUB"]
    assert run(portal, {"0": "crm.currency.base.get"})["result"] == ["RUB"]


def test_totals_and_next_pages_are_kept_apart(portal):
    for _ in range(51):
        portal.ui_add(1, {})
    result = run(portal, {"list": "crm.item.list?entityTypeId=1&select[]=id", "one": "server.time"})
    assert result["result_total"] == {"list": 51}
    assert result["result_next"] == {"list": 50}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param("crm.item.get?entityTypeId=4&id=$result[lead][item][companyId]", "Завод", id="a field"),
        pytest.param("crm.item.get?entityTypeId=4&id=$result[list][items][0][companyId]", "Завод", id="a list"),
        pytest.param("crm.item.get?entityTypeId=4&id=%24result%5Bold%5D%5BCOMPANY_ID%5D", "Завод", id="encoded"),
    ],
)
def test_a_command_uses_what_an_earlier_one_answered(portal, command, expected):
    company = portal.ui_add(4, {"title": "Завод"})
    lead = portal.ui_add(1, {"companyId": company})
    commands = {
        "lead": f"crm.item.get?entityTypeId=1&id={lead}",
        "list": "crm.item.list?entityTypeId=1&filter[@id][]=1&select[]=companyId",
        "old": f"crm.lead.get?id={lead}",
        "co": command,
    }
    assert run(portal, commands)["result"]["co"]["item"]["title"] == expected


def test_a_reference_within_text_and_to_a_scalar(portal):
    result = run(
        portal,
        {
            "add": "crm.lead.add?fields[TITLE]=A",
            "more": "crm.lead.update?id=$result[add]&fields[TITLE]=Lead $result[add]!",
            "none": "crm.lead.update?id=$result[nowhere][0]&fields[TITLE]=B",
        },
    )
    assert portal.item(1, result["result"]["add"])["title"] == "Lead 1!"
    assert result["result_error"]["none"]["error_description"] == "ID is not defined or invalid."


def test_errors_stay_inside(portal):
    result = run(portal, {"bad": "crm.item.get?entityTypeId=1&id=7", "no": "no.such", "in": "batch", "ok": "profile"})
    assert {key: one["error"] for key, one in result["result_error"].items()} == {
        "bad": "NOT_FOUND",
        "no": "ERROR_METHOD_NOT_FOUND",
        "in": "ERROR_BATCH_METHOD_NOT_ALLOWED",
    }
    assert list(result["result"]) == ["ok"]
    assert list(result["result_time"]) == ["ok"]


@pytest.mark.parametrize("halt", [1, "1", True, "true"])
def test_halt_stops_at_the_first_error_and_keeps_what_was_done(portal, halt):
    result = run(portal, {"a": "crm.lead.add?fields[TITLE]=A", "b": "no.such", "c": "profile"}, halt=halt)
    assert (list(result["result"]), list(result["result_error"])) == (["a"], ["b"])
    assert len(portal.items(1)) == 1


def test_commands_beyond_fifty_are_refused_one_by_one(portal):
    result = run(portal, {f"c{number}": "server.time" for number in range(53)})
    assert len(result["result"]) == 50
    assert set(result["result_error"]) == {"c50", "c51", "c52"}
    assert result["result_error"]["c50"]["error"] == "ERROR_BATCH_LENGTH_EXCEEDED"


def test_php_bracket_keys():
    text = "filter[>ID]=5&select[]=ID&select[]=NAME&fields[PHONE][0][VALUE]=%2B7&flag="
    assert parse_query(text) == {
        "filter": {">ID": "5"},
        "select": ["ID", "NAME"],
        "fields": {"PHONE": [{"VALUE": "+7"}]},
        "flag": "",
    }
    assert parse_query(encode_form(parse_query(text))) == parse_query(text)
