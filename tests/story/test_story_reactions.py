"""The clock of a request over HTTP: a warning, the head at the breach, passing on, and silence for who answers."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.calendars import NO_COUNTRY, Layer
from app.domain.ruleset import Targets
from app.domain.snapshot import Entity
from app.domain.working_time import Hours
from app.store import pools, reactions, team
from app.store.cards import CardKey
from app.store.pool_document import MemberDocument, PoolDocument, TakesDocument
from app.store.pools import WantedPool
from tests.story.house import DEAL, LEAD, Story
from tests.story.people import FITS, TARGET, person

pytestmark = pytest.mark.anyio

MARIA, ALEXEI, OLGA, HEAD = 12, 13, 14, 10
ROUND_THE_CLOCK = Layer(week=dict.fromkeys(range(7), (Hours(0, 1440),)), country=NO_COUNTRY)


async def on_duty(story: Story) -> None:
    """Everybody works day and night, and clocks are watched."""
    async with story.database.writing() as session:
        await team.set_calendar(session, story.portal_id, "portal", 0, ROUND_THE_CLOCK, who="a test", now=story.now())

    async def watched() -> bool:
        async with story.database.reading() as session:
            query = text("SELECT count(*) FROM portals WHERE clocks_since IS NOT NULL")
            return bool((await session.execute(query)).scalar())

    await story.until(watched)


def said(story: Story) -> list[tuple[int, str]]:
    """Who sees which notification now."""
    return [(one["userId"], one["message"]) for one in story.portal.world.notifications]


async def told(story: Story, count: int) -> list[tuple[int, str]]:
    async def there() -> bool:
        return story.portal.world.notified >= count

    await story.until(there)
    await story.settled()
    assert story.portal.world.notified == count
    return said(story)


async def clock_at(story: Story, kind: int, card_id: int) -> Any:
    async with story.database.reading() as session:
        query = text("""
            SELECT due_at FROM timers WHERE reason = 'clock' AND fired_at IS NULL
              AND entity_type_id = :kind AND card_id = :card
        """)
        return (await session.execute(query, {"kind": kind, "card": card_id})).scalar()


async def test_the_owner_is_warned_the_head_is_told_and_a_call_ends_it(story: Story) -> None:
    await on_duty(story)
    lead = story.add(LEAD, **person(1), **TARGET, **FITS)
    await story.settled()
    deal = story.deal_of(lead)["id"]
    arrived = story.now() - timedelta(seconds=30)

    due = await clock_at(story, DEAL, deal)
    assert timedelta(minutes=10) < due - arrived < timedelta(minutes=11.1), "70 % of fifteen minutes"
    assert await clock_at(story, LEAD, lead) is None, "a request has one clock"
    assert said(story) == []

    story.skip(11)
    ((user, warning),) = await told(story, 1)
    assert (user, "ждёт первой реакции" in warning) == (MARIA, True)
    assert f"/crm/deal/details/{deal}/]Сделка «" in warning

    await story.restart_worker()
    story.skip(5)
    warned, (head, breach) = await told(story, 2)
    assert (warned, head) == ((MARIA, warning), HEAD)
    assert "Время на первую реакцию вышло" in breach
    assert "Мария Лебедева" in breach or "12" in breach

    story.portal.ui_call(DEAL, deal, seconds=40)
    await story.settled()

    async def answered() -> bool:
        async with story.database.reading() as session:
            return (await reactions.of_card(session, CardKey(story.portal_id, DEAL, deal))).rounds[0].kind is not None

    await story.until(answered)
    async with story.database.reading() as session:
        kept = await reactions.of_card(session, CardKey(story.portal_id, DEAL, deal))
    (one,) = kept.rounds
    assert (one.state, one.met, one.kind, one.responded_by) == ("missed", "no", "call_out", MARIA)
    assert one.warned_at is not None
    assert one.breached_at is not None
    assert one.system_seconds == 0
    assert 15 * 60 < (one.person_seconds or 0) <= 17 * 60
    assert [(change.target, change.minutes) for change in kept.targets] == [("hot", 15)]
    story.skip(600)
    await story.settled()
    assert story.portal.world.notified == 2


async def test_who_answers_in_time_is_not_disturbed_and_nothing_is_read_before(story: Story) -> None:
    await on_duty(story)
    called, written = (story.add(DEAL, title=f"Сделка {number}") for number in (1, 2))
    await story.publish(targets=Targets(other=20))
    await story.settled()
    for deal in (called, written):
        await story.replay("deal", deal)
    await story.settled()
    assert "voximplant.statistic.get" not in story.portal.stats.commands
    story.portal.unsubscribe()

    # No hint comes; what people did is found when the clock looks.
    story.portal.ui_call(DEAL, called, seconds=30)
    letter = {"TYPE_ID": "4", "DIRECTION": "2", "SUBJECT": "Предложение", "COMPLETED": "Y"}
    story.portal.ui_add_activity(DEAL, written, letter)
    story.skip(15)

    async def seen() -> bool:
        async with story.database.reading() as session:
            kept = [await reactions.of_card(session, CardKey(story.portal_id, DEAL, one)) for one in (called, written)]
        return [one.rounds[0].state for one in kept] == ["met", "met"]

    await story.until(seen)
    assert said(story) == []


async def test_a_card_passes_on_until_nobody_is_left(story: Story) -> None:
    await on_duty(story)
    await story.publish(targets=Targets(warm=20, warn=False, pass_on=True))
    document = PoolDocument(
        members=[MemberDocument(user=user) for user in (MARIA, ALEXEI, OLGA)], takes=TakesDocument(), head=20
    )
    async with story.database.writing() as session:
        wanted = WantedPool(name="Смена", document=document)
        await pools.add(session, story.portal_id, Entity.LEAD, wanted, by="a test", at=story.now())
        await team.add_absence(
            session,
            story.portal_id,
            OLGA,
            starts_at=story.now() - timedelta(hours=1),
            ends_at=story.now() + timedelta(days=9),
            note=None,
            who="a test",
            now=story.now(),
        )
    await story.restart_worker()
    lead = story.add(LEAD, user_id=5, **person(1))
    await story.settled()
    first = story.lead(lead)["assignedById"]
    other = {MARIA: ALEXEI, ALEXEI: MARIA}[first]

    story.skip(21)
    told_head, told_next = await told(story, 2)
    assert (told_head[0], told_next[0]) == (20, other)
    assert "передаётся следующему" in told_head[1]
    assert "теперь у вас" in told_next[1]
    assert story.lead(lead)["assignedById"] == other, "never to the same one, never to an absent one"

    story.skip(21)
    heads = await told(story, 3)
    assert [user for user, _ in heads] == [other, 20], "the head's line was replaced"
    assert "больше некому" in heads[-1][1]
    assert story.lead(lead)["assignedById"] == other
    async with story.database.reading() as session:
        kept = await reactions.of_card(session, CardKey(story.portal_id, LEAD, lead))
    assert [one.user_id for one in kept.holders if one.user_id is not None][-2:] == [first, other]


async def test_a_missing_scope_is_written_down_and_parks_nothing(story: Story) -> None:
    await on_duty(story)
    await story.publish(targets=Targets(other=20))
    story.portal.world.scopes.discard("im")
    deal = story.add(DEAL, title="Без уведомлений")
    await story.settled()
    story.skip(15)

    async def refused() -> bool:
        return any(
            one["kind"] == "notify" for run in (await story.told("deal", deal))["runs"] for one in run["actions"]
        )

    await story.until(refused)
    await story.settled()
    runs = (await story.told("deal", deal))["runs"]
    (notice,) = [one for run in runs for one in run["actions"] if one["kind"] == "notify"]
    assert (notice["state"], "scope" in notice["error"]) == ("failed", True)
    assert (await story.told("deal", deal))["card"]["state"] == "open"
