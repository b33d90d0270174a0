"""The portal over real HTTP: ways to send parameters, credentials, faults on the wire, run time, the page."""

import json

import httpx
import pytest

from app.sandbox import server as server_module
from app.sandbox.faults import Fault
from app.sandbox.limits import Limits
from app.sandbox.portal import SandboxPortal
from app.sandbox.server import running, serve_in_thread


@pytest.fixture
def served(portal):
    with serve_in_thread(portal) as sandbox:
        yield sandbox


@pytest.fixture
def http(served):
    with httpx.Client(base_url=served.webhook_url, trust_env=False) as client:
        yield client


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_parameters_as_json_form_or_query(portal, http):
    lead = portal.ui_add(1, {"title": "Котёл"})
    body = f"entityTypeId=1&filter[>id]=0&filter[@id][]={lead}&select[]=title"
    answers = [
        http.post("crm.item.list", json={"entityTypeId": 1, "filter": {"@id": [lead]}, "select": ["title"]}),
        http.post("crm.item.list.json", content=body, headers=FORM),
        http.get("crm.item.list/", params=httpx.QueryParams(body)),
        http.post("crm.item.list?entityTypeId=1", json={"select": ["title"]}),
        http.post("CRM.Item.List", json={"entityTypeId": 1, "select": ["title"]}),
    ]
    assert [answer.json()["result"]["items"] for answer in answers] == [[{"title": "Котёл"}]] * 5


def test_a_batch_in_a_form_is_encoded_twice(portal, http):
    body = {"cmd[a]": "crm.lead.add?fields%5BTITLE%5D=%D0%9A%D0%BE%D1%82%D1%91%D0%BB", "halt": "0"}
    answer = http.post("batch", data=body).json()["result"]
    assert portal.item(1, answer["result"]["a"])["title"] == "Котёл"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/rest/1/wrong/profile", 401, "INVALID_CREDENTIALS"),
        ("/rest/77/{secret}/profile", 401, "INVALID_CREDENTIALS"),
        ("/rest/profile", 401, "NO_AUTH_FOUND"),
        ("/rest/1/{secret}/no.such", 404, "ERROR_METHOD_NOT_FOUND"),
    ],
)
def test_credentials(served, portal, path, status, code):
    answer = httpx.get(served.url + path.format(secret=portal.webhook_secret), trust_env=False)
    assert (answer.status_code, answer.json()["error"]) == (status, code)


