"""Companies over real HTTP with a clock of the test's own: they buy, fall asleep, are spoken to, come back."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from app.bitrix24.lanes import Lane
from app.domain.ruleset import DEFAULT, Segments
from app.domain.snapshot import Entity
from app.pipeline.card import CardRef
from app.pipeline.process import Process
from app.pipeline.segment_round import SegmentRound
from app.sandbox.faults import Fault
from app.store import journal, rulesets, runs, segments, timers
from app.store.cards import CardKey
from app.store.claims import Claims
from app.store.ruleset_document import ruleset_to_document
from app.store.segments import CompanySegment
from tests.pipeline.sweep_house import COMPANY, DEAL, LEAD, Clock, House, house_of
from tests.story.office import Office

pytestmark = pytest.mark.anyio

FIELD = "UF_CRM_OGON_SEGMENT"
MONDAY = datetime(2026, 8, 17, 7, 0, tzinfo=UTC)
"""Ten in the morning at the portal."""


@dataclass
class Plant:
    """A house where companies are judged, and days pass."""

    house: House
    office: Office
    round: SegmentRound

    async def works(self) -> None:
        """What a worker does in a while: goes its round, fires timers, judges all that is asked for."""
        await self.round.step()
        # The timers of a morning are spread over it.
        self.house.clock.passes(hours=2)
        await self._fire()
        for _ in range(4):
            if not await self._judge():
                return
        raise AssertionError("judging calls for judging without end")

    async def day(self, days: int = 1) -> None:
        """So many days later, at ten in the morning."""
        clock = self.house.clock
        later = clock() + timedelta(days=days)
        clock.moment = later.replace(hour=7, minute=0)
        await self.works()

    async def _fire(self) -> None:
        async with self.house.database.writing() as session:
            for timer in await timers.take_due(session, now=self.house.clock()):
                entry = journal.NewEntry(
                    source="timer",
                    event=timer.reason.upper(),
                    portal_id=timer.portal_id,
                    entity_type_id=timer.entity_type_id,
                    card_id=timer.card_id,
                    lane=timer.lane,
                )
                await journal.append(session, [entry])

    async def _judge(self) -> int:
        house = self.house
        async with house.database.writing() as session:
            entries = await journal.take_undispatched(session)
            await journal.mark_dispatched(session, [one.id for one in entries])
        asked = {(one.entity_type_id, one.card_id) for one in entries if one.entity_type_id in (LEAD, DEAL, COMPANY)}
        for kind, card_id in sorted(asked):
            await self.judge(kind, card_id)
        return len(asked)

    async def judge(self, kind: int, card_id: int, *, live: bool = True) -> None:
        house = self.house
        async with Claims(house.database.conninfo) as claims:
            process = Process(house.database, house.connections, claims, live=live, clock=house.clock)
            await process.judge(CardRef(house.portal_id, Entity(kind), card_id), Lane.NORMAL)

    async def buys(self, company: int) -> None:
        """A deal is won, and judged as its webhook has it judged."""
        today = (self.house.clock() + timedelta(hours=3)).date().isoformat()
        deal = self.office.add(DEAL, title="Поставка", companyId=company, begindate=today, closedate=today)
        self.office.edit(DEAL, deal, stageId="WON")
        await self.judge(DEAL, deal)
        while await self._judge():
            pass

    def segment(self, company: int) -> str | None:
        return self.office.code(COMPANY, company, FIELD)

    async def kept(self, company: int) -> CompanySegment:
        async with self.house.database.reading() as session:
            found = await segments.get(session, self.house.portal_id, company)
        assert found is not None
        return found

    async def history(self, company: int) -> list[tuple[str | None, str | None, bool]]:
        async with self.house.database.reading() as session:
            told = await segments.history(session, self.house.portal_id, company)
        return [(one.before, one.after, one.won_back) for one in reversed(told)]

    async def runs(self, company: int) -> list[runs.Chapter]:
        async with self.house.database.reading() as session:
            return await runs.story(session, CardKey(self.house.portal_id, COMPANY, company))

    async def publish(self, rules: Segments) -> None:
        async with self.house.database.writing() as session:
            known = await rulesets.current(session, self.house.portal_id)
            assert known is not None
            await rulesets.publish(
                session,
                portal_id=self.house.portal_id,
                edited_version=known.version,
                document=ruleset_to_document(replace(DEFAULT, version=known.version + 1, segments=rules)),
                author="a test",
                reason="a story",
            )
        self.house.clock.passes(seconds=2)

    def todos(self, company: int) -> list[tuple[str, str]]:
        return [(row["SUBJECT"], row["COMPLETED"]) for row in self.house.portal.activities(COMPANY, company)]

    def complete(self, company: int) -> None:
        for row in self.house.portal.activities(COMPANY, company):
            self.house.portal.ui_complete_activity(int(row["ID"]))


@pytest.fixture
async def plant(database):
    async with house_of(database, Clock(MONDAY)) as house:
        yield Plant(house, Office(house.portal), SegmentRound(database, house.clock))


async def test_a_company_buys_falls_asleep_is_spoken_to_and_comes_back(plant: Plant) -> None:
    company = plant.office.add(COMPANY, title="ООО «Завод»")
    await plant.buys(company)
    assert plant.segment(company) == "new"
    for _ in range(2):
        await plant.day(7)
        await plant.buys(company)
    assert plant.segment(company) == "regular"
    kept = await plant.kept(company)
    assert (kept.won_deals, kept.last_purchase_on, kept.since) == (3, date(2026, 8, 31), date(2026, 8, 31))

    await plant.day(176)
    assert plant.segment(company) == "regular", "the last days awake"
    await plant.day(8)  # a Wednesday
    assert plant.segment(company) == "sleeping", "a regular one that stopped"
    assert (await plant.kept(company)).since == date(2027, 2, 28)
    await plant.works()
    assert plant.todos(company) == [("Связаться с клиентом", "N")]
    (todo,) = plant.house.portal.activities(COMPANY, company)
    assert "31.08.2026" in todo["DESCRIPTION"]
    await plant.day()
    assert len(plant.todos(company)) == 1, "one at a time"

    plant.complete(company)
    await plant.house.sweep()
    await plant.works()
    kept = await plant.kept(company)
    done_on = plant.house.clock().date()
    assert kept.next_contact_on == done_on + timedelta(30), "done: the next by the cadence"
    await plant.day(28)
    assert len(plant.todos(company)) == 1, "not yet"
    await plant.day(4)
    assert plant.todos(company) == [("Связаться с клиентом", "Y"), ("Связаться с клиентом", "N")]

    await plant.buys(company)
    assert plant.segment(company) == "regular", "three within the year before, and this one"
    assert [done for _, done in plant.todos(company)] == ["Y", "Y"], "nobody has to win it back any more"
    assert await plant.history(company) == [
        (None, "new", False),
        ("new", "regular", False),
        ("regular", "sleeping", False),
        ("sleeping", "regular", True),
    ]


async def test_a_value_that_a_person_set_stays_until_the_facts_change(plant: Plant) -> None:
    company = plant.office.add(COMPANY, title="ООО «Завод»")
    await plant.buys(company)
    plant.office.edit(COMPANY, company, **{FIELD: "regular"})
    await plant.judge(COMPANY, company)
    assert plant.segment(company) == "regular"
    kept = await plant.kept(company)
    assert (kept.segment, kept.decided, kept.by_person) == ("regular", "new", True)
    assert (await plant.runs(company))[0].run.plan["held"] == ["person_set"]
    await plant.day(7)
    await plant.buys(company)
    assert plant.segment(company) == "regular", "a second purchase decides as before"
    await plant.day(183)
    assert plant.segment(company) == "sleeping", "the facts have changed"


async def test_a_nurture_company_is_spoken_to_at_its_cadence_and_a_call_counts(plant: Plant) -> None:
    company = plant.office.add(COMPANY, title="ООО «Завод»", **{FIELD: "nurture"})
    plain = plant.office.add(COMPANY, title="Никто")
    await plant.house.sweep()
    for one in (company, plain):
        await plant.judge(COMPANY, one)
    assert await plant.runs(plain) == [], "who neither bought nor is marked leaves no trace"
    assert (await plant.kept(company)).next_contact_on == date(2026, 9, 16)
    await plant.day(30)
    assert plant.todos(company) == [("Связаться с клиентом", "N")]
    await plant.day()
    call = plant.house.portal.ui_call(COMPANY, company, seconds=60)
    await plant.house.sweep()
    await plant.works()
    assert [row["COMPLETED"] for row in plant.house.portal.activities(COMPANY, company) if int(row["ID"]) != call] == [
        "Y"
    ]
    assert (await plant.kept(company)).next_contact_on == date(2026, 10, 17)


async def test_no_more_todos_than_the_cap_on_a_day_and_none_on_a_weekend(plant: Plant) -> None:
    await plant.publish(Segments(todos_a_day=2, nurture_cadence=4))
    companies = [plant.office.add(COMPANY, title=str(n), **{FIELD: "nurture"}) for n in range(5)]
    for one in companies:
        await plant.judge(COMPANY, one)

    def made() -> int:
        return sum(len(plant.todos(one)) for one in companies)

    counts: list[int] = []
    for _ in range(4):
        # Friday, Saturday, Sunday, Monday.
        await plant.day(1 if counts else 4)
        await plant.works()
        counts.append(made())
    assert counts == [2, 2, 2, 4]


async def test_what_cannot_be_read_sends_no_company_to_sleep(plant: Plant) -> None:
    company = plant.office.add(COMPANY, title="ООО «Завод»")
    await plant.buys(company)
    plant.house.clock.passes(days=200)
    plant.house.portal.faults.append(Fault("error", "crm.item.list", code="ACCESS_DENIED", status=403, times=None))
    await plant.judge(COMPANY, company)
    assert plant.segment(company) == "new"
    kept = await plant.kept(company)
    assert (kept.segment, kept.won_deals) == ("new", None)
    plant.house.portal.faults.clear()
    await plant.judge(COMPANY, company)
    assert plant.segment(company) == "sleeping"


async def test_shadow_mode_and_rules_without_segments_leave_companies_alone(plant: Plant) -> None:
    company = plant.office.add(COMPANY, title="ООО «Завод»", **{FIELD: "nurture"})
    await plant.judge(COMPANY, company, live=False)
    assert await plant.runs(company) == []
    await plant.publish(Segments(written=False))
    await plant.buys(company)
    assert (plant.segment(company), await plant.runs(company)) == ("nurture", [])


async def test_a_cut_off_run_makes_no_second_todo(plant: Plant) -> None:
    company = plant.office.add(COMPANY, title="ООО «Завод»")
    await plant.buys(company)
    await plant.day(186)
    await plant.works()
    assert len(plant.todos(company)) == 1
    # The run died before it wrote down what came of the to-do.
    async with plant.house.database.writing() as session:
        await session.execute(text("UPDATE actions SET state = 'started', result = NULL WHERE kind = 'todo'"))
        await session.execute(text("UPDATE company_segments SET todo_id = NULL, next_contact_on = since"))
    await plant.judge(COMPANY, company)
    await plant.day()
    assert plant.todos(company) == [("Связаться с клиентом", "N")]
    assert (await plant.kept(company)).todo_id is not None


async def test_a_quiet_day_costs_no_request(plant: Plant) -> None:
    for number in range(5):
        await plant.buys(plant.office.add(COMPANY, title=str(number)))
    plant.house.portal.reset_stats()
    plant.house.clock.passes(days=1)
    await plant.round.step()
    async with plant.house.database.writing() as session:
        assert await timers.take_due(session, now=datetime(2100, 1, 1, tzinfo=UTC)) == []
    assert plant.house.portal.stats.total_commands == 0


async def test_a_company_that_is_gone_is_nobodys_contact(plant: Plant) -> None:
    company = plant.office.add(COMPANY, title="ООО «Завод»", **{FIELD: "nurture"})
    await plant.judge(COMPANY, company)
    plant.house.portal.ui_delete(COMPANY, company)
    await plant.judge(COMPANY, company)
    assert (await plant.kept(company)).next_contact_on is None
    assert await plant.house.value("SELECT state FROM cards WHERE entity_type_id = 4") == "deleted"
