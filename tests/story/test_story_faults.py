"""What breaks at the portal: it heals without a double, or parks the one card it concerns and says why."""

import dataclasses

import pytest
from pydantic import SecretStr

from app.store import portals, runs
from app.store.cards import CardKey
from app.store.secret_box import secret_box
from tests.story.house import COMPANY, CONTACT, DEAL, LEAD, NAMES, QUICK, Story, renamed_to
from tests.story.people import FITS, FITS_NOT, SMALL, TARGET, person

pytestmark = pytest.mark.anyio

# Rows travel with these: like a move they are not sent again blindly, but looked at by the next run.
_IDEMPOTENT = ("crm.item.update", "crm.activity.update")
_CREATING = ("crm.item.add", "crm.timeline.comment.add")


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "methods"),
    [
        pytest.param("503", ("crm.item.add",), id="refused"),
        pytest.param("truncated", (*_CREATING, *_IDEMPOTENT), id="cut short"),
        pytest.param("drop_after_write", (*_CREATING, *_IDEMPOTENT), id="lost"),
        # Nothing was written, but who could know: what creates is looked for twice, seconds apart.
        pytest.param("html502", ("crm.item.add", *_IDEMPOTENT), id="a page of HTML"),
    ],
)
async def test_a_broken_answer_to_any_write_heals_without_a_double(
    story: Story, kind: str, methods: tuple[str, ...]
) -> None:
    if kind != "html502":
        story.fault(kind, "crm.activity.todo.add")
    leads = [story.add(LEAD, **person(number), **TARGET) for number in range(2)]
    await _healed(story)
    for lead_id in leads:
        assert story.verdict(lead_id) == "needs_data"
        assert len(story.todos(LEAD, lead_id)) == len(story.comments(LEAD, lead_id)) == 1

    for method in methods:
        story.fault(kind, method)
    for lead_id in leads:
        story.portal.ui_set_rows(LEAD, lead_id, [{"productId": 101, "price": 700, "quantity": 3}])
    await _healed(story)
    for lead_id in leads:
        assert story.lead(lead_id)["stageId"] == "CONVERTED"
        deal = story.deal_of(lead_id)
        assert [row["productId"] for row in story.portal.rows(DEAL, deal["id"])] == [101]
        assert len(story.comments(LEAD, lead_id)) == 2
        assert story.todos(LEAD, lead_id) == []
    assert len(story.portal.items(COMPANY)) == len(story.portal.items(CONTACT)) == 2


async def _healed(story: Story) -> None:
    for _ in range(3):
        await story.settled()
        await story.time_passes()
    await story.settled()
    assert not any(fault.times for fault in story.portal.faults.faults), "each of them struck"


async def test_a_field_the_admin_made_mandatory_parks_the_card_and_no_other(story: Story) -> None:
    story.portal.require(LEAD, "sourceDescription", ["CONVERTED"])
    stuck = story.add(LEAD, **person(1), **TARGET, **FITS)
    fine = story.add(LEAD, **person(2, sourceDescription="Выставка"), **TARGET, **FITS)
    junk = story.add(LEAD, **person(3), **SMALL, **FITS_NOT)
    await story.settled()

    assert (story.lead(fine)["stageId"], story.lead(junk)["stageId"]) == ("CONVERTED", "JUNK")
    assert story.lead(stuck)["stageId"] == "NEW"
    assert story.verdict(stuck) == "deal", "fields and timeline are written all the same"
    assert story.lead(stuck)["UF_CRM_OGON_WHY"]
    assert len(story.comments(LEAD, stuck)) == 1
    assert len(story.deals_of(stuck)) == 1
    told = await story.told("lead", stuck)
    assert told["card"]["state"] == "parked"
    assert "SOURCE_DESCRIPTION" in told["card"]["parked_reason"]
    assert told["runs"][0]["status"] == "failed"

    story.portal.world.mandatory.clear()
    await story.replay("lead", stuck)
    await story.settled()
    told = await story.told("lead", stuck)
    assert (told["card"]["state"], told["card"]["parked_reason"]) == ("final", None)
    assert story.lead(stuck)["stageId"] == "CONVERTED"
    assert len(story.deals_of(stuck)) == len(story.comments(LEAD, stuck)) == 1


