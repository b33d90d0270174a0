"""Pages of rules: a draft from the form to publishing, with errors at their fields; versions; replays; calculator."""

import html
import re
from dataclasses import replace
from decimal import Decimal

import httpx
import pytest
from web_cards import judged_lead

from app.domain.replay import Change, Tally
from app.domain.ruleset import DEFAULT
from app.store import rulesets, tokens
from app.store.database import Database
from app.store.portals import Portal
from app.store.ruleset_document import ruleset_to_document
from app.web.api.replays import Cell
from app.web.pages.rules_replays import matrices

pytestmark = pytest.mark.anyio

ADMIN = "admin-token-of-the-tests"


@pytest.fixture
async def admin(client: httpx.AsyncClient, database: Database, portal: Portal) -> httpx.AsyncClient:
    await client.post("/login", data={"token": ADMIN})
    await publish(database, portal, 0, profit=5000)
    return client


async def publish(database: Database, portal: Portal, edited: int, *, profit: int) -> None:
    changed = replace(DEFAULT, minimum=replace(DEFAULT.minimum, profit=Decimal(profit)))
    async with database.writing() as session:
        await rulesets.publish(
            session,
            portal_id=portal.id,
            edited_version=edited,
            document=ruleset_to_document(changed),
            author="somebody",
            reason=f"minimum {profit}",
        )


def fields(page: str) -> dict[str, list[str]]:
    """What a browser would send of the form that edits rules."""
    form = page[page.index('class="rules"') :]
    sent: dict[str, list[str]] = {}

    def keep(name: str, value: str) -> None:
        sent.setdefault(html.unescape(name), []).append(html.unescape(value))

    for tag in re.findall(r"<input[^>]*>", form):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and ('type="checkbox"' not in tag or " checked" in tag):
            keep(name[1], value[1] if value else "")
    for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        assert chosen is not None
        keep(name, chosen[1])
    for name, text in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        keep(name, text)
    return sent


async def send(browser: httpx.AsyncClient, sent: dict[str, list[str]], do: str, **values: str) -> httpx.Response:
    body = sent | {name: [value] for name, value in values.items()} | {"do": [do]}
    return await browser.post("/rules/edit", data=body)


