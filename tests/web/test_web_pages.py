"""The pages: who sees them, what they show, that nothing on them can run or leave."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from web_cards import HOSTILE, judged_lead
from web_delivery import TOKEN, deliver, event_body

from app.main import create_app
from app.settings import Settings
from app.store import journal, news, portals, sweeps
from app.store.database import Database
from app.store.journal import NewEntry
from app.store.news import SeenCard
from app.store.portals import Portal
from app.web.keys import signing_secret
from app.web.sessions import SESSION_SECONDS, TICKET_SECONDS, login_ticket

pytestmark = pytest.mark.anyio

ADMIN = "admin-token-of-the-tests"
PAGES = ["/", "/cards", "/cards/lead/7", "/second-looks", "/rejected"]


@pytest.fixture
async def signed_in(client: httpx.AsyncClient) -> httpx.AsyncClient:
    answer = await client.post("/login", data={"token": ADMIN})
    assert answer.status_code == 303
    return client


def csrf_of(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("path", PAGES)
async def test_strangers_are_sent_to_the_login(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")
    follow = await client.get(answer.headers["location"])
    assert follow.status_code == 200
    assert 'type="password"' in follow.text


async def test_signing_in_leads_back_to_the_page_that_was_asked_for(client: httpx.AsyncClient) -> None:
    sent_away = await client.get("/rejected?before=5")
    form = await client.get(sent_away.headers["location"])
    wanted = re.search(r'name="next" value="([^"]+)"', form.text)
    assert wanted is not None
    answer = await client.post("/login", data={"token": ADMIN, "next": wanted[1].replace("&amp;", "&")})
    assert answer.headers["location"] == "/rejected?before=5"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
async def test_signing_in_leads_nowhere_else(client: httpx.AsyncClient, elsewhere: str) -> None:
    answer = await client.post("/login", data={"token": ADMIN, "next": elsewhere})
    assert answer.headers["location"] == "/"


async def test_the_session_cookie_is_closed_to_scripts_and_other_sites(client: httpx.AsyncClient) -> None:
    cookie = (await client.post("/login", data={"token": ADMIN})).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" in cookie
    assert f"Max-Age={SESSION_SECONDS}" in cookie
    assert ADMIN not in cookie


async def test_a_wrong_token_is_refused_and_guessing_is_stopped(client: httpx.AsyncClient) -> None:
    for _ in range(10):
        answer = await client.post("/login", data={"token": "guess"})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    assert (await client.post("/login", data={"token": "guess"})).status_code == 429
    assert (await client.post("/login", data={"token": ADMIN})).status_code == 303


async def test_a_forged_cookie_is_no_session(client: httpx.AsyncClient) -> None:
    genuine = (await client.post("/login", data={"token": ADMIN})).cookies["ogon_session"]
    client.cookies.clear()
    value, expires, signature = genuine.split(".")
    for forged in (
        "",
        "x",
        f"{value}.{int(expires) + 1}.{signature}",
        f"{value}.{expires}.",
        genuine[:-1],
        "a.9999999999.b",
    ):
        answer = await client.get("/", headers={"cookie": f"ogon_session={forged}"})
        assert answer.status_code == 303, forged


@pytest.mark.usefixtures("portal")
async def test_sessions_and_tickets_end(web_settings: Settings, database: Database) -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    app = create_app(web_settings, database, clock=lambda: now)
    ticket = login_ticket(signing_secret(web_settings), now=int(now.timestamp()))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://ogon.example") as client:
        now += timedelta(seconds=TICKET_SECONDS)
        assert (await client.get("/login", params={"ticket": ticket})).status_code == 403
        await client.post("/login", data={"token": ADMIN})
        now += timedelta(seconds=SESSION_SECONDS - 1)
        assert (await client.get("/")).status_code == 200
        now += timedelta(seconds=1)
        assert (await client.get("/")).status_code == 303


async def test_a_ticket_is_good_once(client: httpx.AsyncClient, web_settings: Settings) -> None:
    ticket = login_ticket(signing_secret(web_settings), now=int(datetime.now(UTC).timestamp()))
    answer = await client.get("/login", params={"ticket": ticket})
    assert answer.status_code == 303
    assert (await client.get("/")).status_code == 200
    client.cookies.clear()
    again = await client.get("/login", params={"ticket": ticket})
    assert again.status_code == 403
    assert "used already" in again.text


async def test_a_session_is_no_ticket_and_a_ticket_no_session(
    client: httpx.AsyncClient, web_settings: Settings
) -> None:
    session = (await client.post("/login", data={"token": ADMIN})).cookies["ogon_session"]
    client.cookies.clear()
    assert (await client.get("/login", params={"ticket": session})).status_code == 403
    ticket = login_ticket(signing_secret(web_settings), now=int(datetime.now(UTC).timestamp()))
    assert (await client.get("/", headers={"cookie": f"ogon_session={ticket}"})).status_code == 303


async def test_the_list_shows_verdict_reason_and_counts(
    signed_in: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    await judged_lead(database, portal.id, 7, title="Boiler house")
    page = (await signed_in.get("/cards")).text
    assert "Boiler house" in page
    assert "Data needed" in page
    assert "Turnover is not known" in page
    assert 'href="https://portal.example/crm/lead/details/7/"' in page
    assert 'href="/cards/lead/7?portal=' in page
    assert '<rect class="f-needs-data" x="0.0" y="0" width="1000.0"' in page


async def test_the_list_says_whether_every_change_of_today_was_judged(
    signed_in: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    assert "No sweep has been through yet" in (await signed_in.get("/")).text
    now = datetime.now(UTC)
    await judged_lead(database, portal.id, 7, updated_time=now, judged_at=now)
    async with database.writing() as session:
        await sweeps.begin(session, portal.id, now=now)
        await sweeps.complete(session, portal.id, now=now, gap_id=0)
        await news.note_changed(session, portal.id, 1, [SeenCard(card_id=7, updated_time=now, day=now.date())])
    page = (await signed_in.get("/")).text
    assert "judged: <b>1</b>" in page
    assert "difference: <b>0</b>" in page
    assert 'role="alert"' not in page
    async with database.writing() as session:
        seen = [SeenCard(card_id=number, updated_time=now, day=now.date()) for number in (8, 9)]
        await news.note_changed(session, portal.id, 1, seen)
        waiting = NewEntry(source="sweep", event="SWEEP_NEW", portal_id=portal.id, entity_type_id=1, card_id=9)
        await journal.append(session, [waiting])
    page = (await signed_in.get("/")).text
    alert = re.search(r'<p class="note warn" role="alert">(.*?)</p>', page, re.DOTALL)
    assert alert is not None
    assert "2 cards changed in the portal today and are not judged." in alert[1]
    assert "Of them on the queue: 1." in alert[1]
    assert re.findall(r'href="https://portal.example/crm/lead/details/(\d+)/"', alert[1]) == ["8"]
    assert "difference: <b>2</b>" in alert[1]


async def test_the_list_says_why_a_portal_takes_no_calls(
    signed_in: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    assert "takes no calls" not in (await signed_in.get("/")).text
    async with database.writing() as session:
        trouble = "profile: <b>The plan ended</b> [PAYMENT_REQUIRED, HTTP 402]"
        await portals.set_trouble(session, portal.id, trouble, now=datetime(2026, 11, 22, 3, tzinfo=UTC))
    page = (await signed_in.get("/")).text
    assert "The portal takes no calls: profile: &lt;b&gt;The plan ended&lt;/b&gt; [PAYMENT_REQUIRED, HTTP 402]" in page
    assert re.search(r"Since [^<]*22[^<]*go on by themselves", page)


async def test_filters_narrow_and_say_when_nothing_fits(
    signed_in: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    await judged_lead(database, portal.id, 7, title="Boiler house")
    everything_open = "/cards?type=&outcome=&grade=&state=&q="
    assert "Boiler house" in (await signed_in.get(everything_open)).text
    assert "Boiler house" in (await signed_in.get("/cards?outcome=needs_data&q=boil")).text
    nothing = (await signed_in.get("/cards?outcome=junk")).text
    assert "No card fits this filter." in nothing
    assert (await signed_in.get("/cards?outcome=nonsense")).status_code == 422


async def test_the_empty_list_says_what_to_expect(signed_in: httpx.AsyncClient) -> None:
    page = (await signed_in.get("/cards")).text
    assert "No card was judged yet." in page
    assert "ogon doctor" in page


async def test_long_lists_have_pages(signed_in: httpx.AsyncClient, database: Database, portal: Portal) -> None:
    for card_id in range(1, 53):
        await judged_lead(database, portal.id, card_id, title=f"Card {card_id}")
    first = (await signed_in.get("/cards?outcome=needs_data")).text
    assert "Page 1 of 2, 52 in all" in first
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following is not None
    address = following[1].replace("&amp;", "&")
    assert "outcome=needs_data" in address
    second = (await signed_in.get(address)).text
    assert "Page 2 of 2" in second
    assert len(re.findall(r'<td class="name">', second)) == 2


async def test_the_story_page_shows_facts_findings_actions_runs_and_hints(
    signed_in: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    await deliver(signed_in, event_body("ONCRMLEADADD", 7))
    run_id = await judged_lead(database, portal.id, 7)
    page = (await signed_in.get("/cards/lead/7")).text
    for shown in (
        "4.5 t/h",
        "lead.UF_CRM_OGON_STEAM_TPH",
        "Turnover: what is it?",
        "Write a timeline entry",
        "A person moved the card.",
        f"Run {run_id}",
        "ONCRMLEADADD",
    ):
        assert shown in page


async def test_today_lists_what_waits_with_the_button_that_helps(
    signed_in: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    empty = (await signed_in.get("/")).text
    assert "No card is stopped." in empty
    assert "Nothing waits for the head" in empty
    now = datetime.now(UTC)
    await judged_lead(database, portal.id, 7, title="Boiler house", judged_at=now)
    await judged_lead(database, portal.id, 8, title="Burner", outcome="review", judged_at=now)
    await judged_lead(database, portal.id, 9, title="Closed", outcome="review", state="final", judged_at=now)
    await judged_lead(database, portal.id, 10, title="Stuck", state="parked", parked_reason="A field is mandatory.")
    page = (await signed_in.get("/")).text
    assert "Boiler house" in page
    assert "Burner" in page
    assert "Closed" not in page
    assert "A field is mandatory." in page
    form = {"csrf": csrf_of(page), "portal": portal.id, "next": "/?portal=1"}
    answer = await signed_in.post("/cards/lead/10/replay", data=form)
    assert answer.headers["location"] == "/?portal=1"
    assert await replays(database) == 1
    assert "No card is stopped." in (await signed_in.get("/")).text
    assert (await signed_in.post("/cards/lead/10/replay", data=form | {"next": "//evil.example"})).headers[
        "location"
    ] == "/"


@pytest.mark.parametrize("path", ["/", "/cards", "/cards/lead/7", "/cards?q=<script>alert(1)</script>"])
async def test_hostile_text_is_only_text(
    signed_in: httpx.AsyncClient, database: Database, portal: Portal, path: str
) -> None:
    await judged_lead(database, portal.id, 7, title=HOSTILE, state="parked", parked_reason=HOSTILE)
    page = (await signed_in.get(path)).text
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "&amp;49" not in page


async def test_codes_of_another_version_are_only_text(
    signed_in: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    await judged_lead(database, portal.id, 7, outcome="<b>%(x)s</b>", grade="%s")
    for path in ("/cards", "/cards/lead/7"):
        page = await signed_in.get(path)
        assert page.status_code == 200
        assert "&lt;b&gt;%(x)s&lt;/b&gt;" in page.text


@pytest.mark.parametrize("path", [*PAGES, "/login", "/docs", "/nothing", "/api/v1/cards", "/healthz"])
async def test_every_answer_forbids_scripts_frames_and_sniffing(signed_in: httpx.AsyncClient, path: str) -> None:
    headers = (await signed_in.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("path", [*PAGES, "/login", "/docs"])
async def test_pages_load_nothing_from_elsewhere_and_show_no_secret(
    signed_in: httpx.AsyncClient, database: Database, portal: Portal, path: str
) -> None:
    await judged_lead(database, portal.id, 7)
    await deliver(signed_in, event_body("ONTASKADD"))
    page = (await signed_in.get(path)).text
    assert re.findall(r"<(?:script|iframe|style)", page) == []
    assert re.findall(r'\son\w+="|\sstyle="', page) == []
    for loaded in re.findall(r'<(?:link|img)[^>]+(?:href|src)="([^"]+)"', page):
        assert loaded.startswith("/static/")
        assert (await signed_in.get(loaded)).status_code == 200
    for secret in (TOKEN, ADMIN, "webhookcode0001", "a secret key of the tests"):
        assert secret not in page


async def test_rejected_deliveries_are_shown_with_the_reason(signed_in: httpx.AsyncClient) -> None:
    assert "Nothing was rejected." in (await signed_in.get("/rejected")).text
    await deliver(signed_in, event_body("ONTASKADD"))
    page = (await signed_in.get("/rejected")).text
    assert "ONTASKADD" in page
    assert "Unknown event" in page


async def test_the_replay_button_needs_the_form_of_this_session(
    signed_in: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    await judged_lead(database, portal.id, 7)
    page = (await signed_in.get("/cards/lead/7")).text
    for csrf in ("", "guess"):
        answer = await signed_in.post("/cards/lead/7/replay", data={"csrf": csrf, "portal": portal.id})
        assert answer.status_code == 403
    assert await replays(database) == 0
    answer = await signed_in.post("/cards/lead/7/replay", data={"csrf": csrf_of(page), "portal": portal.id})
    assert answer.status_code == 303
    assert await replays(database) == 1
    assert "on the queue" in (await signed_in.get(answer.headers["location"])).text


async def test_without_a_session_a_form_does_nothing(
    client: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    answer = await client.post("/cards/lead/7/replay", data={"csrf": "guess", "portal": portal.id})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login"
    assert await replays(database) == 0


async def test_signing_out_ends_the_session_in_the_browser(signed_in: httpx.AsyncClient) -> None:
    page = (await signed_in.get("/")).text
    assert (await signed_in.post("/logout", data={"csrf": "guess"})).status_code == 403
    assert (await signed_in.post("/logout", data={"csrf": csrf_of(page)})).status_code == 303
    assert (await signed_in.get("/")).status_code == 303


async def test_the_language_is_asked_for_and_remembered(signed_in: httpx.AsyncClient) -> None:
    assert '<html lang="en">' in (await signed_in.get("/")).text
    assert '<html lang="ru">' in (await signed_in.get("/?lang=ru")).text
    assert '<html lang="ru">' in (await signed_in.get("/rejected")).text
    assert '<html lang="en">' in (await signed_in.get("/rejected?lang=en")).text
    assert '<html lang="en">' in (await signed_in.get("/rejected?lang=xx")).text


async def test_errors_of_pages_are_pages(signed_in: httpx.AsyncClient) -> None:
    for path, status in (("/nothing", 404), ("/cards/lead/999", 404), ("/cards/planet/7", 422)):
        answer = await signed_in.get(path)
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/html")
        assert f"<h1>{status}" in answer.text


async def test_without_a_portal_the_list_says_how_to_add_one(web_settings: Settings, database: Database) -> None:
    app = create_app(web_settings, database)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://ogon.example") as client:
        await client.post("/login", data={"token": ADMIN})
        page = (await client.get("/")).text
    assert "ogon portal add" in page


@pytest.mark.usefixtures("portal")
async def test_without_admin_token_only_a_ticket_opens_the_pages(web_settings: Settings, database: Database) -> None:
    settings = web_settings.model_copy(update={"admin_token": None})
    app = create_app(settings, database)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://ogon.example") as client:
        assert "ADMIN_TOKEN is not set" in (await client.get("/login")).text
        for token in ("", "None"):
            assert (await client.post("/login", data={"token": token})).status_code == 403
        ticket = login_ticket(signing_secret(settings), now=int(datetime.now(UTC).timestamp()))
        assert (await client.get("/login", params={"ticket": ticket})).status_code == 303
        assert (await client.get("/")).status_code == 200


async def replays(database: Database) -> int:
    async with database.reading() as session:
        return sum(entry.source == "replay" for entry in await journal.recent(session))