async def test_a_refusal_of_one_card_never_holds_back_the_others(story: Story) -> None:
    story.fault("error", "crm.item.add", times=1, code="ACCESS_DENIED", description="Нет прав", status=403)
    leads = [story.add(LEAD, **person(number), **TARGET, **FITS) for number in range(4)]
    await story.settled()
    states = [(await story.told("lead", one))["card"]["state"] for one in leads]
    assert sorted(states) == ["final", "final", "final", "parked"]
    (parked,) = [one for one, state in zip(leads, states, strict=True) if state == "parked"]
    assert "ACCESS_DENIED" in (await story.told("lead", parked))["card"]["parked_reason"]

    await story.replay("lead", parked)
    await story.settled()
    assert [len(story.deals_of(one)) for one in leads] == [1, 1, 1, 1]
    assert len(story.portal.items(COMPANY)) == 4


async def test_a_method_out_of_run_time_waits_alone(story: Story) -> None:
    await story.stop_worker()
    asked = story.add(LEAD, **person(1))
    junk = story.add(LEAD, **person(2), **SMALL, **FITS_NOT)
    story.fault("429", "crm.activity.todo.add")
    story.start_worker()

    async def others_done() -> bool:
        return story.lead(junk)["stageId"] == "JUNK" and story.verdict(asked) == "needs_data"

    await story.until(others_done)
    assert story.todos(LEAD, asked) == []

    await story.restart_worker()  # the method is shut for minutes; a worker that is new has not heard of that
    await story.settled()
    assert len(story.todos(LEAD, asked)) == 1
    assert len(story.comments(LEAD, asked)) == 1


async def test_a_card_that_is_gone_is_marked_deleted(story: Story) -> None:
    await story.stop_worker()
    early = story.add(LEAD, **person(1), **TARGET, **FITS)
    story.portal.ui_delete(LEAD, early)
    late = story.add(LEAD, **person(2), **SMALL, **FITS)
    deal = story.add(DEAL, title="Сделка")
    story.start_worker()
    await story.settled()
    story.portal.ui_delete(LEAD, late)
    story.portal.ui_delete(DEAL, deal)
    await story.settled()

    assert [(await story.told("lead", one))["card"]["state"] for one in (early, late)] == ["deleted", "deleted"]
    assert (await story.told("deal", deal))["card"]["state"] == "deleted"


async def test_a_card_deleted_while_it_is_written_to_is_forgotten_and_not_parked(story: Story) -> None:
    story.fault("error", "crm.item.update", times=_MANY)
    deal = story.add(DEAL, title="Сделка")
    await story.until(lambda: _struck(story))
    story.portal.unsubscribe()  # the webhook that tells of the deletion is lost
    story.portal.ui_delete(DEAL, deal)
    story.portal.faults.clear()
    await story.settled()
    told = await story.told("deal", deal)
    assert (told["card"]["state"], told["card"]["parked_reason"]) == ("deleted", None)
    assert [run["status"] for run in told["runs"]] == ["failed"]


async def test_nothing_stays_open_of_a_card_that_was_deleted_after_its_run_was_cut_off(story: Story) -> None:
    story.fault("error", "crm.item.update", times=_MANY)
    deal = story.add(DEAL, title="Сделка")
    await story.until(lambda: _struck(story))
    await story.stop_worker()
    async with story.database.reading() as session:
        assert len(await runs.open_runs(session, CardKey(story.portal_id, DEAL, deal))) == 1
    story.portal.ui_delete(DEAL, deal)
    story.start_worker()
    await story.settled()
    told = await story.told("deal", deal)
    assert (told["card"]["state"], [run["status"] for run in told["runs"]]) == ("deleted", ["abandoned"])


_MANY = 1000


async def _struck(story: Story) -> bool:
    return any(fault.times != _MANY for fault in story.portal.faults.faults)


async def test_a_revoked_webhook_parks_nobody_and_work_goes_on_when_it_is_restored(story: Story) -> None:
    first = story.add(LEAD, **person(1), **TARGET, **FITS)
    await story.settled()
    with story.revoked_webhook():
        leads = [story.add(LEAD, **person(number), **TARGET, **FITS) for number in (2, 3)]
        story.edit(LEAD, first, comments="Правка")
        await story.settled()
        assert [(await story.told("lead", one))["card"]["state"] for one in leads] == ["open", "open"]
        assert story.portal.items(DEAL)[1:] == []
    # One that is tried again finds that it is over, and takes the others along.
    await story.replay("lead", first)
    await story.until(lambda: _has_deals(story, leads))
    await story.settled()
    assert [len(story.deals_of(one)) for one in (first, *leads)] == [1, 1, 1]
    assert [(await story.told("lead", one))["card"]["state"] for one in leads] == ["final", "final"]


