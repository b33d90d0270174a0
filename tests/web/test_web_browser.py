"""Every page in a real headless Chromium: filled, empty and in error; light, dark and on a phone; without a mouse.

Skipped where Debian's Chromium or Playwright is not installed: `apt-get install chromium`. One service for all tests of
a worker, and one browser for all that come in a row.
"""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr
from web_office import EMPTY, FILLED, SAMPLE, Office, open_office

from app.reports import REPORTS
from app.settings import load_settings

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: make dev")
CHROMIUM = next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")

ADMIN = "admin-token-of-the-tests"
AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 800}

FULL_PAGES = [
    "/",
    "/cards",
    "/cards/lead/7",
    "/cards/lead/10",
    "/second-looks",
    "/reports",
    "/reports/sample",
    "/reports/sample/cards?table=bars&column=leads",
    *(f"/reports/{name}" for name in REPORTS),
    "/rules",
    "/rules/edit",
    "/rules/versions",
    "/rules/versions/1",
    "/rules/replays",
    "/rules/replays/1",
    "/rules/replays/2",
    "/calculator?monthly_cost=500000&deals_a_month=100",
    "/team",
    "/rejected",
]
EMPTY_PAGES = [
    "/",
    "/cards",
    "/second-looks",
    "/reports/sample",
    "/rules",
    "/rules/edit",
    "/rules/versions",
    "/rules/replays",
    "/calculator",
    "/team",
]
ERROR_PAGES = [
    ("/nothing", 404),
    ("/cards/lead/999", 404),
    ("/cards/planet/7", 422),
    ("/reports/none", 404),
    ("/calculator?monthly_cost=x", 422),
    ("/rules/versions/99", 404),
]


@pytest.fixture(scope="session")
def office(server_conninfo: str, template_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    name = f"{template_database}_browser"
    named = sql.Identifier(name)
    with psycopg.connect(server_conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(named, sql.Identifier(template_database)))
    settings = load_settings(_env_file=None, data_dir=tmp_path_factory.mktemp("office")).model_copy(
        update={"admin_token": SecretStr(ADMIN), "secret_key": SecretStr("a secret key of the tests")}
    )
    with open_office(make_conninfo(server_conninfo, dbname=name), settings) as office:
        yield office
    with psycopg.connect(server_conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(named))


# Playwright keeps an event loop in this thread as long as it runs, so it ends before the tests of other modules.
@pytest.fixture(scope="module")
def context(office: Office) -> Iterator["sync_api.BrowserContext"]:
    """A browser that is signed in."""
    with sync_api.sync_playwright() as playwright:
        # In a container there is no user namespace for the sandbox of Chromium; it opens our own pages only.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport=DESK, base_url=office.address)
        context.set_default_timeout(60_000)
        answer = context.request.post("/login", form={"token": ADMIN}, max_redirects=0)
        assert answer.status == 303
        yield context
        browser.close()


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REPORTS, "sample", SAMPLE)


@pytest.fixture
def page(context, office) -> Iterator["sync_api.Page"]:
    """A page that may say nothing to its console and ask nobody but the service."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: asked.url.startswith(office.address) or complaints.append(asked.url))
    yield page
    page.close()
    assert [said for said in complaints if "status of 4" not in said] == []


def looked_at(page, path: str, status: int) -> None:
    """The page in light and dark, on a desk and on a phone."""
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == status
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(AUDIT) == [], scheme
    page.set_viewport_size(PHONE)
    wide = page.evaluate(
        "[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, .skip') && "
        "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 120))"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), wide[:3]
    page.set_viewport_size(DESK)


@pytest.mark.parametrize("path", FULL_PAGES)
def test_a_filled_page(page, path: str) -> None:
    looked_at(page, f"{path}{'&' if '?' in path else '?'}portal={FILLED}", 200)


@pytest.mark.parametrize("path", EMPTY_PAGES)
def test_an_empty_page(page, path: str) -> None:
    looked_at(page, f"{path}?portal={EMPTY}", 200)


@pytest.mark.parametrize(("path", "status"), ERROR_PAGES)
def test_an_error(page, path: str, status: int) -> None:
    looked_at(page, f"{path}{'&' if '?' in path else '?'}portal={FILLED}", status)


def test_every_page_is_told_in_both_languages(page) -> None:
    for language, title in (("en", "Today"), ("ru", "Сегодня")):
        page.goto(f"/?portal=1&lang={language}")
        assert title in page.inner_text("h1")
        assert page.get_attribute("html", "lang") == language


def test_signing_in_without_a_mouse(context, office) -> None:
    stranger = context.browser.new_context(base_url=office.address, viewport=PHONE)
    page = stranger.new_page()
    page.goto("/rules?portal=1")
    assert page.evaluate(AUDIT) == []
    page.keyboard.type("wrong token")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert page.evaluate(AUDIT) == []
    page.keyboard.type(ADMIN)
    page.keyboard.press("Enter")
    page.wait_for_url("**/rules?portal=1")
    stranger.close()


def test_a_page_is_walked_by_the_keyboard_alone(page) -> None:
    page.goto("/?portal=1")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached: list[str] = []
    for _ in range(30):
        page.keyboard.press("Tab")
        place, shown = page.evaluate(
            "[document.activeElement.outerHTML.slice(0, 60), getComputedStyle(document.activeElement).outlineStyle]"
        )
        if place.startswith("<body"):
            break
        assert shown != "none", place
        reached.append(place)
    assert any(place.startswith("<button") for place in reached)
    assert len(set(reached)) > 5


def test_a_draft_with_an_error_leads_to_its_field(page) -> None:
    page.goto("/rules/edit?portal=1")
    page.fill("[name='client.0.number']", "много")
    page.click("button[value=check]")
    page.wait_for_selector(".urgent a")
    assert page.evaluate(AUDIT) == []
    page.click(".urgent a")
    assert page.evaluate("location.hash") == "#f-client.0.number"
    assert page.input_value("[name='client.0.number']") == "много"
    assert page.get_attribute("[name='client.0.number']", "aria-invalid") == "true"


def test_a_parked_card_is_tried_again_from_today(page) -> None:
    page.goto("/?portal=1")
    parked = "[aria-labelledby=waits-parked]"
    with page.expect_navigation():
        page.click(f"{parked} button")
    assert page.url.endswith("/?portal=1")
    assert page.locator(f"{parked} button").count() == 0
