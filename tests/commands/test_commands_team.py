"""`ogon team` at the terminal: who works when, hours from a document, absences."""

import re
from datetime import UTC, datetime
from functools import partial

import anyio
import psycopg
import pytest

from app.domain.calendars import NINE_TO_SIX, Layer
from app.domain.team import Department, Person, Team
from app.settings import load_settings
from app.store import portals, team
from app.store.database import open_database

NOW = datetime(2026, 8, 21, 9, tzinfo=UTC)
WEEK = dict.fromkeys(range(5), NINE_TO_SIX) | dict.fromkeys((5, 6), ())
TEAM = Team(
    people={
        7: Person(user_id=7, name="Анна Зайцева", department_ids=(2,)),
        8: Person(user_id=8, name="Пётр Лунин", time_zone="Asia/Vladivostok"),
        9: Person(user_id=9, name="Олег Быков", active=False),
    },
    departments={2: Department(department_id=2, name="Продажи")},
    hours=Layer(week=WEEK),
)


@pytest.fixture
def ogon(terminal):
    return partial(terminal, "team")


async def _keep(refused: dict[str, str]) -> None:
    async with open_database(load_settings()) as database, database.writing() as session:
        (portal,) = await portals.list_portals(session)
        await portals.learned(session, portal.id, time_zone="+0300")
        read = TEAM if not refused else Team(refused=refused)
        await team.keep(session, portal.id, read, read_at=NOW)


def rows(said: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.splitlines() if line.startswith("│")]
    return {row[0]: row[1:] for row in cells}


def test_people_with_their_hours_and_absences(ogon, tmp_path, database_conninfo) -> None:
    code, said = ogon()
    assert (code, "ещё не прочитан" in said) == (0, True)
    anyio.run(_keep, {})

    document = tmp_path / "anna.yaml"
    document.write_text(
        "week: {mon: [10:00-14:00, 15:00-19:00], tue: []}\ndays:\n  2026-12-31: [09:00-15:00]\n", encoding="utf-8"
    )
    assert ogon("calendar", "set", "--person", "7", "--file", str(document))[0] == 0
    code, said = ogon("absence", "add", "7", "--from", "2999-08-03", "--until", "2999-08-14", "--note", "отпуск")
    assert code == 0
    number = re.search(r"\d+", said)[0]

    code, said = ogon()
    assert code == 0
    assert rows(said)["7"] == [
        "Анна Зайцева",
        "Продажи",
        "пн 10:00-14:00 15:00-19:00, ср-пт 09:00-18:00",
        "UTC+03:00",
        f"{number}: 2999-08-03 00:00 … 2999-08-15 00:00 (отпуск)",
    ]
    assert rows(said)["8"] == ["Пётр Лунин", "", "пн-пт 09:00-18:00", "Asia/Vladivostok", ""]
    assert "Быков" not in said

    code, said = ogon("calendar", "show", "--person", "7")
    shown = {day.split()[0]: told for day, told in rows(said).items()}
    assert (code, shown["вт"][0]) == (0, "—")
    assert shown["пн"][0] in {"10:00-14:00 15:00-19:00", "—"}, "unless that Monday is a holiday"

    assert ogon("absence", "withdraw", number)[0] == 0
    assert ogon("absence", "withdraw", number)[0] == 1
    assert ogon("calendar", "remove", "--person", "7")[0] == 0
    assert ogon("calendar", "remove", "--person", "7")[0] == 1
    assert rows(ogon()[1])["7"][2:] == ["пн-пт 09:00-18:00", "UTC+03:00", ""]
    with psycopg.connect(database_conninfo) as connection:
        noted = connection.execute(
            "SELECT who, what, subject FROM audit_log WHERE subject = 'person 7' ORDER BY id"
        ).fetchall()
    assert noted == [
        ("console:anna", what, "person 7")
        for what in ("calendar.set", "absence.added", "absence.withdrawn", "calendar.removed")
    ]


def test_what_is_wrong_is_said_and_nothing_is_kept(ogon, tmp_path) -> None:
    assert ogon()[0] == 0
    anyio.run(_keep, {})
    document = tmp_path / "wrong.json"
    document.write_text('{"week": {"mon": ["18-9"]}, "zone": "Nowhere"}', encoding="utf-8")
    code, said = ogon("calendar", "set", "--file", str(document))
    assert (code, "week.mon.0:" in said, "zone:" in said) == (1, True, True)
    assert ogon("calendar", "remove")[0] == 1, "nothing was set"
    assert ogon("calendar", "set", "--person", "7", "--desk", "1", "--file", str(document))[0] == 1
    assert ogon("calendar", "set")[0] == 1
    assert ogon("absence", "add", "77", "--from", "2026-08-03", "--until", "2026-08-03")[0] == 1
    assert ogon("absence", "add", "7", "--from", "2026-08-04", "--until", "2026-08-03")[0] == 1
    anyio.run(_keep, {"people": "no scope user"})
    assert "no scope user" in ogon()[1]
