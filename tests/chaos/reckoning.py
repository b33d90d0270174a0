"""After the storm: the portal as it is beside what it must be. Looks at the portal alone, as a person would.

`missing`: something that ought to be there is not, or is not as it ought to be for want of being told.
`double`: there is more of something than one. `wrong`: it stands elsewhere, was graded otherwise, a person was
overruled, or a card is parked that ought not to be.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.domain.timeline import GRADE_SAID, OUTCOME_SAID
from app.domain.verdict import Grade, Outcome
from app.texts import catalogue
from tests.chaos.cast import DealRole, LeadRole
from tests.story.office import COMPANY, CONTACT, DEAL, LEAD, Office

_ASKING = {"needs_data", "review"}
_SAID = catalogue("ru").say


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is not as it must be."""

    what: Literal["missing", "double", "wrong"]
    card: str
    said: str

    def __str__(self) -> str:
        return f"{self.what}: {self.card}: {self.said}"


def reckon(
    office: Office,
    leads: Sequence[LeadRole],
    deals: Sequence[DealRole],
    *,
    began: Mapping[int, int],
    told: Sequence[Mapping[str, Any]],
) -> list[Found]:
    """Everything that is not as it must be. `began`: how many cards of each type were there before.

    `told`: the days of `GET /api/v1/completeness`.
    """
    seen = _Seen(office)
    return [
        *(found for role in leads for found in _lead(seen, role)),
        *(found for role in deals for found in _deal(seen, role)),
        *_families(seen, leads),
        *_totals(seen, leads, deals, began),
        *_shared_addresses(seen),
        *(found for day in told for found in _completeness(day)),
    ]


