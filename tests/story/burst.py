"""Many leads at once, each with the outcome it must come to; and what must be there in the end, no more and no less."""

from tests.story.office import COMPANY, CONTACT, DEAL, LEAD, Office
from tests.story.people import FITS, FITS_NOT, SMALL, TARGET, person


def burst(office: Office, count: int, *, first: int = 0) -> dict[int, str]:
    """So many leads of people who are all different, with the outcome that their facts have."""
    kinds = (("deal", TARGET, FITS), ("deal", TARGET, FITS), ("company", TARGET, FITS_NOT), ("needs_data", TARGET, {}))
    leads: dict[int, str] = {}
    for number in range(first, first + count):
        outcome, client, request = kinds[number % len(kinds)] if number % 10 else ("junk", SMALL, FITS_NOT)
        leads[office.add(LEAD, **person(number), **client, **request)] = outcome
    return leads


def exactly_one_of_each(office: Office, leads: dict[int, str]) -> None:
    """Every lead ended as its facts say, with one of everything that belongs to it."""
    made = {
        kind: [item["originId"] for item in office.portal.items(kind) if item["originatorId"] == "ogon"]
        for kind in (DEAL, COMPANY, CONTACT)
    }
    wrong: dict[int, object] = {}
    for lead_id, outcome in leads.items():
        mark = f"lead-{lead_id}"
        converted = outcome in {"deal", "company"}
        seen = (
            office.verdict(lead_id),
            {kind: made[kind].count(mark) for kind in made},
            len(office.comments(LEAD, lead_id)),
            len(office.todos(LEAD, lead_id)),
            office.lead(lead_id)["stageId"],
        )
        wanted = (
            outcome,
            {DEAL: int(outcome == "deal"), COMPANY: int(converted), CONTACT: int(converted)},
            1,
            int(outcome == "needs_data"),
            {"junk": "JUNK", "needs_data": "NEW"}.get(outcome, "CONVERTED"),
        )
        if seen != wanted:
            wrong[lead_id] = (seen, wanted)
    assert wrong == {}, wrong
    deals = [deal["id"] for deal in office.portal.items(DEAL)]
    assert {deal_id: len(office.comments(DEAL, deal_id)) for deal_id in deals} == dict.fromkeys(deals, 1)
