"""The longest outage: nobody hears a single webhook while 500 cards change; then the sweep makes up for all of it."""

import asyncio
import dataclasses

import pytest
from sqlalchemy import text

from tests.story.house import DEAL, LEAD, QUICK, TOKEN, Story
from tests.story.people import FITS, FITS_NOT, SMALL, TARGET, person

pytestmark = pytest.mark.anyio

_SWEEPING = dataclasses.replace(QUICK, sweep=0.2)
_KINDS = {
    "deal": {**TARGET, **FITS},
    "junk": {**SMALL, **FITS_NOT},
    "company": {**TARGET, **FITS_NOT},
    "review": {**SMALL, **FITS},
    "needs_data": {},
}


@pytest.mark.slow
async def test_all_of_500_cards_that_changed_while_nothing_was_heard_are_judged(story: Story) -> None:
    known = [story.add(LEAD, title=f"Заявка {number}") for number in range(50)]
    await story.settled()
    await _outage(story)
    heard = await _count(story, "webhook")
    leads = {**_changed(story, known), **_made(story, 100)}
    deals = [story.add(DEAL, title=f"Сделка {number}", UF_CRM_OGON_NEED="yes") for number in range(350)]

    await story.restart_worker(_SWEEPING, sweep_every=3600)
    await _swept(story)

    assert {one: story.verdict(one) for one in leads} == leads
    assert {story.grade(one) for one in deals} == {"CCC"}
    told = await _completeness(story)
    assert (told["changed"], told["judged"], told["only_by_sweep"]) == (500, 500, 450)
    assert (told["difference"], told["parked"], told["missing"]) == (0, 0, [])
    assert await _count(story, "webhook") == heard, "no webhook helped"


async def test_without_any_webhook_sweeps_alone_bring_every_card_to_rest(story: Story) -> None:
    await _outage(story)
    leads = _made(story, 10)
    await story.restart_worker(_SWEEPING, sweep_every=3600)
    rounds = 0
    asked = -1
    while asked != await _count(story, "sweep"):
        rounds += 1
        assert rounds < 8, "every round finds something"
        asked = await _count(story, "sweep")
        await _swept(story)
    assert {one: story.verdict(one) for one in leads} == leads
    # What the leads became was made while nobody heard of it, either; the sweep leaves that to our own timer.
    await story.time_passes()
    await story.settled()
    made = story.portal.items(DEAL)
    assert sorted(deal["leadId"] for deal in made) == sorted(one for one, kind in leads.items() if kind == "deal")
    assert {story.grade(deal["id"]) for deal in made} == {"none"}
    assert await _count(story, "webhook") == 0
    assert (await _completeness(story))["difference"] == 0


async def test_a_deal_we_made_is_graded_without_webhook_and_without_sweep(story: Story) -> None:
    story.portal.unsubscribe()
    lead_id = story.add(LEAD, **person(1), **TARGET, **FITS)
    await story.replay("lead", lead_id)
    await story.settled()
    deal_id = story.deal_of(lead_id)["id"]
    assert story.grade(deal_id) is None, "its webhook may still come"
    await story.time_passes()
    await story.settled()
    assert story.grade(deal_id) == "none"
    assert await _count(story, "timer", "MADE") == 1
    assert await _count(story, "webhook") == 0


async def test_where_webhooks_arrive_a_deal_we_made_is_asked_for_by_them_alone(story: Story) -> None:
    lead_id = story.add(LEAD, **person(1), **TARGET, **FITS)
    await story.settled()
    assert story.grade(story.deal_of(lead_id)["id"]) == "none"
    await story.time_passes()
    await story.settled()
    assert await _count(story, "timer", "MADE") == 0


async def test_a_deal_whose_making_was_never_written_down_is_graded_too(story: Story) -> None:
    story.portal.unsubscribe()
    lead_id = story.add(LEAD, **person(1), **TARGET, **FITS)
    await story.replay("lead", lead_id)
    await story.settled()
    # As a worker leaves it that dies between the portal's answer and our record of it.
    async with story.database.writing() as session:
        await session.execute(text("DELETE FROM timers"))
        died = "UPDATE actions SET state = 'started', finished_at = NULL, result = NULL WHERE key LIKE '%\\:deal'"
        assert (await session.execute(text(f"{died} RETURNING key"))).all()
    await story.replay("lead", lead_id)
    await story.settled()
    await story.time_passes()
    await story.settled()
    assert story.grade(story.deal_of(lead_id)["id"]) == "none"


async def _outage(story: Story) -> None:
    await story.stop_worker()
    story.portal.unsubscribe()


def _changed(story: Story, known: list[int]) -> dict[int, str]:
    """Leads a person edits; what should become of each."""
    expected = {lead_id: list(_KINDS)[number % len(_KINDS)] for number, lead_id in enumerate(known)}
    for lead_id, kind in expected.items():
        story.edit(LEAD, lead_id, **_KINDS[kind], companyTitle=f"ООО «{lead_id}»")
    return expected


def _made(story: Story, number: int) -> dict[int, str]:
    kinds = list(_KINDS)
    return {
        story.add(LEAD, title=f"Новая {one}", companyTitle=f"АО «{one}»", **_KINDS[kinds[one % len(kinds)]]): kinds[
            one % len(kinds)
        ]
        for one in range(number)
    }


async def _swept(story: Story) -> None:
    """One sweep at once, as a gap asks for, and everything it found judged."""
    async with story.database.writing() as session:
        await session.execute(text("INSERT INTO gaps (noticed_at, reason) VALUES (now(), 'the drill')"))
    async with asyncio.timeout(180):
        while await _unswept(story):  # noqa: ASYNC110 - another process would be told by nobody, either
            await asyncio.sleep(0.1)
    await story.settled()


async def _unswept(story: Story) -> int:
    async with story.database.reading() as session:
        return await session.scalar(text("SELECT count(*) FROM gaps WHERE swept_at IS NULL")) or 0


async def _count(story: Story, source: str, event: str = "%") -> int:
    async with story.database.reading() as session:
        counted = text("SELECT count(*) FROM journal WHERE source = :source AND event LIKE :event")
        return await session.scalar(counted, {"source": source, "event": event}) or 0


async def _completeness(story: Story) -> dict:
    answer = await story.http.get("/api/v1/completeness", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return answer.json()
