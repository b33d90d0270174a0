"""Every page and every form of them with each role: a new one is walked here without being named."""

import re

import httpx
import pytest
from fastapi.routing import APIRoute
from web_cards import judged_lead

from app.domain.ruleset import DEFAULT
from app.store import rulesets, tokens
from app.store.database import Database
from app.store.portals import Portal
from app.store.ruleset_document import ruleset_to_document
from app.web.pages import PARTS

pytestmark = pytest.mark.anyio

VALUES = {"type": "lead", "id": "7", "name": "past-deals", "version": "1", "kind": "json"}
# Addresses of things that are not there in this test, which is told only to who may see the page.
ABSENT = {"/rules/replays/{id}", "/rules/replays/{id}/cards", "/reports/{name}/cards"}
ROLES = ("viewer", "head", "admin")
# Who may send each form at all; the form that edits rules asks for a role by its button.
FORMS = {
    "/cards/{type}/{id}/replay": "head",
    "/second-looks/{id}": "head",
    "/rules/versions/{version}/rollback": "admin",
    "/rules/edit": "viewer",
    "/rules/replays/{id}/cancel": "head",
    "/team/absences": "head",
    "/team/absences/{id}/withdraw": "head",
    "/team/digests": "admin",
}


def routes(method: str) -> list[str]:
    found = [one for part in PARTS for one in part.router.routes if isinstance(one, APIRoute)]
    assert len(found) > 20
    return sorted({one.path for one in found if method in one.methods})


def filled(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: VALUES[found[1]], path)


async def enter(client: httpx.AsyncClient, database: Database, role: str) -> None:
    async with database.writing() as session:
        _, secret = await tokens.create(session, name=role, role=role, by="test")  # type: ignore[arg-type]
    await client.post("/login", data={"token": secret.get_secret_value()})


@pytest.fixture
async def furnished(client: httpx.AsyncClient, database: Database, portal: Portal) -> httpx.AsyncClient:
    await judged_lead(database, portal.id, 7)
    async with database.writing() as session:
        document = ruleset_to_document(DEFAULT)
        await rulesets.publish(
            session, portal_id=portal.id, edited_version=0, document=document, author="somebody", reason="first"
        )
    return client


async def test_a_stranger_sees_no_page_and_sends_no_form(furnished: httpx.AsyncClient) -> None:
    for path in routes("GET"):
        answer = await furnished.get(filled(path))
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/login"), path
    for path in routes("POST"):
        answer = await furnished.post(filled(path), data={"csrf": "guess"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login"), path


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_sees_each_page(furnished: httpx.AsyncClient, database: Database, role: str) -> None:
    await enter(furnished, database, role)
    for path in routes("GET"):
        answer = await furnished.get(filled(path))
        assert answer.status_code in ({404, 422} if path in ABSENT else {200}), path
        assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("role", ROLES)
async def test_each_form_needs_its_session_and_its_role(
    furnished: httpx.AsyncClient, database: Database, portal: Portal, role: str
) -> None:
    assert set(routes("POST")) == set(FORMS)
    await enter(furnished, database, role)
    page = (await furnished.get("/")).text
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    assert csrf is not None
    # All that any of the forms asks for: what is refused here is refused for the role alone.
    form = {"portal": portal.id, "reason": "x", "based_on": 1, "answer": "right", "who": "x", "why": "x"}
    for path, needed in FORMS.items():
        for forged in ("", "guess"):
            answer = await furnished.post(filled(path), data={**form, "csrf": forged})
            assert answer.status_code == 403, path
        answer = await furnished.post(filled(path), data={**form, "csrf": csrf[1]})
        allowed = ROLES.index(role) >= ROLES.index(needed)
        assert (answer.status_code != 403) is allowed, path