def test_a_body_that_is_not_json(http):
    answer = http.post("profile", content="{broken", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_the_bucket_over_http(portal, http):
    portal.limits = Limits(burst=3, real_time=False)
    answers = [http.get("profile") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 503]
    assert answers[-1].json()["error"] == "QUERY_LIMIT_EXCEEDED"


class TestFaults:
    @pytest.mark.parametrize(
        ("kind", "status", "error"),
        [("503", 503, "QUERY_LIMIT_EXCEEDED"), ("429", 429, "OPERATION_TIME_LIMIT"), ("error", 500, "OOPS")],
    )
    def test_a_refusal_strikes_once_and_nothing_runs(self, portal, http, kind, status, error):
        portal.faults.append(Fault(kind, method="crm.lead.add", code="OOPS"))
        assert http.get("profile").status_code == 200
        refused = http.post("crm.lead.add", json={"fields": {}})
        assert (refused.status_code, refused.json()["error"]) == (status, error)
        assert portal.items(1) == []
        assert http.post("crm.lead.add", json={"fields": {}}).status_code == 200

    def test_a_proxy_answers_in_html(self, portal, http):
        portal.faults.append(Fault("html502"))
        answer = http.get("profile")
        assert answer.status_code == 502
        assert answer.headers["content-type"].startswith("text/html")
        with pytest.raises(json.JSONDecodeError):
            answer.json()

    @pytest.mark.parametrize("kind", ["drop_after_write", "truncated"])
    def test_the_answer_is_lost_and_the_write_is_there(self, portal, http, kind):
        portal.faults.append(Fault(kind, method="crm.lead.add"))
        with pytest.raises(httpx.RemoteProtocolError):
            http.post("crm.lead.add", json={"fields": {"TITLE": "Котёл"}})
        assert [item["title"] for item in portal.items(1)] == ["Котёл"]
        assert portal.stats.faults == 1

    def test_a_hanging_answer(self, portal, http):
        portal.faults.append(Fault("hang", method="crm.lead.add", seconds=30))
        with pytest.raises(httpx.ReadTimeout):
            http.post("crm.lead.add", json={"fields": {}}, timeout=0.3)
        assert len(portal.items(1)) == 1

    def test_within_a_batch_one_command_is_struck(self, portal, http):
        portal.faults.append(Fault("429", method="crm.lead.add"))
        cmd = {"a": "crm.lead.add?fields[TITLE]=A", "b": "crm.lead.add?fields[TITLE]=B"}
        result = http.post("batch", json={"cmd": cmd}).json()["result"]
        assert (list(result["result_error"]), list(result["result"])) == (["a"], ["b"])

    def test_a_batch_with_the_method_loses_its_whole_answer(self, portal, http):
        portal.faults.append(Fault("drop_after_write", method="crm.lead.add"))
        cmd = {"a": "crm.lead.add?fields[TITLE]=A", "b": "crm.lead.add?fields[TITLE]=B"}
        with pytest.raises(httpx.RemoteProtocolError):
            http.post("batch", json={"cmd": cmd})
        assert len(portal.items(1)) == 2

    def test_times_and_probability(self, portal):
        portal.faults.append(Fault("503", times=3))
        assert [portal.call("profile").status for _ in range(5)] == [503, 503, 503, 200, 200]
        portal.faults.clear()
        portal.faults.append(Fault("503", times=None, probability=0.5))
        statuses = [portal.call("profile").status for _ in range(200)]
        assert 60 < statuses.count(503) < 140


@pytest.mark.parametrize(("real_time", "expected"), [(True, 5.0), (False, 0.0)])
def test_run_time_is_waited_for_in_real_time_only(monkeypatch, real_time, expected):
    portal = SandboxPortal(limits=Limits(costs={"server.time": 0.1}, real_time=real_time))
    waited = []

    async def skip(seconds):
        waited.append(seconds)

    with serve_in_thread(portal) as sandbox:
        monkeypatch.setattr(server_module, "sleep", skip)
        cmd = {f"c{number}": "server.time" for number in range(50)}
        httpx.post(sandbox.webhook_url + "batch", json={"cmd": cmd}, trust_env=False)
    assert sum(waited) == pytest.approx(expected)


def test_the_page_shows_cards_and_escapes_them(portal, served):
    lead = portal.ui_add(1, {"title": "<script>alert(1)</script>", "stageId": "JUNK"})
    portal.ui_comment(1, lead, "Не наш <b>клиент</b>")
    portal.call(
        "crm.lead.userfield.add",
        {
            "fields": {
                "FIELD_NAME": "OGON_VERDICT",
                "USER_TYPE_ID": "enumeration",
                "LABEL": "Вердикт",
                "LIST": [{"VALUE": "Брак", "XML_ID": "junk"}],
            }
        },
    )
    row = next(iter(portal.world.userfields.of(1).values()))
    portal.ui_update(1, lead, {"UF_CRM_OGON_VERDICT": row["LIST"][0]["ID"]})

    page = httpx.get(served.url + "/", trust_env=False).text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    for text in ("Некачественный лид", "Вердикт", "Брак", "Не наш &lt;b&gt;клиент&lt;/b&gt;", "Мария Лебедева"):
        assert text in page


@pytest.mark.anyio
async def test_the_async_form_serves_too(portal):
    async with running(portal) as sandbox, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(sandbox.webhook_url + "server.time")
        assert answer.json()["result"] == "2026-03-02T12:00:00+03:00"
