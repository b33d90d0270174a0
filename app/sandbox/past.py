"""The weeks before the service came: leads that people took up soon, late or never, and deals they led to an end.

Called by the demo, so that reports and clocks have something to tell from the first minute. Everything is done by the
portal's own means, each thing at its moment, so that the portal prints it as it would print a real past.
"""

import heapq
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from app.sandbox.dates import wall_clock
from app.sandbox.portal import SandboxPortal
from app.sandbox.samples import SampleLead, generate_leads, place_lead, translated
from app.sandbox.schema import COMPANY, DEAL, INVOICE, LEAD, QUOTE

OPERATORS: Final = (21, 22)
MANAGERS: Final = (12, 13, 14)
_DAY_BEGINS, _DAY_ENDS = 9, 18
_OPEN_HOURS = 30
"""Leads younger than so many hours are left as they stand: the service finds them at work."""
_LETTER, _MEETING = "4", "1"
_PATH: Final = ("PREPARATION", "PREPAYMENT_INVOICE", "EXECUTING", "FINAL_INVOICE", "WON")

Steps = Iterator[timedelta]
"""A story: does something, then tells how much working time passes until it goes on."""


class RewindableClock:
    """The wall clock, or a moment of the past while one is set."""

    def __init__(self) -> None:
        self.at: datetime | None = None

    def __call__(self) -> datetime:
        return self.at or wall_clock()


def play_past(portal: SandboxPortal, clock: RewindableClock, *, leads: int, days: int) -> None:
    """So many leads over so many days up to now, with all that people did about them. Sets the clock back at the end.

    `clock` is the portal's own. The custom fields have to be there. Same seed and same moment, same past.
    """
    dice = random.Random(portal.seed + 2)  # noqa: S311 (invented data)
    ends = wall_clock()
    stories: list[tuple[datetime, int, Steps]] = []
    for number, sample in enumerate(generate_leads(dice, leads)):
        begins = _at_work(portal, ends - timedelta(days=days) * (1 - (number + dice.random()) / leads))
        heapq.heappush(stories, (begins, number, _story(portal, dice, sample, clock, ends)))
    try:
        while stories:
            clock.at, number, story = heapq.heappop(stories)
            if clock.at >= ends:
                continue
            for passes in story:
                then = _after(portal, clock.at, passes, working=passes < timedelta(days=1))
                heapq.heappush(stories, (then, number, story))
                break
    finally:
        clock.at = None


def _at_work(portal: SandboxPortal, at: datetime) -> datetime:
    """The moment itself, or the same hour of the next day that is worked, within its hours."""
    local = at.astimezone(portal.world.time.zone)
    while local.isoweekday() > 5:
        local += timedelta(days=1)
    if not _DAY_BEGINS <= local.hour < _DAY_ENDS:
        local = local.replace(hour=_DAY_BEGINS + local.hour % (_DAY_ENDS - _DAY_BEGINS))
    return local.astimezone(at.tzinfo)


def _after(portal: SandboxPortal, at: datetime, passes: timedelta, *, working: bool) -> datetime:
    """So much later: what does not fit into the day goes on in the next one that is worked."""
    then = at + passes
    local = then.astimezone(portal.world.time.zone)
    if working and local.hour >= _DAY_ENDS:
        then += timedelta(hours=24 - _DAY_ENDS + _DAY_BEGINS)
    return _at_work(portal, then)


def _story(
    portal: SandboxPortal, dice: random.Random, sample: SampleLead, clock: RewindableClock, ends: datetime
) -> Steps:
    operator = dice.choice(OPERATORS)
    lead = place_lead(portal, sample, operator)
    young = ends - clock() < timedelta(hours=_OPEN_HOURS)
    if dice.random() < (_FORGOTTEN_NOW if young else _FORGOTTEN):
        return
    yield _reaction(dice)
    if dice.random() < _NOT_THROUGH:
        portal.ui_call(LEAD, lead, seconds=0, user_id=operator)
        yield timedelta(minutes=dice.randint(10, 90))
    portal.ui_call(LEAD, lead, seconds=dice.randint(40, 600), user_id=operator)
    portal.ui_update(LEAD, lead, {"stageId": "IN_PROCESS"}, operator)
    yield timedelta(minutes=dice.randint(20, 400))
    match sample.outcome:
        case "junk":
            portal.ui_update(LEAD, lead, {"stageId": "JUNK"}, operator)
        case "company":
            portal.ui_update(LEAD, lead, {"stageId": "CONVERTED", "companyId": _company(portal, sample)}, operator)
        case "deal":
            yield from _sold(portal, dice, sample, lead, operator)
        case _:
            portal.ui_add_activity(LEAD, lead, _activity(_LETTER, "Опросный лист"), operator)
            if not young and dice.random() < _GIVEN_UP:
                yield timedelta(days=dice.randint(1, 4))
                portal.ui_update(LEAD, lead, {"stageId": "JUNK"}, operator)


