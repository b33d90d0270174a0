"""Who waits for a first response, over the API: worst first, filtered, a request told once; and one card's clocks."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.domain.activity_kind import Activity, ActivityKind, WhyUnknown
from app.domain.calendars import Calendars
from app.domain.first_response import CardHistory, Contact, ContactKind, Owned, Source
from app.domain.reaction import Allowance, Rounds, Target, TargetChange, reaction, split
from app.store import activities, cards, owner_changes, reactions
from app.store.cards import CardKey
from app.store.database import Database
from app.store.owner_changes import SeenOwner
from app.store.portals import Portal
from app.store.reactions import Round

pytestmark = pytest.mark.anyio

ADMIN = {"authorization": "Bearer admin-token-of-the-tests"}
MONDAY = datetime(2026, 8, 17, 7, 0, tzinfo=UTC)
WARM = Allowance(Target.WARM, 60)


def one_round(portal_id: int, card_id: int, came: int, *, user: int = 12, answered: int | None = None, **more) -> Round:
    at = MONDAY + timedelta(minutes=came)
    contacts = ()
    if answered is not None:
        called = at + timedelta(minutes=answered)
        contacts = (Contact(ContactKind.CALL_OUT, called, called, user, True, "activity-1"),)
    known = Rounds(history=CardHistory(created=[at], owners=[Owned(at, user)], contacts=contacts))
    found = reaction(split(known)[0], WARM, Calendars(), now=MONDAY + timedelta(minutes=70))
    return Round(card=CardKey(portal_id, 2, card_id), reaction=found, **more)


async def test_who_waits_longest_comes_first(client: httpx.AsyncClient, database: Database, portal: Portal) -> None:
    rounds = [
        one_round(portal.id, 1, 30, user=13),
        one_round(portal.id, 2, 0),
        one_round(portal.id, 3, 10, answered=5),
        one_round(portal.id, 4, 5, deal_id=2),
    ]
    async with database.writing() as session:
        await reactions.keep(session, portal.id, [one.card for one in rounds], rounds, now=MONDAY)

    async def asked(**query: str) -> list[tuple[int, str]]:
        answer = await client.get("/api/v1/reactions", params=query, headers=ADMIN)
        assert answer.status_code == 200, answer.text
        return [(one["id"], one["state"]) for one in answer.json()["items"]]

    assert await asked() == [(2, "missed"), (1, "waiting")]
    assert await asked(running="false") == [(3, "met")]
    assert await asked(state="waiting") == [(1, "waiting")]
    assert await asked(holder="13") == [(1, "waiting")]
    assert await asked(due_before=(MONDAY + timedelta(minutes=61)).isoformat()) == [(2, "missed")]
    assert (await client.get("/api/v1/reactions", params={"state": "odd"}, headers=ADMIN)).status_code == 422
    assert (await client.get("/api/v1/reactions")).status_code == 401


async def test_one_card_tells_its_clocks(client: httpx.AsyncClient, database: Database, portal: Portal) -> None:
    one = one_round(portal.id, 3, 10, answered=5)
    arrived = one.reaction.response.arrived_at
    async with database.writing() as session:
        await reactions.keep(session, portal.id, [one.card], [one], now=MONDAY)
        await reactions.change_target(session, one.card, arrived, TargetChange(arrived, WARM), before=None)
    told = (await client.get("/api/v1/cards/deal/3/reactions", headers=ADMIN)).json()
    (kept,) = told["rounds"]
    assert (kept["kind"], kept["source"], kept["person_seconds"], kept["met"]) == ("call_out", "activity-1", 300, "yes")
    assert [(line["user"], line["working_seconds"]) for line in told["holders"]] == [(12, 300)]
    assert [(line["target"], line["from_target"]) for line in told["targets"]] == [("warm", None)]

    again = one_round(portal.id, 3, 12, answered=5)
    async with database.writing() as session:
        await reactions.keep(session, portal.id, [again.card], [again], now=MONDAY)
        assert await reactions.keep(session, portal.id, [again.card], [again], now=MONDAY) == set()
    told = (await client.get("/api/v1/cards/deal/3/reactions", headers=ADMIN)).json()
    assert len(told["rounds"]) == len(told["holders"]) == 1, "a round that turned out to be none is gone"


def call(number: int, minutes: int, *, happened: bool | None) -> Activity:
    at = MONDAY + timedelta(minutes=minutes)
    return Activity(
        activity_id=number,
        kind=ActivityKind.CALL_OUT,
        provider="VOXIMPLANT_CALL",
        direction="out",
        completed=True,
        owner_type_id=2,
        owner_id=3,
        responsible_id=12,
        author_id=12,
        created_at=at,
        start_at=at,
        end_at=at,
        updated_at=at,
        happened=happened,
        why_unknown=WhyUnknown.NO_STATISTICS if happened is None else None,
    )


async def _deal_with_clocks(database: Database, portal_id: int) -> None:
    """Nobody's for ten minutes, then 12's: rung in vain, rung with nobody knowing how long, then talked."""
    card, came = CardKey(portal_id, 2, 3), MONDAY
    calls = [call(1, 15, happened=False), call(2, 20, happened=None), call(3, 55, happened=True)]
    contacts = [
        Contact(ContactKind.CALL_OUT, one.start_at, one.start_at, 12, one.happened, f"activity-{one.activity_id}")
        for one in calls
        if one.start_at is not None
    ]
    history = CardHistory(
        created=[came],
        owners=[Owned(came, None), Owned(came + timedelta(minutes=10), 12)],
        contacts=contacts,
        missing=frozenset({Source.CALLS}),
    )
    (known,) = split(Rounds(history=history))
    found = reaction(known, WARM, Calendars(), now=MONDAY + timedelta(hours=3))
    hot = Allowance(Target.HOT, 15)
    async with database.writing() as session:
        await cards.save(session, card, title="Boiler", state="open")
        await owner_changes.note(session, portal_id, 2, [SeenOwner(3, 12, MONDAY + timedelta(minutes=10), MONDAY)])
        await activities.keep(session, portal_id, calls)
        await reactions.keep(session, portal_id, [card], [Round(card=card, reaction=found)], now=MONDAY)
        await reactions.change_target(session, card, came, TargetChange(came, hot), before=None)
        later = came + timedelta(minutes=5)
        await reactions.change_target(session, card, came, TargetChange(later, WARM), before=hot)


async def test_the_story_of_a_card_tells_its_clocks(
    client: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    await _deal_with_clocks(database, portal.id)
    answer = await client.get("/api/v1/cards/deal/3?lang=ru", headers=ADMIN)
    assert answer.status_code == 200, answer.text
    told = answer.json()["clocks"]
    (one,) = told["rounds"]
    assert (one["state"], one["text"]) == ("met", "ответили вовремя")
    assert (one["system_took"], one["person_took"]) == ("10 мин", "45 мин")
    assert [target["text"] for target in one["targets"]] == [
        "горячая, 15 мин рабочего времени",
        "тёплая, 1 ч 0 мин рабочего времени",
    ]
    assert [(holder["user"], holder["took"]) for holder in one["holders"]] == [(None, "10 мин"), (12, "45 мин")]
    assert (one["response"]["user"], one["response"]["source"]) == (12, "activity-3")
    assert one["response"]["text"] == "исходящий звонок"
    assert [(passed["source"], passed["doubtful"]) for passed in one["not_counted"]] == [
        ("activity-1", False),
        ("activity-2", True),
    ]
    assert "никто не взял трубку" in one["not_counted"][0]["why"]
    assert "статистика звонка не прочитана" in one["not_counted"][1]["why"]
    assert one["unread"] == ["Статистика звонков прочитана не вся: ответ может быть среди звонков."]
    assert [(owner["user"], owner["name"]) for owner in told["owners"]] == [(12, "пользователь 12")]
    (english,) = (await client.get("/api/v1/cards/deal/3?lang=en", headers=ADMIN)).json()["clocks"]["rounds"]
    assert english["targets"][0]["text"] == "hot, 15 min of working time"


async def test_the_page_of_a_card_tells_its_clocks(
    client: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    await _deal_with_clocks(database, portal.id)
    await client.post("/login", data={"token": "admin-token-of-the-tests"})
    page = (await client.get("/cards/deal/3?lang=ru")).text
    for said in (
        "ответили вовремя",
        "тёплая, 1 ч 0 мин",
        "до назначения человека",
        "никто не взял трубку",
        "под вопросом:",
    ):
        assert said in page
    assert "Статистика звонков прочитана не вся" in page
    assert "What did not count as a response" in (await client.get("/cards/deal/3?lang=en")).text