class _Seen:
    """The portal, read once."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.cards = {kind: {item["id"]: item for item in office.portal.items(kind)} for kind in (1, 2, 3, 4)}
        self.deals_of: dict[int, list[int]] = defaultdict(list)
        for deal in self.cards[DEAL].values():
            self.deals_of[deal["leadId"] or 0].append(deal["id"])

    def marked(self, kind: int, lead_id: int) -> list[int]:
        """Cards that carry our mark of this lead."""
        return [one["id"] for one in self.cards[kind].values() if one["originId"] == f"lead-{lead_id}"]


def _lead(seen: _Seen, role: LeadRole) -> Iterator[Found]:
    card, name = seen.cards[LEAD].get(role.card_id), role.name
    if card is None:
        yield Found("missing", name, "is gone")
        return
    yield from _verdict("verdict", seen.office.verdict(role.card_id), role.outcome, name)
    yield from _stage(card, role.stage, name)
    head = OUTCOME_SAID[Outcome(role.outcome)]
    yield from _comments(seen, LEAD, role.card_id, name, 0 if role.silent else role.most_comments, head=_SAID(head))
    yield from _todos(seen, role)
    yield from _client(seen, role, card)
    deals = seen.deals_of[role.card_id]
    yield from _number("deal", len(deals), int(role.converted and role.outcome == "deal"), name)
    for deal_id in deals:
        deal = seen.cards[DEAL][deal_id]
        told = f"deal {deal_id} of {name}"
        yield from _verdict("grade", seen.office.grade(deal_id), role.grade or "none", told)
        yield from _stage(deal, role.deal_stage, told)
        head = GRADE_SAID[Grade(role.grade or "none")]
        yield from _comments(seen, DEAL, deal_id, told, role.deal_comments, head=_SAID(head))
        yield from _number("product row", len(seen.office.portal.rows(DEAL, deal_id)), len(role.sample.rows), told)
        if (deal["companyId"] or 0, deal["contactIds"]) != (card["companyId"] or 0, card["contactIds"]):
            yield Found("wrong", told, "is not linked to the lead's company and contact")


def _deal(seen: _Seen, role: DealRole) -> Iterator[Found]:
    card, name = seen.cards[DEAL].get(role.card_id), role.name
    if role.gone or card is None:
        if not (role.gone and card is None):
            yield Found("missing" if card is None else "wrong", name, "is gone" if card is None else "came back")
        return
    yield from _verdict("grade", seen.office.grade(role.card_id), role.grade, name)
    yield from _stage(card, role.stage, name)
    head = None if role.closed else _SAID(GRADE_SAID[Grade(role.grade)])
    yield from _comments(seen, DEAL, role.card_id, name, role.most_comments, head=head)


def _verdict(what: str, seen: str | None, meant: str, name: str) -> Iterator[Found]:
    if seen != meant:
        yield Found("wrong" if seen else "missing", name, f"{what} {seen}, not {meant}")


def _stage(card: Mapping[str, Any], meant: str, name: str) -> Iterator[Found]:
    if card["stageId"] != meant:
        yield Found("wrong", name, f"stands in {card['stageId']}, not in {meant}; moved by user {card['movedBy']}")


def _number(what: str, seen: int, meant: int, name: str) -> Iterator[Found]:
    if seen != meant:
        yield Found("missing" if seen < meant else "double", name, f"{seen} of {what}, not {meant}")


def _comments(seen: _Seen, kind: int, card_id: int, name: str, most: int, *, head: str | None) -> Iterator[Found]:
    """Entries in the timeline: no two alike, none too many, and the newest tells of what is thought now."""
    texts = seen.office.comments(kind, card_id)
    again = [one for one, times in Counter(texts).items() if times > 1]
    if again or len(texts) > most:
        yield Found("double", name, f"{len(texts)} entries in the timeline, not {most}: {_apart(texts)}")
    if most and head and (not texts or head not in texts[-1].partition("\n")[0]):
        newest = texts[-1].partition("\n")[0] if texts else "nothing"
        yield Found("missing", name, f"the timeline ends with {newest}, not with {head}")


def _apart(texts: Sequence[str]) -> list[str]:
    """Each text as its head and the lines that not all of them have."""
    lines = [one.split("\n") for one in texts]
    common = set(lines[0]).intersection(*lines[1:])
    return [" | ".join([first, *(line for line in rest if line not in common)]) for first, *rest in lines]


def _todos(seen: _Seen, role: LeadRole) -> Iterator[Found]:
    asked = not role.silent and role.outcome in _ASKING
    yield from _number("open to-do", len(seen.office.todos(LEAD, role.card_id)), int(asked), role.name)
    rows = seen.office.portal.activities(LEAD, role.card_id)
    again = [one for one, times in Counter(row["DESCRIPTION"] for row in rows).items() if times > 1]
    if again:
        yield Found("double", role.name, f"asked twice: {again}")


def _client(seen: _Seen, role: LeadRole, lead: Mapping[str, Any]) -> Iterator[Found]:
    """The company and the contact of a converted lead; that nothing was made of another."""
    if role.family is not None:
        return  # whose mark they carry is up to who came first
    new = role.converted and role.client is None
    for kind, what, wanted in ((COMPANY, "company", new and role.company), (CONTACT, "contact", new)):
        yield from _number(f"{what} made", len(seen.marked(kind, role.card_id)), int(wanted), role.name)
    if not role.converted:
        return
    company = seen.cards[COMPANY].get(lead["companyId"] or 0)
    if role.company and (company is None or company["title"] != lead["companyTitle"]):
        yield Found("missing", role.name, f"its company is {company and company['title']}")
    if role.client is not None and lead["companyId"] != role.client:
        yield Found("wrong", role.name, f"linked to company {lead['companyId']}, not to the known {role.client}")
    contact = seen.cards[CONTACT].get(lead["contactId"] or 0)
    if contact is None or not _addresses(lead) <= _addresses(contact):
        yield Found("missing", role.name, "no contact with its phone and e-mail")


def _families(seen: _Seen, leads: Sequence[LeadRole]) -> Iterator[Found]:
    """A form sent twice: a deal each, but one company and one contact."""
    families: dict[int, list[LeadRole]] = defaultdict(list)
    for role in leads:
        if role.family is not None:
            families[role.family].append(role)
    for members in families.values():
        name = " and ".join(role.name for role in members)
        for kind, what in ((COMPANY, "company"), (CONTACT, "contact")):
            made = [one for role in members for one in seen.marked(kind, role.card_id)]
            yield from _number(f"{what} made", len(made), 1, name)
            linked = {seen.cards[LEAD][role.card_id][f"{what}Id"] for role in members}
            if linked != set(made[:1]):
                yield Found("wrong", name, f"linked to {what} {linked}, made {made}")


def _totals(
    seen: _Seen, leads: Sequence[LeadRole], deals: Sequence[DealRole], began: Mapping[int, int]
) -> Iterator[Found]:
    """Nothing else was made, either."""
    own = {role.family or -role.card_id: role for role in leads if role.converted and role.client is None}.values()
    by_hand = sum(not role.gone for role in deals)
    meant = {
        COMPANY: began[COMPANY] + sum(role.company for role in own),
        CONTACT: began[CONTACT] + len(own),
        DEAL: began[DEAL] + by_hand + sum(role.converted and role.outcome == "deal" for role in leads),
    }
    for kind, what in ((COMPANY, "companies"), (CONTACT, "contacts"), (DEAL, "deals")):
        yield from _number(what, len(seen.cards[kind]), meant[kind], "the portal")


def _shared_addresses(seen: _Seen) -> Iterator[Found]:
    owners: dict[str, list[int]] = defaultdict(list)
    for contact in seen.cards[CONTACT].values():
        for address in _addresses(contact):
            owners[address].append(contact["id"])
    for address, ids in owners.items():
        if len(ids) > 1:
            yield Found("double", f"contacts {ids}", f"all have {address}")


def _addresses(card: Mapping[str, Any]) -> set[str]:
    """Phones by their last ten digits, e-mails in small letters."""
    values: Iterable[str] = (str(row["value"]) for row in card.get("fm", ()))
    return {one.lower() if "@" in one else re.sub(r"\D", "", one)[-10:] for one in values}


def _completeness(day: Mapping[str, Any]) -> Iterator[Found]:
    if day["difference"]:
        yield Found("missing", "completeness", f"difference {day['difference']} on {day['day']}: {day['missing']}")
    if day["parked"]:
        yield Found("wrong", "completeness", f"{day['parked']} cards parked on {day['day']}: {day['reasons']}")
