"""`ogon team digest` at the terminal: who gets digests, switching them, and what one would say."""

from datetime import UTC, datetime

import anyio
import pytest

from app.domain.team import Department, Person, Team
from app.settings import load_settings
from app.store import cards, people, portals
from app.store.cards import CardKey
from app.store.database import open_database

TEAM = Team(
    people={
        7: Person(user_id=7, name="Анна Зайцева", department_ids=(1,)),
        8: Person(user_id=8, name="Пётр Лунин", department_ids=(1,)),
    },
    departments={1: Department(department_id=1, name="Продажи", head_id=7)},
)


@pytest.fixture
def office(ogon, monkeypatch):
    monkeypatch.setenv("PUBLIC_URL", "https://ogon.example/")
    assert ogon("team")[0] == 0

    async def furnish() -> None:
        async with open_database(load_settings()) as database, database.writing() as session:
            (portal,) = await portals.list_portals(session)
            await people.keep(session, portal.id, TEAM, read_at=datetime(2026, 11, 18, tzinfo=UTC))
            await cards.save(session, CardKey(portal.id, 1, 70), title="Лид", assigned_by_id=8)

    anyio.run(furnish)
    return ogon


def rows(said: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.splitlines() if line.startswith("│")]
    return {row[0]: row[1:] for row in cells}


def test_switches_are_listed_set_and_forgotten(office) -> None:
    assert rows(office("team", "digest", "list")[1]) == {"7": ["Анна Зайцева", "Продажи", "вкл.", "вкл."]}
    assert office("team", "digest", "set", "7", "--no-daily")[0] == 0
    code, said = office("team", "digest", "set", "8", "--daily")
    assert (code, "Пётр Лунин получает: ежедневную." in said) == (0, True)
    assert rows(office("team", "digest", "list")[1]) == {
        "7": ["Анна Зайцева", "Продажи", "выкл.", "вкл."],
        "8": ["Пётр Лунин", "свои карточки", "вкл.", "выкл."],
    }
    assert "никаких сводок" in office("team", "digest", "set", "8", "--no-daily")[1]
    assert office("team", "digest", "set", "7", "--default")[0] == 0
    assert rows(office("team", "digest", "list")[1])["7"][2:] == ["вкл.", "вкл."]
    code, _ = office("team", "digest", "set", "99", "--daily")
    assert code == 1


def test_the_preview_says_what_would_be_sent(office, portal, monkeypatch) -> None:
    code, said = office("team", "digest", "preview", "7")
    assert code == 0
    assert said.startswith("[B]Сводка ")
    assert "[URL=https://ogon.example/reports/channels?portal=1&department=1&since=" in said
    code, said = office("team", "digest", "preview", "8", "--weekly")
    assert (code, said.startswith("[B]Неделя с ")) == (0, True)
    assert "[B]Ваши карточки[/B]" in said
    assert "manager=8" in said
    monkeypatch.delenv("PUBLIC_URL")
    assert "[URL" not in office("team", "digest", "preview", "8")[1]
    assert portal.portal.world.notified == 0


@pytest.mark.parametrize("given", ["off", "OFF"])
def test_where_nothing_is_sent_the_list_says_so(office, monkeypatch, given: str) -> None:
    monkeypatch.setenv("DIGEST_AT", given)
    assert "Ничего не отправляется" in office("team", "digest", "list")[1]


def test_a_token_can_be_one_persons(office) -> None:
    assert office("token", "create", "Анна", "--role", "head", "--person", "7")[0] == 0