async def test_a_draft_goes_from_the_form_over_its_errors_to_the_next_version(
    admin: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    await judged_lead(database, portal.id, 7)
    sent = fields((await admin.get("/rules/edit")).text)
    wrong = await send(admin, sent, "publish", reason="try", **{"client.0.number": "much", "urgency_days": "-1"})
    assert wrong.status_code == 422
    assert 'aria-describedby="e-client.0.number"' in wrong.text
    assert 'aria-describedby="e-urgency_days"' in wrong.text
    assert 'value="much"' in wrong.text, "what was typed stays"
    silent = await send(admin, sent, "publish", reason="")
    assert silent.status_code == 422
    assert "Say in a sentence why" in silent.text

    changed = sent | {"client.0.number": ["4"]}
    checked = await send(admin, changed, "check")
    assert checked.status_code == 200
    assert re.search(r'class="changes"><li>[^<]*4', checked.text)
    tried = await send(admin, changed, "preview", card_type="lead", card_id="7")
    assert "Tried on Lead 7" in tried.text
    assert (await send(admin, changed, "preview", card_type="lead", card_id="8")).status_code == 404
    more = await send(admin, changed, "add:client")
    assert 'name="client.3.fact"' in more.text

    done = await send(admin, changed, "publish", reason="Larger boilers only")
    assert done.headers["location"] == f"/rules?portal={portal.id}&published=2"
    page = (await admin.get(done.headers["location"])).text
    assert "Published." in page
    assert "Larger boilers only" in page
    assert re.search(r'class="changes"><li>[^<]*4', (await admin.get("/rules/versions/2")).text)


async def test_who_was_overtaken_sees_what_changed_and_keeps_the_draft(
    admin: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    sent = fields((await admin.get("/rules/edit")).text)
    await publish(database, portal, 1, profit=7000)
    late = await send(admin, sent, "publish", reason="mine", urgency_days="20")
    assert late.status_code == 409
    assert "What changed meanwhile" in late.text
    assert 'name="urgency_days" value="20"' in late.text
    again = fields(late.text)
    assert again["based_on"] == ["2"]
    assert (await send(admin, again, "publish", reason="mine")).status_code == 303


async def test_an_older_version_is_published_anew(admin: httpx.AsyncClient, database: Database, portal: Portal) -> None:
    await publish(database, portal, 1, profit=7000)
    page = (await admin.get("/rules/versions/1")).text
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    assert csrf is not None
    form = {"csrf": csrf[1], "portal": portal.id, "based_on": 2, "reason": "back"}
    assert (await admin.post("/rules/versions/1/rollback", data=form)).status_code == 303
    assert "restores version 1" in (await admin.get("/rules/versions")).text
    assert (await admin.post("/rules/versions/1/rollback", data=form)).status_code == 409


async def test_a_replay_is_asked_from_the_draft_and_cancelled_on_its_page(admin: httpx.AsyncClient) -> None:
    assert "No draft was replayed yet." in (await admin.get("/rules/replays")).text
    sent = fields((await admin.get("/rules/edit")).text)
    asked = await send(admin, sent, "replay", since="2026-11-01")
    assert asked.status_code == 303
    page = (await admin.get(asked.headers["location"])).text
    assert '<meta http-equiv="refresh" content="2">' in page
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    assert csrf is not None
    await admin.post(f"{asked.headers['location']}/cancel", data={"csrf": csrf[1]})
    page = (await admin.get(asked.headers["location"])).text
    assert "cancelled" in page
    assert "http-equiv" not in page
    assert "No such cards." in (await admin.get(f"{asked.headers['location']}/cards?type=lead&from=junk&to=deal")).text


@pytest.mark.parametrize(("role", "replays", "publishes"), [("viewer", 403, 403), ("head", 303, 403)])
async def test_each_button_needs_its_role(
    admin: httpx.AsyncClient, database: Database, portal: Portal, role: str, replays: int, publishes: int
) -> None:
    async with database.writing() as session:
        _, secret = await tokens.create(session, name="somebody", role=role, by="test")
    admin.cookies.clear()
    await admin.post("/login", data={"token": secret.get_secret_value()})
    page = (await admin.get("/rules/edit")).text
    assert ('value="publish"' in page) is (publishes == 303)
    sent = fields(page)
    assert (await send(admin, sent, "check")).status_code == 200
    assert (await send(admin, sent, "replay", since="2026-11-01")).status_code == replays
    assert (await send(admin, sent, "publish", reason="mine")).status_code == publishes
    form = {"csrf": sent["csrf"][0] if "csrf" in sent else "", "portal": portal.id, "based_on": 1, "reason": "back"}
    assert (await admin.post("/rules/versions/1/rollback", data=form)).status_code == 403
    assert (await send(admin, sent | {"csrf": ["guess"]}, "check")).status_code == 403


async def test_the_calculator_answers_and_says_what_is_wrong(admin: httpx.AsyncClient) -> None:
    page = (await admin.get("/calculator?monthly_cost=500 000&deals_a_month=100")).text
    assert "5,000 RUB" in page
    for wrong in (
        "monthly_cost=x&deals_a_month=3",
        "monthly_cost=1&deals_a_month=0",
        "monthly_cost=1&since=2026-99-99",
    ):
        answer = await admin.get(f"/calculator?{wrong}")
        assert answer.status_code == 422, wrong
        assert 'aria-invalid="true"' in answer.text


def test_a_replay_as_a_matrix_shades_each_row_by_its_shares() -> None:
    tally = Tally()
    for before, after, cards in (("review", "review", 6), ("review", "junk", 4), ("deal", "junk", 1)):
        tally.cells[Change(1, before, after)] = cards
    cells = [
        Cell(type="lead", before=change.before, after=change.after, cards=count, ended={})
        for change, count in tally.cells.items()
    ]
    (matrix,) = matrices(cells)
    assert matrix.labels == ["deal", "review", "junk"]
    assert [(before, [(one.cards, one.shade) for one in squares]) for before, squares in matrix.rows] == [
        ("deal", [(0, 0), (0, 0), (1, 5)]),
        ("review", [(0, 0), (6, 3), (4, 2)]),
    ]
