"""The calculator, the regular clients and the ledger of exceptions as the API tells them."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app import reports
from app.reports import REPORTS
from app.store import dictionary, rulesets, tokens
from app.store.database import Database
from app.store.portals import Portal
from app.store.rules_in_force import ensure_first_version
from app.web.api.reports import ELSEWHERE
from tests.reports.recorded import BASE, Deal, Look, record

pytestmark = pytest.mark.anyio

ADMIN = {"authorization": "Bearer admin-token-of-the-tests"}
PERIOD = {"since": "2026-01-01", "until": "2026-12-31"}
STORY = {"monthly_cost": "500000", "deals_a_month": "100"}


def won(number: int, profit: int | None, **values: Any) -> Deal:
    looks = [Look(BASE + timedelta(minutes=number), None if profit is None else Decimal(profit), above="yes")]
    return Deal(id=number, looks=looks, **{"stage": "WON", "state": "final", "close_date": "2026-03-05", **values})


@pytest.fixture
async def recorded(database: Database, portal: Portal) -> Portal:
    delivery = {"industry": "UC_DELIVERY", "amount": Decimal("250000.50"), "steam_tph": Decimal(5)}
    deals = [
        won(1, 4000, company=50, source="WEB", facts=delivery),
        won(2, 6000, company=50, facts=delivery),
        won(3, 90_000, company=50, facts=delivery),
        won(4, None),
        Deal(
            id=5,
            looks=[
                Look(BASE, Decimal(900), trial=False, declined=True, updated_by=12),
                Look(BASE + timedelta(hours=1), Decimal(900), trial=True, exemption="trial", updated_by=13, version=2),
                Look(BASE + timedelta(hours=2), Decimal(950), trial=True, exemption="trial", updated_by=1, version=3),
            ],
            stage="LOSE",
            state="final",
        ),
        Deal(id=6, looks=[Look(BASE + timedelta(days=1), Decimal(10), exemption="regular", responsible=8)]),
    ]
    async with database.writing() as session:
        await ensure_first_version(session, portal.id)
        await dictionary.save(
            session,
            portal_id=portal.id,
            document={
                "stages": [[2, 0, "WON", "", 1, "success", False], [2, 0, "LOSE", "", 2, "failure", False]],
                "industries": {"UC_DELIVERY": "Перевозки"},
                "sources": {"WEB": "Сайт"},
            },
            read_at=BASE,
        )
        await record(session, portal.id, deals)
    return portal


async def ask(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await client.get(f"/api/v1{path}", params=query, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.usefixtures("recorded")
async def test_the_minimum_of_the_story_and_what_past_deals_earned(client: httpx.AsyncClient) -> None:
    told = await ask(client, "/calculator/minimum", **STORY, **PERIOD)
    assert told["minimum_profit"] == "5000"
    assert told["in_force"] == {"ruleset_version": 1, "profit": "5000", "amount": None}
    below = {"below": 1, "share": 0.3333, "below_in_force": 1, "share_in_force": 0.3333}
    assert told["past"]["won"] == {"deals": 4, "known_profit": 3, "unknown_profit": 1, **below}
    assert told["past"]["deals"]["deals"] == 6
    assert (told["past"]["known_from"], told["past"]["not_judged"]) == (None, 0)
    assert told["past"]["deals"]["share"] == 0.6
    posted = await client.post("/api/v1/calculator/minimum", json={**STORY, **PERIOD}, headers=ADMIN)
    assert posted.json() == told


@pytest.mark.usefixtures("portal")
async def test_without_recorded_deals_no_share_is_told(client: httpx.AsyncClient) -> None:
    told = await ask(client, "/calculator/minimum", **STORY)
    assert told["past"]["deals"] == {
        "deals": 0,
        "known_profit": 0,
        "unknown_profit": 0,
        "below": 0,
        "share": None,
        "below_in_force": 0,
        "share_in_force": None,
    }


@pytest.mark.usefixtures("portal")
@pytest.mark.parametrize(
    ("changed", "path", "told"),
    [
        pytest.param({"deals_a_month": "0"}, "deals_a_month", "how many deals you close", id="no deals"),
        pytest.param({"monthly_cost": "-1"}, "monthly_cost", "what a month costs", id="a negative cost"),
        pytest.param({"monthly_cost": "much"}, "monthly_cost", "valid decimal", id="no number"),
        pytest.param({"deals_a_month": "NaN"}, "deals_a_month", "finite", id="not a number"),
        pytest.param({"since": "1767225600"}, "since", "YYYY-MM-DD", id="seconds for a day"),
        pytest.param({"since": "2026-05-01", "until": "2026-04-01"}, "since", "earlier", id="a period backwards"),
        pytest.param({"cost": "1"}, "cost", "not permitted", id="a misspelt name"),
    ],
)
async def test_bad_figures_say_what_to_give(
    client: httpx.AsyncClient, changed: dict[str, str], path: str, told: str
) -> None:
    asked = STORY | changed
    got = await client.get("/api/v1/calculator/minimum", params=asked, headers=ADMIN)
    posted = await client.post("/api/v1/calculator/minimum", json=asked, headers=ADMIN)
    for answer in (got, posted):
        assert answer.status_code == 422
        error = answer.json()["error"]
        assert error["path"].rsplit(".", 1)[-1] == path
        assert told in error["message"]


@pytest.mark.usefixtures("recorded")
async def test_regular_clients_are_told_with_their_coverage(client: httpx.AsyncClient) -> None:
    told = await ask(client, "/clients/regular", **PERIOD, least_regular=1)
    assert (told["won_deals"], told["clients"], told["regular_clients"]) == (4, 1, 1)
    assert told["coverage"]["industry"] == {"known": 3, "share": 0.75}
    assert told["coverage"]["source"] == {"known": 1, "share": 0.25}
    group, unknown = told["industry"]
    assert (group["label"], group["code"], group["won_deals"], group["money"]) == (
        "Перевозки",
        "UC_DELIVERY",
        3,
        "750001.50",
    )
    assert (unknown["label"], unknown["known"], unknown["won_deals"], unknown["clients"]) == ("not known", False, 1, 0)
    assert [(one["label"], one["code"]) for one in told["source"]] == [("not known", None), ("Сайт", "WEB")]
    assert [band["label"] for band in told["steam_tph"]] == ["over 3 t/h, up to 10 t/h", "not known"]
    assert told["suggestion"] == [
        {"code": "UC_DELIVERY", "label": "Перевозки", "in_force": False, "advice": "add", "regular_clients": 1},
        {"code": "MANUFACTURING", "label": "Manufacturing", "in_force": True, "advice": "look", "regular_clients": 0},
    ]


async def test_a_suggestion_changes_no_rule(client: httpx.AsyncClient, database: Database, recorded: Portal) -> None:
    await ask(client, "/clients/regular", least_regular=1)
    async with database.reading() as session:
        assert [one.version for one in await rulesets.history(session, recorded.id)] == [1]


@pytest.mark.usefixtures("recorded")
async def test_the_ledger_tells_who_when_why_and_how_it_ended(client: httpx.AsyncClient) -> None:
    told = await ask(client, "/exceptions")
    later, trial = told["items"]
    assert (trial["deal"], trial["kind"], trial["ruleset_version"], trial["why"]) == (5, "trial", 2, "so it is")
    assert trial["address"] == "https://portal.example/crm/deal/details/5/"
    assert (trial["set_by"], trial["profit"]) == (13, "900")
    assert (trial["ending"], trial["final_profit"], trial["stands"]) == ("lost", "950", True)
    assert (later["deal"], later["kind"], later["manager"], later["ending"]) == (6, "regular", 8, "open")
    assert told["totals"] == [
        {"kind": "regular", "ending": "open", "deals": 1, "final_profit": "10", "profit_known": 1},
        {"kind": "trial", "ending": "lost", "deals": 1, "final_profit": "950", "profit_known": 1},
    ]
    first = await ask(client, "/exceptions", limit=1)
    assert [line["deal"] for line in first["items"]] == [6]
    assert first["totals"] == told["totals"]
    rest = await ask(client, "/exceptions", limit=1, before=first["next_before"])
    assert [line["deal"] for line in rest["items"]] == [5]
    assert [line["deal"] for line in (await ask(client, "/exceptions", manager=8))["items"]] == [6]
    assert (await ask(client, "/exceptions", kind="person"))["totals"] == []


@pytest.mark.usefixtures("recorded")
async def test_a_viewer_reckons_and_reads_clients_and_the_ledger_is_for_heads(
    client: httpx.AsyncClient, database: Database
) -> None:
    seen: dict[tuple[str, str], int] = {}
    for role in ("viewer", "head"):
        async with database.writing() as session:
            _, secret = await tokens.create(session, name=f"a {role}", role=role, by="the tests")
        headers = {"authorization": f"Bearer {secret.get_secret_value()}"}
        asked = "/calculator/minimum?monthly_cost=1&deals_a_month=1"
        for path in (
            asked,
            "/clients/regular",
            "/exceptions",
            "/reports/exceptions",
            "/reports/kpi",
            "/reports/past-deals",
        ):
            answer = await client.get(f"/api/v1{path}", headers=headers)
            seen[role, path.partition("?")[0]] = answer.status_code
    assert seen == {
        ("viewer", "/calculator/minimum"): 200,
        ("viewer", "/clients/regular"): 200,
        ("viewer", "/exceptions"): 403,
        ("viewer", "/reports/exceptions"): 403,
        ("viewer", "/reports/kpi"): 403,
        ("viewer", "/reports/past-deals"): 200,
        ("head", "/calculator/minimum"): 200,
        ("head", "/clients/regular"): 200,
        ("head", "/exceptions"): 200,
        ("head", "/reports/exceptions"): 200,
        ("head", "/reports/kpi"): 200,
        ("head", "/reports/past-deals"): 200,
    }


MACHINERY = {"report", "scope", "grouped", "relations", "sources", "touched"}


async def test_every_report_file_is_listed_and_tells_its_definition(client: httpx.AsyncClient, app: FastAPI) -> None:
    listed = await ask(client, "/reports")
    assert [line["name"] for line in listed] == list(REPORTS)
    assert all(line["title"] and line["definition"] and line["filters"] for line in listed)
    assert set(ELSEWHERE.values()) <= set(app.openapi()["paths"])
    files = {path.stem for path in Path(reports.__file__).parent.glob("*.py")} - {"__init__"} - MACHINERY
    assert {name.replace("_", "-") for name in files} == set(REPORTS)


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("name", REPORTS)
async def test_every_report_answers_in_the_common_shape_and_each_number_opens_to_its_cards(
    client: httpx.AsyncClient, name: str
) -> None:
    told = await ask(client, f"/reports/{name}", **PERIOD)
    assert (told["name"], told["since"], told["until"]) == (name, PERIOD["since"], PERIOD["until"])
    assert told["tables"]
    for table in told["tables"]:
        rows = [*table["rows"], *([table["totals"]] if table["totals"] else [])]
        names = {column["name"] for column in table["columns"]}
        assert all(set(row["cells"]) <= names for row in rows)
        for column in (column for column in table["columns"] if column["cards"]):
            for row in rows[:3]:
                which = {"table": table["name"], "column": column["name"]}
                which |= {} if row is table["totals"] else {"row": row["key"]}
                behind = await ask(client, f"/reports/{name}/cards", **PERIOD, **which)
                assert len(behind["items"]) == min(behind["total"], 50)
                if column["kind"] == "count" and not behind["notes"]:
                    assert behind["total"] == row["cells"][column["name"]], which


@pytest.mark.usefixtures("recorded")
async def test_the_kpi_sheet_is_of_the_last_whole_month_unless_asked_otherwise(client: httpx.AsyncClient) -> None:
    line = next(one for one in await ask(client, "/reports") if one["name"] == "kpi")
    assert (line["last_month"], line["role"]) == (True, "head")
    assert line["filters"] == ["department", "manager", "period", "pool"]
    told = await ask(client, "/reports/kpi")
    first, last = (date.fromisoformat(told[name]) for name in ("since", "until"))
    following = last + timedelta(days=1)
    assert (first.day, following.day, first.month % 12 + 1) == (1, 1, following.month)
    assert (await ask(client, "/reports/kpi", until="2026-03-31"))["since"] == "2026-03-01"


@pytest.mark.usefixtures("recorded")
async def test_a_number_of_the_ledger_opens_to_its_deals(client: httpx.AsyncClient) -> None:
    told = await ask(client, "/reports/exceptions", **PERIOD)
    assert {row["key"]: row["cells"]["deals"] for row in told["tables"][0]["rows"]} == {
        "regular": 1,
        "trial": 1,
        "undecided": 0,
        "person": 0,
    }
    which = {"table": "kinds", "column": "lost", "row": "trial"}
    behind = await ask(client, "/reports/exceptions/cards", **PERIOD, **which)
    assert [(card["id"], card["title"], card["address"]) for card in behind["items"]] == [
        (5, "Deal 5", "https://portal.example/crm/deal/details/5/")
    ]


@pytest.mark.usefixtures("portal")
@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        pytest.param("/nothing", 404, "/api/v1/reports lists them", id="no such report"),
        pytest.param("/exceptions?source=WEB", 422, "leave it out", id="a filter it does not heed"),
        pytest.param("/exceptions?since=2026-05-01&until=2026-04-01", 422, "earlier", id="a period backwards"),
        pytest.param("/exceptions/cards?table=kinds&column=profit", 404, "no such number", id="no cards behind it"),
        pytest.param("/exceptions/cards?table=kinds&column=won&row=x", 404, "no such number", id="no such row"),
        pytest.param("/past-deals/cards?table=deals&column=deals", 404, "no such number", id="no totals to open"),
    ],
)
async def test_a_wrong_question_says_what_to_ask(client: httpx.AsyncClient, path: str, status: int, told: str) -> None:
    answer = await client.get(f"/api/v1/reports{path}", headers=ADMIN)
    assert (answer.status_code, told in answer.json()["error"]["message"]) == (status, True)
