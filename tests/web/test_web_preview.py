"""Preview: a card or facts by hand against a draft; the answer, its honesty, and that nothing is written."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.domain.facts import Row
from app.domain.kept_cards import kept_to_json
from app.domain.qualify import qualify
from app.domain.reading import lead_facts
from app.domain.record import verdict_to_json
from app.domain.ruleset import DEFAULT
from app.domain.snapshot import Entity, LeadSnapshot, PortalDictionary, Stage
from app.store import cards, dictionary, dictionary_document, rulesets, runs
from app.store.cards import CardKey
from app.store.database import Database
from app.store.portals import Portal
from app.store.ruleset_document import ruleset_to_document

pytestmark = pytest.mark.anyio

ADMIN = {"authorization": "Bearer admin-token-of-the-tests"}
READ_AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
LEAD = {
    "id": 7,
    "title": "Boiler house",
    "stageId": "NEW",
    "movedBy": 12,
    "assignedById": 12,
    "companyTitle": "Plant One",
    "name": "Ann",
    "UF_CRM_OGON_STEAM_TPH": "3.5",
    "UF_CRM_OGON_TURNOVER": "2000000000",
    "UF_CRM_OGON_INDUSTRY": "MANUFACTURING",
    "UF_CRM_OGON_REQUEST_FIT": "41",
    "UF_CRM_BOILERS": "8",
}
DICTIONARY = PortalDictionary(
    integration_user_id=1,
    zone=UTC,
    stages=(
        Stage(Entity.LEAD, 0, "NEW", "New", 10, "process"),
        Stage(Entity.LEAD, 0, "CONVERTED", "Converted", 20, "success"),
        Stage(Entity.LEAD, 0, "JUNK", "Junk", 30, "failure"),
        Stage(Entity.DEAL, 0, "NEW", "New", 10, "process"),
        Stage(Entity.DEAL, 0, "LOSE", "Lost", 20, "failure"),
    ),
    enumerations={
        (Entity.LEAD, "UF_CRM_OGON_REQUEST_FIT"): {"41": "yes", "42": "no"},
        (Entity.LEAD, "UF_CRM_OGON_VERDICT"): {"51": "deal", "52": "junk", "53": "review"},
    },
    fields=frozenset(
        {
            (Entity.LEAD, "UF_CRM_OGON_VERDICT"),
            (Entity.LEAD, "UF_CRM_OGON_WHY"),
            (Entity.LEAD, "UF_CRM_BOILERS"),
        }
    ),
    rates={"RUB": Decimal(1)},
    industries={"MANUFACTURING": "Manufacturing"},
)


@pytest.fixture
async def lead(database: Database, portal: Portal) -> CardKey:
    """A judged lead of a portal with rules and a dictionary; its run kept the card."""
    key = CardKey(portal.id, 1, 7)
    snapshot = LeadSnapshot(LEAD, None, (Row(5, "Boiler", None),))
    facts = lead_facts(snapshot, DEFAULT, DICTIONARY)
    verdict = qualify(Entity.LEAD, facts, DEFAULT, READ_AT.date())
    async with database.writing() as session:
        await rulesets.publish(
            session,
            portal_id=portal.id,
            edited_version=0,
            document=ruleset_to_document(DEFAULT),
            author="ogon",
            reason="first",
        )
        document = dictionary_document.to_json(DICTIONARY)
        await dictionary.save(session, portal_id=portal.id, document=document, read_at=READ_AT)
        run = runs.NewRun(
            card=key,
            mode="live",
            seen={"stage": "NEW", "moved_time": None, "responsible": 12},
            facts=facts.to_json(),
            facts_digest=facts.digest(),
            verdict={**verdict_to_json(verdict), "decision": verdict.decision},
            ruleset_version=1,
            opened_at=READ_AT,
            snapshot=kept_to_json(snapshot),
        )
        run_id = await runs.open_run(session, run)
        await runs.close_run(session, run_id, status="done", closed_at=READ_AT)
        await cards.save(
            session, key, title="Boiler house", stage_id="NEW", outcome="deal", last_run_id=run_id, judged_at=READ_AT
        )
    return key


def draft(**changes: Any) -> dict[str, Any]:
    return {**ruleset_to_document(DEFAULT), **changes}


def steam_over(number: str) -> dict[str, Any]:
    client = ruleset_to_document(DEFAULT)["client"]
    return draft(client=[{**client[0], "number": number}, *client[1:]])


async def ask(client: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await client.post("/api/v1/preview", headers=ADMIN, json=body)


async def rows_of_everything(database: Database) -> dict[str, list[str]]:
    """Every row of every table of ours."""
    async with database.reading() as session:
        names = (
            await session.scalars(
                text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1")
            )
        ).all()
        return {
            name: sorted(str(tuple(row)) for row in await session.execute(text(f'SELECT * FROM "{name}"')))
            for name in names
        }


@pytest.mark.usefixtures("lead")
async def test_a_draft_tells_verdict_findings_plan_and_age(client: httpx.AsyncClient) -> None:
    answer = await ask(client, card={"type": "lead", "id": 7}, document=steam_over("4"))
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["before"], told["after"], told["draft"], told["certain"]) == ("deal", "review", True, True)
    steam = next(one for one in told["verdict"]["findings"] if one["criterion"] == "steam_tph")
    assert steam["truth"] == "no"
    assert "over 4" in steam["flip"]["text"]
    assert told["facts_read_at"].startswith("2026-11-20T09:00")
    assert told["facts_age_seconds"] > 0
    kinds = [one["kind"] for one in told["plan"]]
    assert kinds == ["update", "comment", "todo"]
    assert told["plan"][0]["payload"]["fields"]["UF_CRM_OGON_VERDICT"] == 53
    assert any("the portal was not asked" in said for said in told["assumed"])


@pytest.mark.usefixtures("lead")
async def test_the_rules_in_force_and_a_version_judge_as_recorded(client: httpx.AsyncClient) -> None:
    in_force = (await ask(client, card={"type": "lead", "id": 7})).json()
    version = (await ask(client, card={"type": "lead", "id": 7}, version=1)).json()
    assert in_force["after"] == version["after"] == "deal"
    assert [one["kind"] for one in in_force["plan"]][:3] == ["create", "create", "create"]
    assert any("reused" in said for said in in_force["assumed"])
    assert in_force["plan"][-1]["said"] == "Move to a stage: “Converted”"


@pytest.mark.usefixtures("lead")
async def test_nothing_is_written_anywhere(client: httpx.AsyncClient, database: Database) -> None:
    await ask(client, card={"type": "lead", "id": 7})  # whatever a first request writes is written
    before = await rows_of_everything(database)
    for body in (
        {"card": {"type": "lead", "id": 7}, "document": steam_over("4")},
        {"facts": {"steam_tph": 4}, "document": steam_over("4")},
    ):
        assert (await ask(client, **body)).status_code == 200
    assert await rows_of_everything(database) == before


@pytest.mark.usefixtures("lead")
async def test_another_field_is_read_from_the_kept_card(client: httpx.AsyncClient) -> None:
    facts = [
        {**one, "sources": [{"card": "lead", "field": "UF_CRM_BOILERS"}]} if one["name"] == "steam_tph" else one
        for one in ruleset_to_document(DEFAULT)["facts"]
    ]
    told = (await ask(client, card={"type": "lead", "id": 7}, document=draft(facts=facts))).json()
    steam = next(one for one in told["facts"] if one["name"] == "steam_tph")
    assert (steam["value"], steam["source"]) == ("8", "lead.UF_CRM_BOILERS")
    assert told["gaps"] == []


@pytest.mark.usefixtures("lead")
async def test_what_was_not_kept_is_said(client: httpx.AsyncClient, database: Database) -> None:
    async with database.writing() as session:
        await session.execute(text("UPDATE runs SET snapshot = NULL"))
    facts = [
        {**one, "sources": [{"card": "lead", "field": "UF_CRM_BOILERS"}]} if one["name"] == "steam_tph" else one
        for one in ruleset_to_document(DEFAULT)["facts"]
    ]
    told = (await ask(client, card={"type": "lead", "id": 7}, document=draft(facts=facts))).json()
    assert told["certain"] is False
    assert any("did not keep the card's fields" in said for said in told["gaps"])
    assert any("did not keep the card" in said for said in told["assumed"])


@pytest.mark.usefixtures("lead")
async def test_facts_by_hand(client: httpx.AsyncClient) -> None:
    needed_by = (date(2026, 1, 1) + timedelta(days=36500)).isoformat()
    lead = {"steam_tph": "3,5", "turnover": 2e9, "industry": "MANUFACTURING", "text": "нужен котёл"}
    told = (await ask(client, facts=lead)).json()
    assert (told["after"], told["id"], told["before"]) == ("needs_data", None, None)
    assert told["verdict"]["questions"]
    deal = {"need": "yes", "budget": "yes", "needed_by": needed_by, "margin": 100, "won_deals": []}
    told = (await ask(client, type="deal", facts={**deal, "trial": False})).json()
    assert (told["after"], told["verdict"]["declined"]) == ("BBB_declined", True)
    assert [one["kind"] for one in told["plan"]][-1] == "move"


@pytest.mark.usefixtures("lead")
@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        pytest.param({"facts": {"steam_tph": "a lot"}}, 422, "body.facts.steam_tph", id="no number"),
        pytest.param({"facts": {"colour": "red"}}, 422, "body.facts.colour", id="no such fact"),
        pytest.param({"facts": {"rows": [{"name": "x"}]}}, 422, "body.facts.rows", id="a row without product"),
        pytest.param({"facts": {"turnover": "9" * 39}}, 422, "body.facts.turnover", id="a number beyond use"),
        pytest.param({}, 422, "body", id="neither card nor facts"),
        pytest.param({"facts": {}, "card": {"type": "lead", "id": 7}}, 422, "body", id="both"),
        pytest.param({"facts": {}, "version": 9}, 404, "body.version", id="no such version"),
        pytest.param({"facts": {}, "version": 1, "document": {}}, 422, "body.version", id="two kinds of rules"),
        pytest.param({"facts": {}, "document": {"urgency_days": "soon"}}, 422, "urgency_days", id="a wrong draft"),
        pytest.param({"card": {"type": "lead", "id": 8}}, 404, None, id="a card never judged"),
    ],
)
async def test_what_is_wrong_is_named(
    client: httpx.AsyncClient, body: dict[str, Any], status: int, path: str | None
) -> None:
    answer = await ask(client, **body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"].get("path") == path


@pytest.mark.usefixtures("lead")
async def test_facts_of_another_version_of_ogon_are_refused(client: httpx.AsyncClient, database: Database) -> None:
    async with database.writing() as session:
        await session.execute(text("""UPDATE runs SET facts = '{"steam_tph": {"kind": "colour", "value": 1}}'"""))
    answer = await ask(client, card={"type": "lead", "id": 7})
    assert answer.json()["error"]["code"] == "facts_unreadable"