_FORGOTTEN_NOW, _FORGOTTEN, _NOT_THROUGH, _GIVEN_UP = 0.4, 0.08, 0.2, 0.6
_IN_TIME, _LATE = 0.7, 0.92


def _reaction(dice: random.Random) -> timedelta:
    """Most clients are called within the quarter of an hour, some within hours, a few the next day."""
    luck = dice.random()
    if luck < _IN_TIME:
        return timedelta(minutes=dice.uniform(1, 14))
    if luck < _LATE:
        return timedelta(minutes=dice.uniform(16, 200))
    return timedelta(hours=dice.uniform(5, 9))


def _sold(portal: SandboxPortal, dice: random.Random, sample: SampleLead, lead: int, operator: int) -> Steps:
    """The deal of a lead, as far as its manager brings it."""
    manager = dice.choice(MANAGERS)
    company = _company(portal, sample)
    portal.ui_update(LEAD, lead, {"stageId": "CONVERTED", "companyId": company}, operator)
    amount = dice.randint(4, 90) * 50_000
    deal = portal.ui_add(
        DEAL,
        {
            "title": sample.fields["title"],
            "leadId": lead,
            "companyId": company,
            "sourceId": sample.fields["sourceId"],
            "assignedById": manager,
            "opportunity": amount,
            "isManualOpportunity": "Y",
        },
        operator,
    )
    yield timedelta(minutes=dice.randint(15, 240))
    portal.ui_call(DEAL, deal, seconds=dice.randint(120, 1200), user_id=manager)
    portal.ui_update(DEAL, deal, translated(portal, DEAL, sample.answers), manager)
    for stage in _PATH:
        yield timedelta(days=dice.randint(1, 4))
        if dice.random() < _LOST:
            portal.ui_update(DEAL, deal, _closed(portal, "LOSE"), manager)
            return
        _touched(portal, dice, deal, manager)
        if stage == "PREPARATION":
            portal.ui_add(QUOTE, _paper(deal, company, amount, "КП"), manager)
        if stage == "PREPAYMENT_INVOICE":
            portal.ui_add(INVOICE, _paper(deal, company, amount, "Счёт"), manager)
        portal.ui_update(DEAL, deal, _closed(portal, stage) if stage == "WON" else {"stageId": stage}, manager)


_LOST = 0.12


def _touched(portal: SandboxPortal, dice: random.Random, deal: int, manager: int) -> None:
    what = dice.choice(("call", "call", "letter", "meeting"))
    if what == "call":
        portal.ui_call(DEAL, deal, outgoing=dice.random() < _LATE, seconds=dice.randint(60, 900), user_id=manager)
    elif what == "letter":
        portal.ui_add_activity(DEAL, deal, _activity(_LETTER, "Коммерческое предложение"), manager)
    else:
        portal.ui_add_activity(DEAL, deal, _activity(_MEETING, "Осмотр котельной"), manager)


def _activity(type_id: str, subject: str) -> dict[str, Any]:
    return {"TYPE_ID": type_id, "SUBJECT": subject, "COMPLETED": "Y", "DIRECTION": "2" if type_id == _LETTER else "0"}


def _closed(portal: SandboxPortal, stage: str) -> dict[str, Any]:
    return {"stageId": stage, "closedate": portal.world.time.now().date().isoformat()}


def _paper(deal: int, company: int, amount: int, title: str) -> dict[str, Any]:
    return {
        "title": f"{title} к сделке {deal}",
        "dealId": deal,
        "parentId2": deal,
        "companyId": company,
        "opportunity": amount,
        "isManualOpportunity": "Y",
    }


def _company(portal: SandboxPortal, sample: SampleLead) -> int:
    """The company of the lead's title, made where there is none."""
    title = sample.fields["companyTitle"] or sample.fields["title"]
    for one in portal.items(COMPANY):
        if one["title"] == title:
            return int(one["id"])
    industry = sample.fields.get("UF_CRM_OGON_INDUSTRY", "OTHER")
    revenue = sample.fields.get("UF_CRM_OGON_TURNOVER", 0)
    return portal.ui_add(COMPANY, {"title": title, "industry": industry, "revenue": revenue}, OPERATORS[0])