async def _has_deals(story: Story, leads: list[int]) -> bool:
    return all(story.deals_of(one) for one in leads)


async def test_a_portal_that_refuses_us_as_a_whole_says_why_until_it_takes_calls_again(story: Story) -> None:
    for kind, code in ((LEAD, "PAYMENT_REQUIRED"), (DEAL, "OVERLOAD_LIMIT")):
        story.fault("error", times=None, code=code, description="Оплатите тариф", status=402)
        card_id = story.add(kind, **person(kind), **(TARGET | FITS if kind == LEAD else {}))
        await story.settled()
        card = story.portal.item(kind, card_id)
        assert (await story.told(NAMES[kind].lower(), card_id))["card"]["state"] == "open", "no card is at fault"
        assert code in (await story.portal_told())["trouble"]

        story.portal.faults.clear()
        assert story.portal.item(kind, card_id) == card, "nothing was written"
        await story.replay(NAMES[kind].lower(), card_id)
        await story.settled()
        told = await story.portal_told()
        assert (told["trouble"], told["trouble_since"]) == (None, None)
    (lead,) = story.portal.items(LEAD)
    assert lead["stageId"] == "CONVERTED"
    assert {story.grade(deal["id"]) for deal in story.portal.items(DEAL)} == {"none"}


async def test_a_write_that_hangs_holds_up_its_own_card_only_and_is_looked_for_first(story: Story) -> None:
    await story.restart_worker(dataclasses.replace(QUICK, silence=4.0))
    story.fault("hang", "crm.item.add", seconds=5)
    stuck = story.add(LEAD, **person(0), **TARGET, **FITS)

    async def hanging() -> bool:
        return story.portal.stats.faults == 1

    await story.until(hanging)
    others = [story.add(LEAD, **person(number), **TARGET, **FITS) for number in range(1, 4)]
    await story.settled()
    assert [len(story.deals_of(one)) for one in (stuck, *others)] == [1, 1, 1, 1]
    assert len(story.portal.items(COMPANY)) == len(story.portal.items(CONTACT)) == 4
    first = {one: (await story.told("lead", one))["runs"][-1] for one in (stuck, *others)}
    only = first.pop(stuck)
    assert only["status"] == "done", "the answer was lost, the company found: the same run went on"
    assert all(run["closed_at"] < only["closed_at"] for run in first.values()), "nobody waited for it"


async def test_a_renamed_portal_is_followed_and_kept_under_its_new_name(story: Story) -> None:
    new = story.settings.bitrix24_webhook_url
    assert new is not None
    await story.stop_worker()
    async with renamed_to(new.get_secret_value()) as old:
        before = story.settings.model_copy(update={"bitrix24_webhook_url": SecretStr(old)})
        async with story.database.writing() as session:
            box = secret_box(story.settings)
            tokens = before.bitrix24_application_token
            await portals.replace_secrets(
                session, box, story.portal_id, webhook=SecretStr(old), application_tokens=tokens
            )
        leads = [story.add(LEAD, **person(number), **TARGET, **FITS) for number in range(3)]
        story.start_worker()
        await story.settled()
        assert [len(story.deals_of(one)) for one in leads] == [1, 1, 1], "no body was lost on the way"
        assert (await story.portal_told())["domain"] == portals.domain_of(new)
        async with story.database.writing() as session:
            known = await portals.ensure_env_portal(session, box, before)
            assert known is not None
            assert (known.id, known.domain) == (story.portal_id, portals.domain_of(new)), "restarted, nothing changed"
            assert len(await portals.list_portals(session)) == 1
    # The old name answers no more; who was never told goes on all the same.
    await story.restart_worker()
    last = story.add(LEAD, **person(9), **SMALL, **FITS_NOT)
    await story.settled()
    assert story.lead(last)["stageId"] == "JUNK"


async def test_what_could_not_be_read_sends_nobody_to_junk(story: Story) -> None:
    company = story.add(COMPANY, title="ООО «Пар»", industry="IT", revenue=1000)
    story.fault("error", "crm.item.productrow.list", times=None, code="ACCESS_DENIED", status=403)
    by_rows = story.add(LEAD, **person(1), **SMALL)
    story.portal.ui_set_rows(LEAD, by_rows, [{"productName": "Трактор", "price": 5, "quantity": 1}])
    unparseable = story.add(LEAD, **person(2), **FITS_NOT, companyId=company)
    await story.settled()
    assert story.verdict(by_rows) == "needs_data"
    assert story.verdict(unparseable) == "junk"
