"""Digests over HTTP: to heads in the morning, once, late after an outage, and with what the pages say."""

import asyncio
import dataclasses
import html
import re
from datetime import UTC, datetime, time, timedelta

import pytest
from sqlalchemy import text

from app.domain.calendars import NO_COUNTRY, Layer
from app.domain.working_time import Hours
from app.store import digests, team
from app.worker import run_worker
from tests.story.house import LEAD, QUICK, TOKEN, Story
from tests.story.people import FITS, TARGET, person

pytestmark = pytest.mark.anyio

HEAD, DIRECTOR = 10, 5
EVERY_DAY = Layer(week=dict.fromkeys(range(7), (Hours(9 * 60, 18 * 60),)), country=NO_COUNTRY)
MORNING = dataclasses.replace(QUICK, digests=0.1)
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAGES = "https://ogon.example"


def to_hour(story: Story, hour: int, *, days: int = 0) -> None:
    """Go on to that hour in Moscow, days from today; never back."""
    here = story.now() + timedelta(hours=3)
    wanted = datetime.combine(here.date() + timedelta(days=days), time(hour), tzinfo=UTC)
    while wanted <= here:
        wanted += timedelta(days=1)
    story.skip((wanted - here) / timedelta(minutes=1))


def told(story: Story, kind: str) -> dict[int, str]:
    """What each person sees of that kind now."""
    tagged = [one for one in story.portal.world.notifications if one["tag"] and one["tag"].endswith(f":{kind}")]
    assert len({one["userId"] for one in tagged}) == len(tagged), "a later one takes the place of the earlier"
    return {one["userId"]: one["message"] for one in tagged}


async def sent(story: Story, count: int) -> None:
    """Until so many digests have ended; then for a few more ticks, in which nothing may follow."""

    async def there() -> bool:
        async with story.database.reading() as session:
            query = text("SELECT count(*) FROM digests WHERE state <> 'started'")
            return (await session.execute(query)).scalar_one() >= count

    await story.until(there)
    await asyncio.sleep(0.5)
    async with story.database.reading() as session:
        rows = (await session.execute(text("SELECT count(*) FROM digests"))).scalar_one()
    assert rows == count


async def at_work(story: Story) -> int:
    """People work every day of the week from nine to six; one hot lead has come."""
    await story.stop_worker()
    to_hour(story, 7, days=1)
    async with story.database.writing() as session:
        await team.set_calendar(session, story.portal_id, "portal", 0, EVERY_DAY, who="a test", now=story.now())
    story.start_worker()
    lead = story.add(LEAD, **person(1), **TARGET, **FITS)
    await story.settled()
    return lead


async def page(story: Story, link: str) -> str:
    if "ogon_session" not in " ".join(story.http.cookies):
        await story.http.post("/login", data={"token": TOKEN})
    answer = await story.http.get(link.removeprefix(PAGES))
    assert answer.status_code == 200, link
    return html.unescape(answer.text)


async def figures(story: Story, link: str, table: str) -> dict:
    """The last line of a report's table, asked at the API as the link asks the page."""
    answer = await story.http.get(link.removeprefix(PAGES).replace("/reports/", "/api/v1/reports/"), headers=BEARER)
    assert answer.status_code == 200, answer.text
    (found,) = [one for one in answer.json()["tables"] if one["name"] == table]
    return found["totals"]["cells"]


async def test_heads_are_told_once_a_day_and_the_pages_say_the_same(story: Story) -> None:
    await at_work(story)
    await story.restart_worker(MORNING, digest_at=time(9), public_url=PAGES)
    await asyncio.sleep(0.5)
    assert told(story, "daily") == {}, "it is seven o'clock"

    # Nobody works here at nine: the worker comes back at half past ten of the next day.
    await story.stop_worker()
    to_hour(story, 10, days=1)
    story.start_worker(MORNING)
    other = asyncio.create_task(_second_worker(story))
    async with story.database.reading() as session:
        heads = [one.person.user_id for one in await digests.readers(session, story.portal_id) if one.heads]
    assert HEAD in heads
    weekly = len(heads) if (story.now() + timedelta(hours=3)).weekday() == 0 else 0
    await sent(story, len(heads) + weekly)
    await story.stop_worker()
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)
    daily = told(story, "daily")
    assert sorted(daily) == sorted(heads)
    async with story.database.reading() as session:
        kept = (await digests.newest(session, story.portal_id)).values()
    assert {(one.state, one.attempts) for one in kept} == {("done", 1)}, "two workers, one digest"
    assert kept
    assert all(one.said == daily[one.user_id] for one in kept if one.kind == "daily")

    said = daily[HEAD]
    assert said.startswith("[B]Сводка за ")
    links = {name: link for link, name in re.findall(r"\[URL=([^\]]+)\]([^\[]+)\[/URL\]", said)}
    for link in links.values():
        await page(story, link)
    leads = await figures(story, links["Новые лиды"], "sources")
    assert f"Новые лиды[/URL]: {leads['leads']}\n" in said
    assert leads["leads"] == 1
    reaction = await figures(story, links["Первая реакция"], "targets")
    assert reaction["cards"] == 1
    # What waits is told as of now.
    waiting = await page(story, links["Ждут сейчас"])
    count = re.search(r'id="clocks">[^<]*<span class="count">(\d+)', waiting)
    assert count is not None
    assert f"Ждут сейчас[/URL]: {count[1]}, из них просрочено 1, горячих 1\n" in said

    # Nothing more on this day, whatever restarts.
    to_hour(story, 17)
    story.start_worker(MORNING)
    await sent(story, len(heads) + weekly)
    await story.stop_worker()


async def _second_worker(story: Story) -> None:
    await run_worker(story.settings, story.database, rhythm=MORNING, clock=story.now)


async def test_nothing_in_shadow_and_a_missing_scope_is_written_down(story: Story) -> None:
    await at_work(story)
    await story.restart_worker(MORNING, digest_at=time(9), mode="shadow")
    to_hour(story, 10)
    await asyncio.sleep(1)
    async with story.database.reading() as session:
        assert await digests.newest(session, story.portal_id) == {}
    before = story.portal.world.notified

    story.portal.world.scopes.discard("im")
    await story.restart_worker(MORNING, mode="live")
    async with story.database.reading() as session:
        heads = [one.person.user_id for one in await digests.readers(session, story.portal_id) if one.heads]
    weekly = len(heads) if (story.now() + timedelta(hours=3)).weekday() == 0 else 0
    await sent(story, len(heads) + weekly)
    assert story.portal.world.notified == before
    shown = await page(story, "/team")
    assert "не отправлена:" in shown
    answer = await story.http.get("/api/v1/digests", headers=BEARER)
    (head,) = [one for one in answer.json() if one["user"] == HEAD]
    assert (head["last_daily"]["state"], "scope" in head["last_daily"]["error"]) == ("failed", True)
