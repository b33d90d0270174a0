"""The API: who may ask, what a story tells, what a replay does, how every error looks."""

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from web_cards import HOSTILE, judged_lead
from web_delivery import TOKEN, deliver, event_body

from app.main import create_app
from app.settings import Settings
from app.store import cards, journal, portals
from app.store.cards import CardKey
from app.store.database import Database
from app.store.portals import Portal
from app.store.secret_box import secret_box

pytestmark = pytest.mark.anyio

ADMIN = {"authorization": "Bearer admin-token-of-the-tests"}
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"authorization": "Bearer guess"}, id="another token"),
        pytest.param({"authorization": "Basic admin-token-of-the-tests"}, id="another scheme"),
        pytest.param({"authorization": "Bearer admin-token-of-the-tests "[:-2]}, id="beginning of the token"),
        pytest.param({"authorization": "Bearer"}, id="no token"),
    ],
)
@pytest.mark.parametrize("path", ["/cards", "/cards/lead/1", "/portals", "/rejected"])
async def test_only_the_bearer_of_admin_token_is_answered(
    client: httpx.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    answer = await client.get(f"/api/v1{path}", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_authorized"
    assert "ADMIN_TOKEN" in answer.json()["error"]["message"]


@pytest.mark.usefixtures("portal")
async def test_without_admin_token_the_api_says_what_to_set(web_settings: Settings, database: Database) -> None:
    app = create_app(web_settings.model_copy(update={"admin_token": None}), database)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ogon.example") as client:
        for headers in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer None"}):
            answer = await client.get("/api/v1/cards", headers=headers)
            assert answer.status_code == 503
            assert "set it in .env" in answer.json()["error"]["message"]


async def test_the_story_tells_everything(client: httpx.AsyncClient, database: Database, portal: Portal) -> None:
    await deliver(client, event_body("ONCRMLEADADD", 7))
    run_id = await judged_lead(database, portal.id, 7)
    answer = await client.get("/api/v1/cards/lead/7", headers=ADMIN)
    assert answer.status_code == 200
    story = answer.json()
    assert story["card"]["outcome"] == "needs_data"
    assert story["card"]["why"] == "Turnover is not known"
    assert story["card"]["address"] == "https://portal.example/crm/lead/details/7/"
    current = story["current"]
    assert current["id"] == run_id
    assert current["ruleset_version"] == 1
    by_name = {fact["name"]: fact for fact in current["facts"]}
    assert by_name["steam_tph"]["text"] == "4.5 t/h"
    assert by_name["steam_tph"]["source"] == "lead.UF_CRM_OGON_STEAM_TPH"
    assert by_name["turnover"]["value"] is None
    assert HOSTILE in by_name["turnover"]["problem"]
    assert by_name["company_title"]["others"] == [{"source": "company.title", "text": "Other"}]
    findings = {finding["criterion"]: finding for finding in current["verdict"]["findings"]}
    assert findings["steam_tph"]["truth"] == "yes"
    assert findings["turnover"]["flip"]["value"] == "1000000001"
    assert [(action["kind"], action["state"]) for action in current["actions"]] == [
        ("comment", "planned"),
        ("update", "planned"),
    ]
    assert current["held"] == ["A person moved the card."]
    assert [run["id"] for run in story["runs"]] == [run_id]
    assert [(hint["event"], hint["source"]) for hint in story["hints"]] == [("ONCRMLEADADD", "webhook")]


async def test_type_may_be_a_number_and_the_language_asked_for(
    client: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    await judged_lead(database, portal.id, 7)
    english = (await client.get("/api/v1/cards/1/7", headers=ADMIN)).json()
    russian = (await client.get("/api/v1/cards/1/7?lang=ru", headers=ADMIN)).json()
    assert english["card"]["id"] == russian["card"]["id"] == 7
    assert russian["card"]["why"] not in {"", english["card"]["why"]}


async def test_runs_come_page_by_page(client: httpx.AsyncClient, database: Database, portal: Portal) -> None:
    numbers = [await judged_lead(database, portal.id, 7) for _ in range(5)]
    seen: list[int] = []
    query = "?runs=2"
    for _ in range(3):
        story = (await client.get(f"/api/v1/cards/lead/7{query}", headers=ADMIN)).json()
        seen += [run["id"] for run in story["runs"]]
        query = f"?runs=2&before_run={story['next_before_run']}"
    assert seen == list(reversed(numbers))
    assert story["next_before_run"] is None
    assert story["current"]["id"] == numbers[-1]


async def test_cards_are_filtered_and_paged(client: httpx.AsyncClient, database: Database, portal: Portal) -> None:
    await judged_lead(database, portal.id, 1, title="Boiler for a plant", outcome="deal", state="final")
    await judged_lead(database, portal.id, 2, title="Burner 100%")
    await judged_lead(database, portal.id, 3, title="Котельная", state="parked", parked_reason="No such stage")

    async def ids(query: str) -> list[int]:
        answer = await client.get(f"/api/v1/cards?{query}", headers=ADMIN)
        assert answer.status_code == 200, answer.text
        return sorted(item["id"] for item in answer.json()["items"])

    assert await ids("") == [1, 2, 3]
    assert await ids("outcome=deal") == [1]
    assert await ids("state=parked") == [3]
    assert await ids("type=deal") == []
    assert await ids("q=котельн") == [3]
    assert await ids("q=100%25") == [2]
    assert await ids("q=%25") == [2]
    assert await ids("q=2") == [2]
    page = (await client.get("/api/v1/cards?limit=2&offset=2", headers=ADMIN)).json()
    assert (page["total"], len(page["items"])) == (3, 1)


async def test_a_replay_puts_the_card_first_on_the_queue_and_unparks_it(
    client: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    await judged_lead(database, portal.id, 7, state="parked", parked_reason="No such stage", attempts=5)
    answer = await client.post("/api/v1/cards/lead/7/replay", headers=ADMIN)
    assert answer.status_code == 202
    async with database.reading() as session:
        entry = await journal.get(session, answer.json()["journal_id"])
        card = await cards.get(session, CardKey(portal.id, 1, 7))
    assert entry is not None
    assert (entry.source, entry.entity_type_id, entry.card_id, entry.lane) == ("replay", 1, 7, 0)
    assert entry.dispatched_at is None
    assert card is not None
    assert (card.state, card.parked_reason, card.attempts) == ("open", None, 0)


async def test_portals_and_rejected_show_no_secret(
    client: httpx.AsyncClient, app, database: Database, portal: Portal
) -> None:
    await deliver(client, event_body("ONTASKADD"))
    await deliver(client, event_body(application_token="guess"))
    await app.intake_run.intake.tally.flush()
    listed = await client.get("/api/v1/portals", headers=ADMIN)
    rejected = await client.get("/api/v1/rejected", headers=ADMIN)
    assert [line["domain"] for line in listed.json()] == [portal.domain]
    assert [line["event"] for line in rejected.json()["items"]] == ["ONTASKADD"]
    assert rejected.json()["counted_today"] == {"webhook_refused": 1}
    for secret in (TOKEN, "webhookcode0001", "guess"):
        assert secret not in listed.text + rejected.text


async def test_with_several_portals_the_card_tells_which_or_the_error_asks(
    client: httpx.AsyncClient, database: Database, portal: Portal, web_settings: Settings
) -> None:
    async with database.writing() as session:
        second = await portals.add(
            session, secret_box(web_settings), webhook=SecretStr("https://second.example/rest/1/code00009/")
        )
    await judged_lead(database, second.id, 7)
    assert (await client.get("/api/v1/cards/lead/7", headers=ADMIN)).json()["card"]["portal"] == second.id
    vague = await client.get("/api/v1/cards", headers=ADMIN)
    assert vague.status_code == 400
    assert vague.json()["error"]["path"] == "portal"
    assert "second.example" in vague.json()["error"]["message"]
    assert len((await client.get(f"/api/v1/cards?portal={second.id}", headers=ADMIN)).json()["items"]) == 1


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        pytest.param("/cards/lead/999", 404, "card_unknown", id="a card never judged"),
        pytest.param("/cards/planet/7", 422, "invalid_value", id="no such type"),
        pytest.param("/cards/lead/0", 422, "invalid_value", id="no such id"),
        pytest.param("/cards/lead/seven", 422, "invalid_value", id="an id that is no number"),
        pytest.param("/cards/lead/99999999999999999999", 422, "invalid_value", id="an id beyond all ids"),
        pytest.param("/cards?grade=AAAA", 422, "invalid_value", id="no such grade"),
        pytest.param("/cards?limit=100000", 422, "invalid_value", id="too many at once"),
        pytest.param("/cards?portal=99", 404, "portal_unknown", id="no such portal"),
        pytest.param("/nothing", 404, "not_found", id="no such address"),
    ],
)
async def test_every_error_has_one_shape(client: httpx.AsyncClient, path: str, status: int, code: str) -> None:
    answer = await client.get(f"/api/v1{path}", headers=ADMIN)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"].endswith((".", "?"))


async def test_a_wrong_method_has_the_same_shape(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/api/v1/cards", headers=ADMIN)
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_allowed"


async def test_a_run_of_another_version_does_not_break_the_story(
    client: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    await judged_lead(database, portal.id, 7)
    async with database.writing() as session:
        await session.execute(
            text("UPDATE runs SET facts = CAST(:facts AS jsonb), verdict = CAST(:verdict AS jsonb)"),
            {
                "facts": '{"old": {"kind": "gone", "value": 5}}',
                "verdict": '{"why": {"template": "{lost}"}, "findings": 7}',
            },
        )
    story = (await client.get("/api/v1/cards/lead/7", headers=ADMIN)).json()
    assert [(fact["name"], fact["text"]) for fact in story["current"]["facts"]] == [("old", "5")]
    assert story["current"]["verdict"]["why"] == "{lost}"


async def test_the_document_lists_the_api(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert {"/api/v1/cards", "/api/v1/cards/{type}/{id}", "/api/v1/cards/{type}/{id}/replay", "/readyz"} <= set(
        document["paths"]
    )
    assert "/login" not in document["paths"]


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("/cards?portal=99999999999", id="a portal beyond the database's numbers"),
        pytest.param("/cards/lead/1?before_run=99999999999999999999", id="a run beyond them"),
        pytest.param("/completeness?day=0", id="seconds since 1970 for a day"),
        pytest.param("/audit?since=0", id="seconds since 1970 for a moment"),
    ],
)
async def test_values_that_cannot_be_are_told_by_name(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/api/v1{query}", headers=ADMIN)
    assert answer.status_code == 422
    assert answer.json()["error"]["path"] == f"query.{query.partition('?')[2].partition('=')[0]}"


async def test_a_wrong_method_is_told_all_right_ones(client: httpx.AsyncClient) -> None:
    answer = await client.put("/api/v1/tokens", headers=ADMIN)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


async def test_a_body_that_is_no_text_is_no_defect(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/tokens", headers=ADMIN | JSON, content=b"\x80...")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_body"
