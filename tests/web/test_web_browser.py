"""Every page in a real headless Chromium: filled, empty and in error; light, dark and on a phone; without a mouse.

Skipped where Debian's Chromium or Playwright is not installed: `apt-get install chromium`. One service for all tests of
a worker, and one browser for all that come in a row.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg
import pytest
from fastapi.routing import APIRoute
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr
from web_office import EMPTY, FILLED, SAMPLE, Office, open_office

from app.reports import REPORTS
from app.settings import load_settings
from app.web.pages import PARTS

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
    "/rules/replays/1/cards?type=lead&from=review&to=junk",
    "/calculator?monthly_cost=500000&deals_a_month=100",
    "/team",
    "/rejected",
]
EMPTY_PAGES = [
    "/",
    "/cards",
    "/second-looks",
    "/reports",
    "/reports/sample",
    "/reports/funnel",
    "/reports/activity",
    "/rules",
    "/rules/edit",
    "/rules/versions",
    "/rules/replays",
    "/calculator",
    "/team",
]
ERROR_PAGES = [
    ("/nothing", 404),
    ("/?portal=99", 404),
    ("/cards?portal=99", 404),
    ("/cards/lead/999", 404),
    ("/cards/planet/7", 422),
    ("/second-looks?portal=99", 404),
    ("/reports/none", 404),
    ("/reports/sample?since=2026-02-30", 422),
    ("/reports/funnel/cards?table=none&column=leads", 404),
    ("/calculator?monthly_cost=x", 422),
    ("/rules?portal=99", 404),
    ("/rules/edit?version=99", 404),
    ("/rules/versions?portal=99", 404),
    ("/rules/versions/99", 404),
    ("/rules/replays?portal=99", 404),
    ("/rules/replays/99", 404),
    ("/rules/replays/99/cards", 404),
    ("/team?portal=99", 404),
    ("/rejected?before=x", 422),
]
# What is of one thing is there or is not, and is never empty; the list of reports asks for nothing that could be wrong.
NEVER_EMPTY = {
    "/cards/{type}/{id}",
    "/reports/{name}/cards",
    "/rules/versions/{version}",
    "/rules/replays/{id}",
    "/rules/replays/{id}/cards",
    "/rejected",
}
NEVER_WRONG = {"/reports"}
FILES = {"/reports/{name}/download.{kind}"}


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


def of_portal(path: str, portal: int) -> str:
    return path if "portal=" in path else f"{path}{'&' if '?' in path else '?'}portal={portal}"


def cases_missing(routes: Iterable[str], cases: Iterable[str]) -> set[str]:
    """Routes that no case opens."""
    paths = [case.partition("?")[0] for case in cases]
    return {
        route for route in routes if not any(re.fullmatch(re.sub(r"{\w+}", "[^/]+", route), path) for path in paths)
    }


def test_each_page_is_looked_at_filled_empty_and_in_error() -> None:
    known = [one for part in PARTS for one in part.router.routes if isinstance(one, APIRoute)]
    routes = {one.path for one in known if "GET" in one.methods} - FILES
    assert cases_missing(routes, FULL_PAGES) == set()
    assert cases_missing(routes - NEVER_EMPTY, EMPTY_PAGES) == set()
    assert cases_missing(routes - NEVER_WRONG, [path for path, _ in ERROR_PAGES]) == set()
    assert routes >= NEVER_EMPTY | NEVER_WRONG


def fits(page) -> None:
    """Nothing stands out of the window but in what scrolls."""
    wide = page.evaluate(
        "[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, .skip') && "
        "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 120))"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), wide[:3]


def looked_at(page, path: str, status: int) -> None:
    """The page in light and dark, on a desk and on a phone."""
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == status
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(AUDIT) == [], scheme
    fits(page)
    page.set_viewport_size(PHONE)
    fits(page)
    page.set_viewport_size(DESK)


@pytest.mark.parametrize("path", FULL_PAGES)
def test_a_filled_page(page, path: str) -> None:
    looked_at(page, of_portal(path, FILLED), 200)


@pytest.mark.parametrize("path", EMPTY_PAGES)
def test_an_empty_page(page, path: str) -> None:
    looked_at(page, of_portal(path, EMPTY), 200)


@pytest.mark.parametrize(("path", "status"), ERROR_PAGES)
def test_an_error(page, path: str, status: int) -> None:
    looked_at(page, of_portal(path, FILLED), status)


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


def test_an_absence_is_noted_and_withdrawn(page) -> None:
    page.goto("/team?portal=1")
    page.select_option("select[name=user]", "21")
    page.fill("input[name=starts]", "2031-03-03")
    page.fill("input[name=ends]", "2031-03-05")
    page.fill("input[name=note]", "отпуск")
    page.click("form[action='/team/absences'] button")
    row = page.locator("[aria-labelledby=absences] tbody tr", has_text="отпуск")
    assert "Анна Смирнова" in row.inner_text()
    assert "03.03.2031\t05.03.2031" in row.inner_text()
    assert page.evaluate(AUDIT) == []
    row.locator("button").click()
    assert page.locator("[aria-labelledby=absences] tbody tr", has_text="отпуск").count() == 0


def test_an_absence_without_a_day_says_what_is_missing(page) -> None:
    page.goto("/team?portal=1")
    page.select_option("select[name=user]", "21")
    page.fill("input[name=note]", "болеет")
    page.click("form[action='/team/absences'] button")
    assert page.locator("[role=alert]").count() == 1
    assert page.input_value("input[name=note]") == "болеет"
    assert page.evaluate(AUDIT) == []


def test_a_second_look_is_answered(page) -> None:
    page.goto("/second-looks?portal=1")
    looks = page.locator("section[aria-labelledby^=look-]")
    assert looks.count() == 1
    page.fill("input[name=why]", "Не наш профиль")
    page.click("button[value=right]")
    assert looks.count() == 0
    assert page.locator("[role=status]").count() == 1
    assert page.evaluate(AUDIT) == []
