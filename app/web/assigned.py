"""Who got a card, when and why, and who was passed over: for the card's story, in people's words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.domain.messages import Message, message
from app.store import assignments, people, pools
from app.store.assignments import Assignment
from app.store.cards import CardKey
from app.store.database import ReadSession
from app.texts import Catalogue
from app.web.rendering import named
from app.web.shapes import AssignmentView, PassedOver


@dataclass(frozen=True, slots=True)
class Assigned:
    """A card's assignments, the newest first, with what people and pools are called."""

    known: Sequence[Assignment]
    people: Mapping[int, str]
    pools: Mapping[int, str]


async def assigned(session: ReadSession, card: CardKey) -> Assigned:
    """What the store keeps of it."""
    known = await assignments.of_card(session, card)
    if not known:
        return Assigned((), {}, {})
    everybody = await people.people(session, card.portal_id)
    called = {user: person.name for user, person in everybody.items()}
    return Assigned(known[::-1], called, await pools.names(session, card.portal_id))


def told(texts: Catalogue, what: Assigned) -> list[AssignmentView]:
    """The same in the reader's language."""
    return [_view(texts, one, what) for one in what.known]


def _view(texts: Catalogue, one: Assignment, what: Assigned) -> AssignmentView:
    def called(user: int | None) -> str | None:
        return None if user is None else _called(texts, user, what.people)

    return AssignmentView(
        at=one.chosen_at,
        user=one.user_id,
        name=called(one.user_id),
        from_user=one.from_user,
        from_name=called(one.from_user),
        pool=one.pool_id,
        pool_name=None if one.pool_id is None else what.pools.get(one.pool_id),
        reason=one.reason,
        why=one.why,
        text=texts.say(_said(texts, one)),
        passed_over=[
            PassedOver(user=int(user), name=_called(texts, int(user), what.people), why=named(texts, why, "barred"))
            for user, why in one.barred.items()
            if one.user_id != int(user)
        ],
        cost_turn=one.cost_turn,
        given_back_at=one.given_back_at,
        given_back_why=named(texts, one.given_back_why, "given_back") if one.given_back_why else None,
    )


def _said(texts: Catalogue, one: Assignment) -> Message:
    because = named(texts, one.reason, "assigned_for")
    if one.user_id is None:
        if one.pool_id is None:
            return message("{because}; the card is of no pool and stays with its owner", because=because)
        return message("{because}; nobody could take the card, it stays with its owner", because=because)
    return message("{because}; {why}", because=because, why=named(texts, one.why, "chosen"))


def _called(texts: Catalogue, user: int, known: Mapping[int, str]) -> str:
    return known.get(user) or texts.say(message("user {user}", user=str(user)))
