"""Several portals in one installation, each by itself; and deliveries that are not what they say."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from app.store import portals
from app.store.rules_in_force import ensure_first_version
from app.store.secret_box import secret_box
from tests.story.house import COMPANY, DEAL, LEAD, Story, portal_with_fields
from tests.story.people import FITS, FITS_NOT, SMALL, TARGET, person

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def neighbour(story: Story) -> AsyncIterator[Story]:
    """A second portal in the same installation, served by the same worker."""
    async with portal_with_fields(seed=2) as served:
        async with story.database.writing() as session:
            added = await portals.add(
                session,
                secret_box(story.settings),
                webhook=SecretStr(served.webhook_url),
                application_tokens=[SecretStr(served.portal.application_token)],
                member_id=served.portal.member_id,
                requests_per_second=50,
                burst=1000,
            )
            await ensure_first_version(session, added.id)
        second = dataclasses.replace(story, portal=served.portal, portal_id=added.id, _working=None)

        async def known() -> bool:
            return await second.deliver(LEAD, 999_999, "DELETE") == 200

        await second.until(known)
        served.portal.subscribe(f"{story.http.base_url}/webhooks/bitrix24".replace("//webhooks", "/webhooks"))
        yield second


async def test_two_portals_with_cards_of_the_same_numbers_do_not_mix(story: Story) -> None:
    async with neighbour(story) as other:
        ours = story.add(LEAD, **person(1, companyTitle="ООО «Наши»"), **TARGET, **FITS)
        theirs = other.add(LEAD, **person(1, companyTitle="ООО «Чужие»"), **SMALL, **FITS_NOT)
        fire = other.add(LEAD, **person(1, companyTitle="ООО «Чужие»"), **TARGET, **FITS)
        assert ours == theirs
        await story.settled()
        await other.settled()

        assert (story.verdict(ours), other.verdict(theirs)) == ("deal", "junk")
        assert [one["title"] for one in story.portal.items(COMPANY)] == ["ООО «Наши»"]
        assert [one["title"] for one in other.portal.items(COMPANY)] == ["ООО «Чужие»"], "not found over there"
        assert len(story.portal.items(DEAL)) == len(other.deals_of(fire)) == 1
        told = [await story.told("lead", ours, portal=one.portal_id) for one in (story, other)]
        assert [one["card"]["outcome"] for one in told] == ["deal", "junk"]

        before = story.snapshot(), other.snapshot()
        token = other.portal.application_token
        assert await story.deliver(LEAD, ours, application_token=token) == 403, "another portal's token"
        assert await story.deliver(LEAD, ours, application_token="") == 403
        assert await story.deliver(LEAD, ours, member_id="f" * 32) == 403, "a portal that nobody knows"
        await story.settled()
        assert (story.snapshot(), other.snapshot()) == before

        # One portal's trouble is not the other's.
        with other.revoked_webhook():
            other.edit(LEAD, theirs, **TARGET, **FITS)
            story.add(LEAD, **person(2), **TARGET, **FITS)
            await story.settled()
            assert len(story.portal.items(DEAL)) == 2
        await story.time_passes()
        await other.settled()
        assert len(other.deals_of(theirs)) == 1


async def test_a_portal_that_answers_nobody_holds_up_no_other(story: Story) -> None:
    """More cards of the silent portal than a worker judges at a time, all of them urgent."""
    async with neighbour(story) as silent:
        await story.restart_worker(worker_concurrency=2)
        silent.fault("hang", times=None, seconds=20)
        theirs = [silent.add(LEAD, **person(number), **TARGET, **FITS) for number in range(3)]

        async def waited_for() -> bool:
            return silent.portal.stats.faults > 0

        await silent.until(waited_for)
        ours = [story.add(LEAD, **person(number), **TARGET, **FITS) for number in range(2)]

        async def judged() -> bool:
            return all(story.lead(one)["stageId"] == "CONVERTED" for one in ours)

        await story.until(judged)
        assert {silent.lead(one)["stageId"] for one in theirs} == {"NEW"}

        await story.stop_worker()
        silent.portal.faults.clear()
        await story.restart_worker(worker_concurrency=200)
        await silent.settled()
        assert [len(silent.deals_of(one)) for one in theirs] == [1] * len(theirs)
        assert len(silent.portal.items(COMPANY)) == len(theirs)


async def test_what_is_not_understood_harms_nobody_and_the_admin_sees_it(story: Story) -> None:
    lead_id = story.add(LEAD, **person(1), **SMALL, **FITS_NOT)
    proof = {
        "auth[member_id]": story.portal.member_id,
        "auth[application_token]": story.portal.application_token,
    }
    for body, status in (
        ({"event": "ONCRMLEADUPDATE", "data[FIELDS][ID]": "1; DROP TABLE cards", **proof}, 200),
        ({"event": "ONIMAGINARY", "data[FIELDS][ID]": "1", **proof}, 200),
        ({"event": "ONCRMLEADUPDATE", "data[FIELDS][ID]": "9" * 40, **proof}, 200),
        ({"event": "ONCRMLEADUPDATE", "data[FIELDS][ID]": str(lead_id)}, 403),
        ({"data[a][b][c][d][e][f][g]": "1", **proof}, 400),
        ({"event": "ONCRMLEADUPDATE", "data[x]": "я" * 70_000, **proof}, 413),
    ):
        assert (await story.http.post("/webhooks/bitrix24", data=body)).status_code == status, body
    # Numbers that no portal has yet are believed, looked at, and found gone.
    assert await story.deliver(LEAD, 9_000_000) == 200
    await story.settled()

    assert story.lead(lead_id)["stageId"] == "JUNK"
    assert (await story.told("lead", 9_000_000))["card"]["state"] == "deleted"
    answer = await story.http.get("/api/v1/rejected", headers={"Authorization": "Bearer story-admin-token"})
    rejected = answer.json()
    assert len(rejected["items"]) == 3
    assert story.portal.application_token not in answer.text
