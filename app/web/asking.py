"""What a reader of cards may ask for, and the reading of it. Called by the API and the pages."""

from dataclasses import dataclass
from typing import Literal

from app.domain.messages import message
from app.store import audit, card_story, cards, journal, portals
from app.store.cards import Card, CardFilter, CardKey, CardState
from app.store.database import ReadSession, WriteSession
from app.store.journal import Entry, NewEntry
from app.store.portals import Portal, PortalUnknown
from app.store.runs import Chapter
from app.web.assigned import Assigned, assigned
from app.web.clocks import CardClocks, clocks_of
from app.web.hints import HOT
from app.web.problems import WebProblem
from app.web.shapes import TYPE_NAMES, CardType

TypeName = Literal["lead", "deal", "contact", "company", "1", "2", "3", "4"]
Outcome = Literal["deal", "company", "junk", "review", "needs_data"]
Grade = Literal["AAA", "BBB", "CCC", "none"]

_TYPES: dict[str, int] = {"lead": 1, "deal": 2, "contact": 3, "company": 4}
LARGEST_ID = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which cards to list. `q` is part of a title, or a card's id."""

    type: CardType | None = None
    outcome: Outcome | None = None
    grade: Grade | None = None
    state: CardState | None = None
    q: str = ""
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True)
class StoredStory:
    """A card's story as it is stored, one page of runs."""

    card: Card
    current: Chapter | None
    runs: list[Chapter]
    hints: list[Entry]
    assigned: Assigned
    clocks: CardClocks


def entity_type_id(name: TypeName) -> int:
    """`lead` or `1` is 1, and so on."""
    return _TYPES.get(name) or int(name)


async def portal_asked(session: ReadSession, number: int | None) -> Portal:
    """The portal with that number, or the only one. Raises WebProblem."""
    if number is not None:
        try:
            return await portals.get(session, number)
        except PortalUnknown as error:
            said = message("There is no portal {number}: see `ogon portal list`.", number=str(number))
            raise WebProblem(404, "portal_unknown", said, path="portal") from error
    known = await portals.list_portals(session)
    if not known:
        raise WebProblem(404, "no_portal", message("No portal is set up yet: run `ogon portal add`."))
    if len(known) > 1:
        numbers = ", ".join(f"{portal.id} ({portal.domain})" for portal in known)
        said = message("There are several portals: add `portal=`, one of {numbers}.", numbers=numbers)
        raise WebProblem(400, "which_portal", said, path="portal")
    return known[0]


async def portal_of_card(session: ReadSession, number: int | None, type_id: int, card_id: int) -> Portal:
    """The portal asked for; without a number the only one that knows the card. Raises WebProblem."""
    if number is None:
        known = await portals.list_portals(session)
        having = [one for one in known if await cards.get(session, CardKey(one.id, type_id, card_id)) is not None]
        if len(having) == 1:
            return having[0]
    return await portal_asked(session, number)


async def listed(
    session: ReadSession, portal: Portal, wanted: Wanted, *, at_most: int | None = None
) -> tuple[list[Card], int]:
    """One page of cards, and how many there are in all, counted up to `at_most`."""
    q = wanted.q.strip()
    if q.isascii() and q.isdigit() and 0 < int(q[:20]) <= LARGEST_ID:
        types = [_TYPES[wanted.type]] if wanted.type else [1, 2]
        found = [await cards.get(session, CardKey(portal.id, type_id, int(q))) for type_id in types]
        by_id = [card for card in found if card is not None]
        if by_id:
            return by_id, len(by_id)
    conditions = CardFilter(
        portal_id=portal.id,
        entity_type_id=_TYPES[wanted.type] if wanted.type else None,
        outcome=wanted.outcome,
        grade=wanted.grade,
        state=wanted.state,
        title=q or None,
    )
    page = await cards.list_cards(session, conditions, limit=wanted.limit, offset=wanted.offset)
    return page, await cards.count_cards(session, conditions, at_most=at_most)


async def story_of(
    session: ReadSession, portal: Portal, key: CardKey, *, runs: int, before_run: int | None
) -> StoredStory:
    """Raises WebProblem when the card was never judged."""
    card = await cards.get(session, key)
    if card is None:
        said = message(
            "Card {id} was never judged here: check type and id, or replay it to have it judged.", id=str(key.card_id)
        )
        raise WebProblem(404, "card_unknown", said)
    return StoredStory(
        card,
        await card_story.last_judged(session, key),
        await card_story.chapters(session, key, limit=runs, before_run=before_run),
        await card_story.hints(session, key),
        await assigned(session, key),
        await clocks_of(session, portal, key),
    )


async def replay(session: WriteSession, key: CardKey, *, by: str) -> int:
    """Have the card judged once more, first in the queue, with all its attempts; the journal row's number."""
    subject = f"{TYPE_NAMES[key.entity_type_id]} {key.card_id}"
    await audit.note(session, who=by, what="card.replayed", subject=subject, portal_id=key.portal_id)
    card = await cards.get(session, key)
    if card is not None and card.state == "parked":
        await cards.unpark(session, key)
    entry = NewEntry(
        source="replay",
        event="REPLAY",
        portal_id=key.portal_id,
        entity_type_id=key.entity_type_id,
        card_id=key.card_id,
        lane=HOT,
    )
    (number,) = await journal.append(session, [entry])
    return number
