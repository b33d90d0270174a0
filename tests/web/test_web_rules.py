"""`/api/v1/rules` on a real PostgreSQL: every endpoint, who may call it, and two who publish at once."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import anyio
import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from app.domain.ruleset import DEFAULT
from app.domain.snapshot import Entity, PortalDictionary, Stage
from app.store import audit, dictionary, dictionary_document, portals, rulesets, tokens
from app.store.audit import AuditFilter
from app.store.database import Database, connected
from app.store.portals import Portal
from app.store.rules_in_force import ensure_first_version, rules_in_force
from app.store.ruleset_document import ruleset_to_document
from app.store.secret_box import secret_box

pytestmark = pytest.mark.anyio

ADMIN = {"authorization": "Bearer admin-token-of-the-tests"}
READ_AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PORTAL = PortalDictionary(
    integration_user_id=7,
    zone=UTC,
    stages=(
        Stage(Entity.DEAL, 0, "NEW", "New", 10, "process"),
        Stage(Entity.DEAL, 0, "LOSE", "Lost", 20, "failure"),
        Stage(Entity.DEAL, 4, "C4:NEW", "Start", 10, "process"),
    ),
    fields=frozenset({(Entity.LEAD, "UF_CRM_PRESSURE")}),
    industries={"MANUFACTURING": "Manufacturing", "OTHER": "Other"},
)


@pytest.fixture
async def ruled(database: Database, portal: Portal) -> Portal:
    """The portal with its first version and a dictionary."""
    async with database.writing() as session:
        await ensure_first_version(session, portal.id)
        document = dictionary_document.to_json(PORTAL)
        await dictionary.save(session, portal_id=portal.id, document=document, read_at=READ_AT)
    return portal


def document(**changes: Any) -> dict[str, Any]:
    return {**deepcopy(ruleset_to_document(DEFAULT)), **changes}


def minimum(profit: Any) -> dict[str, Any]:
    return document(minimum={"profit": profit})


async def publish(client: httpx.AsyncClient, rules: Any, *, based_on: int | None = 1, **more: Any) -> httpx.Response:
    body = {"document": rules, "reason": "because", "based_on": based_on, **more}
    return await client.post("/api/v1/rules", json=body, headers=ADMIN)


async def test_the_rules_in_force_carry_their_version_as_etag(client: httpx.AsyncClient, ruled: Portal) -> None:
    answer = await client.get("/api/v1/rules", headers=ADMIN)
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"1"'
    rules = answer.json()
    assert rules["document"] == ruleset_to_document(DEFAULT)
    assert (rules["portal"], rules["version"], rules["based_on"], rules["restores"]) == (ruled.id, 1, None, None)
    assert rules["published_at"] is not None


@pytest.mark.usefixtures("portal")
async def test_without_a_version_the_defaults_are_in_force_and_can_be_edited(client: httpx.AsyncClient) -> None:
    rules = (await client.get("/api/v1/rules", headers=ADMIN)).json()
    assert (rules["version"], rules["published_at"], rules["document"]["version"]) == (0, None, 0)
    published = await publish(client, rules["document"], based_on=None)
    assert published.status_code == 201, published.text
    assert published.json()["version"] == 1
    told = {one["message"] for one in published.json()["warnings"]}
    assert any("was not read yet" in one for one in told)
    assert "Nothing differs from version 0." in told


async def test_what_is_published_is_in_force_and_noted(
    client: httpx.AsyncClient, database: Database, ruled: Portal
) -> None:
    answer = await publish(client, minimum(7000), reason="prices rose")
    assert answer.status_code == 201, answer.text
    assert answer.headers["etag"] == '"2"'
    told = answer.json()
    assert (told["version"], told["based_on"], told["author"], told["reason"]) == (2, 1, "ADMIN_TOKEN", "prices rose")
    (change,) = told["changes"]
    assert change == {
        "path": "minimum.profit",
        "from": "5000",
        "to": "7000",
        "said": "Minimum of a deal · profit, RUB: 5,000 → 7,000",
    }
    async with database.reading() as session:
        assert (await rules_in_force(session, ruled.id)).minimum.profit == 7000
        noted = await audit.page(session, AuditFilter(what="rules", portal_id=ruled.id))
    assert [(one.who, one.what, one.subject) for one in noted] == [
        ("ADMIN_TOKEN", "rules.published", "rules 2"),
        ("ogon", "rules.published", "rules 1"),
    ]
    assert noted[0].detail == {"reason": "prices rose", "based_on": 1}


async def test_every_wrong_value_is_told_at_once_and_nothing_changes(
    client: httpx.AsyncClient, database: Database, ruled: Portal
) -> None:
    wrong = document(
        client=[
            {"fact": "steam_tph", "operator": "bigger", "number": 3},
            {"fact": "industry", "operator": "one_of", "codes": []},
            {"fact": "industry", "operator": "one_of", "codes": ["MANUFACTURNIG"]},
        ],
        minimum={"profit": 0},
        urgency_days="soon",
        deal_route={"pipeline": 0, "stage": "GONE"},
        grade_routes={"AAA": {"pipeline": 9}},
        facts=[*ruleset_to_document(DEFAULT)["facts"]],
        speed=1,
    )
    answer = await publish(client, wrong)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "rules_invalid"
    assert {one["path"] for one in error["wrong"]} == {
        "client.0.operator",
        "client.1.codes",
        "client.2.codes.0",
        "minimum.profit",
        "urgency_days",
        "deal_route.stage",
        "grade_routes.AAA.pipeline",
        "speed",
    }
    async with database.reading() as session:
        assert len(await rulesets.history(session, ruled.id)) == 1


async def test_a_dry_run_tells_everything_and_publishes_nothing(client: httpx.AsyncClient, ruled: Portal) -> None:
    good = await client.post("/api/v1/rules/check", json={"document": minimum(9000)}, headers=ADMIN)
    assert good.status_code == 200
    told = good.json()
    assert (told["valid"], told["wrong"], told["current"]) == (True, [], 1)
    assert [change["path"] for change in told["changes"]] == ["minimum.profit"]
    assert datetime.fromisoformat(told["portal_read_at"]) == READ_AT
    assert "nomenclature" in {one["path"] for one in told["warnings"]}
    bad = (await client.post("/api/v1/rules/check?lang=ru", json={"document": minimum(0)}, headers=ADMIN)).json()
    assert (bad["valid"], bad["changes"]) == (False, [])
    assert [(one["path"], one["message"][:12]) for one in bad["wrong"]] == [("minimum.profit", "0 — не миним")]
    versions = (await client.get("/api/v1/rules/versions", headers=ADMIN)).json()
    assert [one["version"] for one in versions["items"]] == [1]


async def test_no_document_is_too_strange_to_be_refused(client: httpx.AsyncClient, ruled: Portal) -> None:
    headers = {**ADMIN, "content-type": "application/json"}
    for strange in (None, [], "text\x00 \ud800", {"client\x00": {"\ud800": 1}}, {"texts": [[[]]] * 3}):
        body = json.dumps({"reason": "because", "based_on": 1, "document": strange})
        answer = await client.post("/api/v1/rules", content=body, headers=headers)
        assert answer.status_code == 422, answer.text
        assert answer.json()["error"]["wrong"]
    body = '{"reason": "r", "based_on": 1, "document": ' + '{"texts": ' * 700 + "1" + "}" * 701
    answer = await client.post("/api/v1/rules", content=body, headers=headers)
    assert answer.status_code in {400, 422}, answer.text


async def test_who_edited_an_older_version_is_told_what_changed_meanwhile(
    client: httpx.AsyncClient, ruled: Portal
) -> None:
    assert (await publish(client, minimum(None))).status_code == 201
    late = await publish(client, minimum(9000))
    assert late.status_code == 409
    error = late.json()["error"]
    assert (error["code"], error["current"], error["path"]) == ("rules_changed", 2, "based_on")
    assert [(one["path"], one["from"], one["to"]) for one in error["changes"]] == [("minimum.profit", "5000", None)]
    ahead = await publish(client, minimum(9000), based_on=70)
    assert ahead.status_code == 409
    assert ahead.json()["error"]["changes"] == []


@pytest.mark.parametrize(
    ("header", "based_on", "status"),
    [
        pytest.param('"1"', None, 201, id="by the ETag"),
        pytest.param('W/"1"', None, 201, id="a weak one, as proxies make them"),
        pytest.param(None, None, 201, id="by the document itself"),
        pytest.param('"1"', 1, 201, id="twice the same"),
        pytest.param('"7"', None, 409, id="an ETag of another version"),
        pytest.param('"7"', 1, 422, id="two that differ"),
        pytest.param("*", None, 422, id="any version"),
    ],
)
async def test_the_version_edited_is_named_in_one_of_three_ways(
    client: httpx.AsyncClient, ruled: Portal, header: str | None, based_on: int | None, status: int
) -> None:
    body = {"document": minimum(6000), "reason": "because", "based_on": based_on}
    headers = {**ADMIN, **({"if-match": header} if header else {})}
    answer = await client.post("/api/v1/rules", json=body, headers=headers)
    assert answer.status_code == status, answer.text


async def test_a_document_that_does_not_say_its_version_needs_one(client: httpx.AsyncClient, ruled: Portal) -> None:
    bare = {name: value for name, value in minimum(6000).items() if name != "version"}
    assert (await publish(client, bare, based_on=None)).status_code == 422
    assert (await publish(client, bare)).status_code == 201


async def test_of_two_who_publish_at_once_exactly_one_wins(
    client: httpx.AsyncClient, database_conninfo: str, database: Database, ruled: Portal
) -> None:
    """The other connection holds its transaction open until the request has come to wait for it."""
    answers: list[httpx.Response] = []

    async def second() -> None:
        answers.append(await publish(client, minimum(9000)))

    first = {"document": minimum(6000), "author": "the first", "reason": "because"}
    async with (
        connected(database_conninfo) as elsewhere,
        anyio.create_task_group() as both,
        elsewhere.writing() as session,
    ):
        await rulesets.publish(session, portal_id=ruled.id, edited_version=1, **first)
        both.start_soon(second)
        await _somebody_waits(database)
    (answer,) = answers
    assert answer.status_code == 409
    assert [change["to"] for change in answer.json()["error"]["changes"]] == ["6000"]
    async with database.reading() as session:
        assert [one.author for one in await rulesets.history(session, ruled.id)] == ["the first", "ogon"]


async def _somebody_waits(database: Database) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with anyio.fail_after(180):
        while True:
            async with database.reading() as session:
                if await session.scalar(waiting):
                    return
            await anyio.sleep(0.02)


async def test_of_many_requests_at_once_one_is_published(client: httpx.AsyncClient, ruled: Portal) -> None:
    answers: list[httpx.Response] = []

    async def one(profit: int) -> None:
        answers.append(await publish(client, minimum(profit)))

    async with anyio.create_task_group() as group:
        for profit in range(6001, 6006):
            group.start_soon(one, profit)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]


async def test_rolling_back_publishes_the_old_version_anew(client: httpx.AsyncClient, ruled: Portal) -> None:
    await publish(client, minimum(None))
    wanted = {"version": 1, "reason": "a mistake", "based_on": 2}
    answer = await client.post("/api/v1/rules/rollback", json=wanted, headers=ADMIN)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["version"], told["restores"], told["based_on"]) == (3, 1, 1)
    assert {**told["document"], "version": 1} == ruleset_to_document(DEFAULT)
    same = await client.get("/api/v1/rules/diff?from=1", headers=ADMIN)
    assert same.json() == {"from": 1, "to": 3, "changes": []}
    again = await client.post("/api/v1/rules/rollback", json={**wanted, "version": 3, "based_on": 3}, headers=ADMIN)
    assert (again.status_code, again.json()["error"]["code"]) == (422, "already_in_force")
    unknown = await client.post("/api/v1/rules/rollback", json={**wanted, "version": 30}, headers=ADMIN)
    assert unknown.status_code == 404
    late = await client.post("/api/v1/rules/rollback", json=wanted, headers=ADMIN)
    assert late.status_code == 409
    entries = (await client.get("/api/v1/audit?what=rules.rolled_back", headers=ADMIN)).json()["items"]
    assert [entry["subject"] for entry in entries] == ["rules 3"]


async def test_an_old_version_that_the_portal_no_longer_fits_is_not_published_anew(
    client: httpx.AsyncClient, database: Database, ruled: Portal
) -> None:
    await publish(client, document(grade_routes={"AAA": {"pipeline": 4, "stage": "C4:NEW"}}))
    await publish(client, document(), based_on=2)
    async with database.writing() as session:
        gone = dictionary_document.to_json(PortalDictionary(7, UTC, PORTAL.stages[:2], industries=PORTAL.industries))
        await dictionary.save(session, portal_id=ruled.id, document=gone, read_at=READ_AT)
    wanted = {"version": 2, "reason": "as before", "based_on": 3}
    answer = await client.post("/api/v1/rules/rollback", json=wanted, headers=ADMIN)
    assert answer.status_code == 422
    assert [one["path"] for one in answer.json()["error"]["wrong"]] == ["grade_routes.AAA.pipeline"]


async def test_versions_are_listed_page_by_page_and_read_one_by_one(client: httpx.AsyncClient, ruled: Portal) -> None:
    for version in range(1, 5):
        await publish(client, minimum(6000 + version), based_on=version)
    seen: list[int] = []
    query = "?limit=2"
    while query:
        page = (await client.get(f"/api/v1/rules/versions{query}", headers=ADMIN)).json()
        seen += [one["version"] for one in page["items"]]
        query = f"?limit=2&before={page['next_before']}" if page["next_before"] else ""
    assert seen == [5, 4, 3, 2, 1]
    one = await client.get("/api/v1/rules/versions/3", headers=ADMIN)
    assert one.json()["document"]["minimum"]["profit"] == "6002"
    assert one.headers["etag"] == '"3"'
    assert (await client.get("/api/v1/rules/versions/9", headers=ADMIN)).status_code == 404
    told = (await client.get("/api/v1/rules/diff?from=5&to=2", headers=ADMIN)).json()
    assert [(change["from"], change["to"]) for change in told["changes"]] == [("6004", "6001")]
    assert (await client.get("/api/v1/rules/diff?from=5&to=9", headers=ADMIN)).json()["error"]["path"] == "to"


async def test_a_document_of_an_older_release_is_read_with_defaults(
    client: httpx.AsyncClient, database: Database, ruled: Portal
) -> None:
    first = {"version": 2, "urgency_days": 14, "gone_key": 1, "targets": {"hot": 15, "warm": 60, "other": 540}}
    async with database.writing() as session:
        await rulesets.publish(
            session, portal_id=ruled.id, edited_version=1, document=first, author="old", reason="older release"
        )
    answer = (await client.get("/api/v1/rules", headers=ADMIN)).json()
    assert answer["document"] == {**ruleset_to_document(DEFAULT), "version": 2, "urgency_days": 14}


async def test_viewers_read_and_only_administrators_change(
    client: httpx.AsyncClient, database: Database, ruled: Portal
) -> None:
    async with database.writing() as session:
        _, secret = await tokens.create(session, name="reader", role="viewer", by="test")
        _, head = await tokens.create(session, name="head", role="head", by="test")
    viewer, headed = ({"authorization": f"Bearer {one.get_secret_value()}"} for one in (secret, head))
    for path in ("", "/versions", "/versions/1", "/diff?from=1&to=1"):
        assert (await client.get(f"/api/v1/rules{path}", headers=viewer)).status_code == 200
    checked = await client.post("/api/v1/rules/check", json={"document": document()}, headers=viewer)
    assert checked.status_code == 200
    body = {"document": minimum(1), "reason": "mine", "based_on": 1}
    back = {"version": 1, "reason": "mine", "based_on": 1}
    for who in (viewer, headed):
        assert (await client.post("/api/v1/rules", json=body, headers=who)).status_code == 403
        assert (await client.post("/api/v1/rules/rollback", json=back, headers=who)).status_code == 403
    assert (await client.get("/api/v1/rules")).status_code == 401


async def test_each_portal_has_rules_of_its_own(
    client: httpx.AsyncClient, database: Database, ruled: Portal, web_settings
) -> None:
    async with database.writing() as session:
        other = await portals.add(
            session,
            secret_box(web_settings),
            webhook=SecretStr("https://other.bitrix24.ru/rest/1/webhookcode0002/"),
            application_tokens=[SecretStr("another")],
        )
    assert (await publish(client, minimum(8000))).status_code == 400
    body = {"document": minimum(8000), "reason": "because", "based_on": 0}
    answer = await client.post(f"/api/v1/rules?portal={other.id}", json=body, headers=ADMIN)
    assert (answer.status_code, answer.json()["portal"]) == (201, other.id)
    first = (await client.get(f"/api/v1/rules?portal={ruled.id}", headers=ADMIN)).json()
    assert first["document"]["minimum"]["profit"] == "5000"


@pytest.mark.usefixtures("portal")
async def test_the_reference_tells_each_key_with_a_sentence(client: httpx.AsyncClient) -> None:
    schemas = (await client.get("/openapi.json", headers=ADMIN)).json()["components"]["schemas"]
    asked = {name: body for name, body in schemas.items() if name.removesuffix("-Input") in _SHAPES}
    assert {name.removesuffix("-Input") for name in asked} == _SHAPES
    silent = [
        f"{name}.{key}"
        for name, body in asked.items()
        for key, told in body["properties"].items()
        if not told.get("description")
    ]
    assert silent == []


_SHAPES = {
    "Ruleset", "Criterion", "FactDefinition", "FactSource", "Nomenclature", "GradeCell", "Minimum", "Currencies",
    "LeadRoute", "Route", "Nurture", "Heat", "Targets", "Texts",
}  # fmt: skip
