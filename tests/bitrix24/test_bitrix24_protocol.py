"""Answers as the docs print them, and as proxies and PHP spoil them."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bitrix24 import errors, protocol
from app.bitrix24.errors import Bitrix24Error

TIME = {
    "start": 1778747192.91, "finish": 1778747193.53, "duration": 0.62, "processing": 0.03,
    "date_start": "2026-05-14T10:26:32+02:00", "operating_reset_at": 1778747792, "operating": 3.3,
}  # fmt: skip


def read(told, status=200, method="crm.item.get"):
    content = told if isinstance(told, bytes) else json.dumps(told).encode()
    return protocol.read_answer(status, content, method=method)


def test_an_answer_with_its_time():
    answer = read({"result": {"items": []}, "total": 131, "next": 50, "time": TIME})
    assert (answer.result, answer.total, answer.next) == ({"items": []}, 131, 50)
    assert (answer.time.operating, answer.time.duration, answer.time.reset_at) == (3.3, 0.62, 1778747792)


@pytest.mark.parametrize("result", [True, False, 0, 5, [], {}, None, "x"])
def test_any_result_is_a_result(result):
    assert read({"result": result, "time": []}).result == result


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (503, {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}, errors.RateLimited),
        (429, {"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked"}, errors.OperatingLimited),
        (503, {"error": "OVERLOAD_LIMIT", "error_description": "REST API is blocked"}, errors.Overloaded),
        (500, {"error": "INTERNAL_SERVER_ERROR", "error_description": "x"}, errors.ServerFault),
        (500, {"error": "PORTAL_DELETED", "error_description": "Portal was deleted"}, errors.PortalDeleted),
        (401, {"error": "expired_token", "error_description": "x"}, errors.InvalidCredentials),
        (401, {"error": "NO_AUTH_FOUND", "error_description": "Wrong authorization data"}, errors.InvalidCredentials),
        (401, {"error": "SOMETHING_NEW", "error_description": "x"}, errors.InvalidCredentials),
        (401, {"error": "PAYMENT_REQUIRED", "error_description": "x"}, errors.PaymentRequired),
        (403, {"error": "INVALID_CREDENTIALS", "error_description": "x"}, errors.AccessDenied),
        (401, {"error": "INVALID_CREDENTIALS", "error_description": "x"}, errors.InvalidCredentials),
        (403, {"error": "insufficient_scope", "error_description": "x"}, errors.InsufficientScope),
        (403, {"error": "WRONG_AUTH_TYPE", "error_description": "x"}, errors.WrongAuthType),
        (404, {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"}, errors.MethodNotFound),
        (400, {"error": "NOT_FOUND", "error_description": "Item not found"}, errors.NotFound),
        (400, {"error": "", "error_description": "Not found"}, errors.NotFound),
        (400, {"error": 0, "error_description": "Access denied.<br>"}, errors.AccessDenied),
        (400, {"error": "ACCESS_DENIED", "error_description": "x"}, errors.AccessDenied),
        (400, {"error": "CRM_FIELD_ERROR_REQUIRED", "error_description": "x"}, errors.ValidationFailed),
        (
            400,
            {"error": "100", "error_description": "Could not find value for parameter {id}"},
            errors.ValidationFailed,
        ),
        (400, {"error": 100, "error_description": "x"}, errors.ValidationFailed),
        (405, {"error": "ERROR_BATCH_METHOD_NOT_ALLOWED", "error_description": "x"}, errors.BatchRefused),
        (400, {"error": "CREATE_DYNAMIC_ITEM_RESTRICTED", "error_description": "x"}, errors.Rejected),
        (200, {"error": "ERROR_PLACEMENT_MAX_COUNT", "error_description": "x"}, errors.Rejected),
        (422, {"error": {"code": "BITRIX_REST_V3_X", "message": "bad"}}, errors.Rejected),
        (502, b"<html><body>502 Bad Gateway</body></html>", errors.ServerFault),
        (200, b"<html>captcha</html>", errors.ServerFault),
        (200, b'{"result":{"item":{"id":1', errors.ServerFault),
        (200, b"", errors.ServerFault),
        (200, b"[]", errors.ServerFault),
        (200, b"{}", errors.ServerFault),
        (200, b"\xff\xfe\x00", errors.ServerFault),
        (500, b"{}", errors.ServerFault),
    ],
)
def test_refusals_become_errors(status, body, kind):
    with pytest.raises(Bitrix24Error) as caught:
        read(body, status)
    assert type(caught.value) is kind
    assert caught.value.method == "crm.item.get"
    assert caught.value.advice in str(caught.value)


def test_a_refused_field_is_named():
    body = {"error": "CRM_FIELD_ERROR_VALUE_NOT_VALID", "error_description": 'Invalid value for field "Category"'}
    with pytest.raises(errors.ValidationFailed) as caught:
        read(body, 400)
    assert caught.value.fields == ("Category",)


def test_the_servers_own_delay_is_kept():
    with pytest.raises(errors.OperatingLimited) as caught:
        read({"error": "OPERATION_TIME_LIMIT", "error_description": "x", "time": TIME}, 429)
    assert caught.value.reset_in == pytest.approx(598.47)


def test_no_secret_in_an_error_text():
    page = b"<html>https://acme.example/rest/7/s3cr3tc0de/crm.item.get not found</html>"
    with pytest.raises(errors.ServerFault) as caught:
        read(page, 404)
    assert "s3cr3tc0de" not in str(caught.value) + repr(caught.value)


BATCH = {
    "result": {
        "result": {"aa": {"item": {"id": 1}}, "ac": []},
        "result_error": {"ab": {"error": "NOT_FOUND", "error_description": "Item not found"}},
        "result_total": {"ac": 7},
        "result_next": [],
        "result_time": {"aa": TIME},
    },
    "time": {"start": 1, "finish": 2},
}


def test_a_batch_keeps_results_errors_and_order():
    answer = protocol.read_batch(200, json.dumps(BATCH).encode(), ["m.a", "m.b", "m.c", "m.d"])
    first, second, third, fourth = answer.outcomes
    assert (first.result, first.time.operating) == ({"item": {"id": 1}}, 3.3)
    assert isinstance(second, errors.NotFound)
    assert second.method == "m.b"
    assert (third.result, third.total, third.next) == ([], 7, None)
    assert isinstance(fourth, errors.ServerFault), "neither result nor error: not lost"


def test_a_batch_of_nothing_but_errors():
    told = {"result": {"result": [], "result_error": {"aa": {"error": "insufficient_scope"}}, "result_time": []}}
    (only,) = protocol.read_batch(200, json.dumps(told).encode(), ["m"]).outcomes
    assert isinstance(only, errors.InsufficientScope)


def test_an_error_beats_a_result_of_the_same_command():
    told = {"result": {"result": {"aa": None}, "result_error": {"aa": {"error": "ACCESS_DENIED"}}}}
    (only,) = protocol.read_batch(200, json.dumps(told).encode(), ["m"]).outcomes
    assert isinstance(only, errors.AccessDenied)


def test_a_nested_429_brings_its_delay():
    told = {
        "result": {"result": [], "result_error": {"aa": {"error": "OPERATION_TIME_LIMIT"}}, "result_time": {"aa": TIME}}
    }
    (only,) = protocol.read_batch(200, json.dumps(told).encode(), ["m"]).outcomes
    assert isinstance(only, errors.OperatingLimited)
    assert only.reset_in == pytest.approx(598.47)


def test_command_keys_are_letters_and_enough():
    assert len(set(protocol.KEYS)) == 50
    assert all(key.isalpha() for key in protocol.KEYS)


@given(st.integers(1, 50), st.data())
def test_outcomes_come_in_the_order_sent(count, data):
    body = json.loads(protocol.batch_body([f"m?n={n}" for n in range(count)]))
    shuffled = data.draw(st.permutations(list(body["cmd"].items())))
    told = {"result": {"result": dict(shuffled), "result_error": []}}
    outcomes = protocol.read_batch(200, json.dumps(told).encode(), ["m"] * count).outcomes
    assert [one.result for one in outcomes] == [f"m?n={n}" for n in range(count)]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["result", "error", "result_error", "time", "aa", "total", "next"]), inner)
    ),
    max_leaves=12,
)


@given(_JSON, st.sampled_from([200, 400, 401, 403, 429, 500, 503]))
def test_any_json_gives_an_answer_or_an_error_of_ours(told, status):
    content = json.dumps(told).encode()
    for run in (
        lambda: protocol.read_answer(status, content, method="m"),
        lambda: protocol.read_batch(status, content, ["m", "n"]),
    ):
        with contextlib.suppress(Bitrix24Error):
            run()


@pytest.mark.parametrize(
    ("result", "rows"),
    [
        ([1, 2], [1, 2]),
        ({"items": [1]}, [1]),
        ({"categories": []}, []),
        ([], []),
        ({}, []),
    ],
)
def test_rows_in_any_container(result, rows):
    assert protocol.items_of(result) == rows


def test_no_rows_in_something_else():
    with pytest.raises(errors.Rejected):
        protocol.items_of(True)
