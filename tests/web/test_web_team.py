"""People, calendars and absences over the API: what was reckoned by hand comes out, a wrong document is told whole."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.domain.calendars import NINE_TO_SIX, Layer
from app.domain.team import Department, Person, Team
from app.main import create_app
from app.settings import Settings
from app.store import portals, team
from app.store.database import Database
from app.store.portals import Portal

pytestmark = pytest.mark.anyio

JSON = {"content-type": "application/json"}
# A Friday, noon in Moscow.
NOW = datetime(2026, 8, 21, 9, tzinfo=UTC)
WEEK = dict.fromkeys(range(5), NINE_TO_SIX) | dict.fromkeys((5, 6), ())
TEAM = Team(
    people={
        5: Person(user_id=5, name="Ирина Соколова", department_ids=(1,)),
        7: Person(user_id=7, name="Анна Зайцева", department_ids=(2,), position="Менеджер"),
        8: Person(user_id=8, name="Пётр Лунин", department_ids=(2,), time_zone="Asia/Vladivostok"),
        9: Person(user_id=9, name="Олег Быков", active=False),
    },
    departments={
        1: Department(department_id=1, name="Завод", head_id=5),
        2: Department(department_id=2, name="Продажи", parent_id=1),
    },
    hours=Layer(week=WEEK, yearly_off=frozenset({(12, 30)})),
    refused={},
)


@pytest.fixture
async def app(database: Database, web_settings: Settings, portal: Portal) -> FastAPI:
    async with database.writing() as session:
        await portals.learned(session, portal.id, time_zone="+0300")
        await team.keep(session, portal.id, TEAM, read_at=NOW)
    return create_app(web_settings, database, clock=lambda: NOW)


@pytest.fixture
async def api(client: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    client.headers["authorization"] = "Bearer admin-token-of-the-tests"
    client.base_url = httpx.URL("https://ogon.example/api/v1/")
    return client


async def got(api: httpx.AsyncClient, path: str, **params: Any) -> Any:
    answer = await api.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("start", "deadline"),
    [
        pytest.param("2026-08-22T10:00:00+03:00", "2026-08-24T09:15:00+03:00", id="Saturday morning"),
        pytest.param("2026-08-22T20:00:00+03:00", "2026-08-24T09:15:00+03:00", id="Saturday evening"),
        pytest.param("2026-08-23T12:00:00+03:00", "2026-08-24T09:15:00+03:00", id="Sunday noon"),
        pytest.param("2026-08-21T17:55:00+03:00", "2026-08-24T09:10:00+03:00", id="Friday before the end"),
    ],
)
async def test_the_reference_vectors(api: httpx.AsyncClient, start: str, deadline: str) -> None:
    told = await got(api, "calendars/reckon", user=7, start=start, minutes=15)
    assert (told["deadline"], told["zone"]) == (deadline, "UTC+03:00")


async def test_who_is_who(api: httpx.AsyncClient) -> None:
    told = await got(api, "people")
    assert [(one["id"], one["head"], one["away"]) for one in told["items"]] == [
        (5, None, False),
        (7, 5, False),
        (8, 5, False),
    ]
    assert {one["source"]: one["refused"] for one in told["readings"]} == {
        "people": None,
        "departments": None,
        "calendar": None,
    }
    dismissed = (await got(api, "people", dismissed=True))["items"][-1]
    assert (dismissed["id"], dismissed["active"], dismissed["away"]) == (9, False, True)
    departments = (await got(api, "departments"))["items"]
    assert [(one["id"], one["parent"], one["head"]) for one in departments] == [(1, None, 5), (2, 1, None)]


async def test_layers_are_set_taken_away_and_noted(api: httpx.AsyncClient) -> None:
    document = {"week": {"mon": ["10:00 - 14:00", "15:00–19:00"], "fri": []}, "days": {"2026-08-25": ["12:00-24:00"]}}
    answer = await api.put("calendars/person/7", json=document)
    assert answer.status_code == 200, answer.text
    kept = {"week": {"mon": ["10:00-14:00", "15:00-19:00"], "fri": []}, "days": {"2026-08-25": ["12:00-24:00"]}}
    assert (answer.json()["document"], answer.json()["changed_by"]) == (kept, "ADMIN_TOKEN")
    assert (await api.put("calendars/desk/3", json={"zone": "Asia/Omsk"})).status_code == 200
    assert (await api.put("calendars/portal/0", json={"country": None})).status_code == 200

    told = await got(api, "calendars/effective", user=7, since="2026-08-21", until="2026-08-25", desk=3)
    assert told["zone"] == "Asia/Omsk"
    assert [(one["hours"], one["why"], one["worked_minutes"]) for one in told["days"]] == [
        ([], "week", 0),
        ([], "week", 0),
        ([], "week", 0),
        (["10:00-14:00", "15:00-19:00"], "week", 480),
        (["12:00-24:00"], "set", 720),
    ]
    listed = (await got(api, "calendars"))["items"]
    assert [(one["scope"], one["subject"], one["source"]) for one in listed] == [
        ("portal", 0, "portal"),
        ("portal", 0, "set"),
        ("desk", 3, "set"),
        ("person", 7, "set"),
    ]
    assert (await api.delete("calendars/person/7")).json()["document"] == kept
    assert (await api.delete("calendars/person/7")).status_code == 404
    told = await got(api, "calendars/effective", user=7, since="2026-08-24", until="2026-08-24")
    assert told["days"][0]["hours"] == ["09:00-18:00"]
    noted = (await got(api, "audit", what="calendar"))["items"]
    assert [(one["what"], one["subject"]) for one in noted] == [
        ("calendar.removed", "person 7"),
        ("calendar.set", "portal"),
        ("calendar.set", "desk 3"),
        ("calendar.set", "person 7"),
    ]


async def test_a_page_can_draw_why_a_day_is_free(api: httpx.AsyncClient) -> None:
    told = await got(api, "calendars/effective", user=7, since="2026-12-26", until="2027-01-01")
    assert [(one["day"][5:], one["hours"], one["why"], one["name"]) for one in told["days"]] == [
        ("12-26", [], "week", None),
        ("12-27", [], "week", None),
        ("12-28", ["09:00-18:00"], "week", None),
        ("12-29", ["09:00-18:00"], "week", None),
        ("12-30", [], "holiday", None),
        ("12-31", [], "holiday", "Выходной (перенесено с 04.01.2026)"),
        ("01-01", [], "holiday", "Новогодние каникулы"),
    ]
    assert told["day_minutes"] == 540


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        pytest.param(
            {
                "zone": "Moon/Base",
                "country": "Narnia",
                "week": {"mon": ["9-18"], "funday": [], "tue": "09:00-18:00", "wed": ["12:00-13:00", "10:00-11:00"]},
                "days": {"31.12.2026": [], "2026-02-30": [], "2026-12-31": ["18:00-09:00", "09:00-24:01", None]},
                "breaks": [],
            },
            ["breaks", "zone", "week.mon.0", "week.funday", "week.tue", "week.wed.1", "country", "days.31.12.2026",
             "days.2026-02-30", "days.2026-12-31.0", "days.2026-12-31.1", "days.2026-12-31.2"],
            id="everything at once",
        ),
        pytest.param({"zone": "../../etc/passwd"}, ["zone"], id="a zone that is a path"),
        pytest.param({"zone": "Europe"}, ["zone"], id="a folder of zones"),
        pytest.param({"zone": "a\x00b", "country": 7}, ["zone", "country"], id="odd letters"),
        pytest.param({"week": [], "days": 3}, ["week", "days"], id="other shapes"),
        pytest.param({"\ud800": 1}, ["?"], id="half a letter"),
    ],
)  # fmt: skip
async def test_a_wrong_document_is_refused_with_every_path(
    api: httpx.AsyncClient, document: dict[str, Any], paths: list[str]
) -> None:
    answer = await api.put("calendars/portal/0", content=json.dumps(document), headers=JSON)
    assert answer.status_code == 422
    problem = answer.json()["error"]
    assert sorted(one["path"] for one in problem["wrong"]) == sorted(paths)
    assert problem["code"] == "calendar_invalid"
    assert all(one["source"] != "set" for one in (await got(api, "calendars"))["items"]), "nothing was kept"


async def test_absences_stop_the_clock_until_they_are_withdrawn(api: httpx.AsyncClient) -> None:
    monday = {"user": 7, "from": "2026-08-24", "until": "2026-08-24", "note": "врач"}
    answer = await api.post("absences", json=monday)
    assert answer.status_code == 201, answer.text
    added = answer.json()
    assert (added["from"], added["until"]) == ("2026-08-23T21:00:00Z", "2026-08-24T21:00:00Z")
    reckoned = {"user": 7, "start": "2026-08-21T17:55:00+03:00", "minutes": 15}
    assert (await got(api, "calendars/reckon", **reckoned))["deadline"] == "2026-08-25T09:10:00+03:00"
    day = (await got(api, "calendars/effective", user=7, since="2026-08-24", until="2026-08-24"))["days"][0]
    assert (day["hours"], day["worked_minutes"], len(day["away"])) == (["09:00-18:00"], 0, 1)

    now = {"user": 8, "from": "2026-08-21T08:00:00+00:00", "until": "2026-08-21"}
    late = (await api.post("absences", json=now)).json()
    assert late["until"] == "2026-08-21T14:00:00Z", "his day ends when it does in Vladivostok"
    assert [one["away"] for one in (await got(api, "people"))["items"]] == [False, False, True]
    assert [one["user"] for one in (await got(api, "absences"))["items"]] == [8, 7]
    assert [one["user"] for one in (await got(api, "absences", user=7))["items"]] == [7]

    assert (await api.post(f"absences/{added['id']}/withdraw")).json()["withdrawn_by"] == "ADMIN_TOKEN"
    assert (await api.post(f"absences/{added['id']}/withdraw")).status_code == 404
    assert (await got(api, "calendars/reckon", **reckoned))["deadline"] == "2026-08-24T09:10:00+03:00"
    assert [one["user"] for one in (await got(api, "absences"))["items"]] == [8]
    assert len((await got(api, "absences", withdrawn=True))["items"]) == 2
    noted = (await got(api, "audit", what="absence"))["items"]
    assert [one["what"] for one in noted] == ["absence.withdrawn", "absence.added", "absence.added"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "wrong"),
    [
        pytest.param("PUT", "calendars/portal/7", {}, 422, "subject", id="the portal has no number"),
        pytest.param("PUT", "calendars/person/0", {}, 422, "subject", id="nobody"),
        pytest.param("PUT", "calendars/person/77", {}, 404, "user", id="a stranger's hours"),
        pytest.param("POST", "absences", {"user": 77, "from": "2026-08-24", "until": "2026-08-24"}, 404, "user",
                     id="a stranger's absence"),
        pytest.param("POST", "absences", {"user": 7, "from": "2026-08-24", "until": "2026-08-23"}, 422, "body.until",
                     id="ends before it begins"),
        pytest.param("POST", "absences", {"user": 7, "from": "0001-01-01", "until": "2026-08-23"}, 422, "body.from",
                     id="long ago"),
        pytest.param("GET", "calendars/effective?since=2026-01-01&until=2028-01-01", None, 422, "until", id="too long"),
        pytest.param("GET", "calendars/reckon?minutes=1&start=9999-12-31T00:00:00Z", None, 422, "start", id="far off"),
        pytest.param("GET", "absences?since=0001-01-01T00:00:00%2B14:00", None, 422, "since", id="before time"),
    ],
)  # fmt: skip
async def test_what_cannot_be(
    api: httpx.AsyncClient, method: str, path: str, body: Any, status: int, wrong: str
) -> None:
    answer = await api.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"].get("path")) == (status, wrong), answer.text
