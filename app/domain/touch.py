"""People win: who put the card where it stands, and whether that holds our move back.

Used by the planning modules; `hold_said` also by whoever shows why a run left something undone.
"""

from enum import StrEnum
from typing import assert_never

from app.domain.actions import UpdateItem
from app.domain.difference import link
from app.domain.given import Given
from app.domain.messages import Message, message
from app.domain.snapshot import Memory, PortalDictionary, RawCard

MOVES_PER_HOUR = 5
"""Our moves of one card within an hour after which we stop: a robot of the portal is moving it back."""

WRITES_PER_HOUR = 5
"""How often the same fields are written within an hour: after that the portal or another program does not keep them."""


class Hold(StrEnum):
    """Why a wanted move, a new owner or the whole conversion is left undone; the codes in `Plan.held`."""

    PERSON_MOVED = "person_moved"
    CLOSED_BY_PERSON = "closed_by_person"
    ALREADY_CONVERTED = "already_converted"
    DEAL_CLOSED = "deal_closed"
    TOO_MANY_MOVES = "too_many_moves"
    STAGE_UNKNOWN = "stage_unknown"
    COMPANY_UNKNOWN = "company_unknown"
    FIELDS_NOT_KEPT = "fields_not_kept"
    PERSON_ASSIGNED = "person_assigned"
    NOBODY_FREE = "nobody_free"
    PERSON_SET = "person_set"


def hold_said(hold: Hold) -> Message:
    """The reason in words."""
    match hold:
        case Hold.PERSON_MOVED:
            return message("A person moved the card after our last check, so it stays where it was put.")
        case Hold.CLOSED_BY_PERSON:
            return message("A person closed the lead, so it stays closed.")
        case Hold.ALREADY_CONVERTED:
            return message("The lead is converted already; nothing is undone.")
        case Hold.DEAL_CLOSED:
            return message("The deal is closed and is not moved.")
        case Hold.TOO_MANY_MOVES:
            return message("The card was moved too often within an hour: a robot seems to move it back. It stays.")
        case Hold.STAGE_UNKNOWN:
            return message("The portal has no suitable stage, or its stages have changed. The card stays.")
        case Hold.FIELDS_NOT_KEPT:
            return message(
                "Our fields were changed back too often within an hour: somebody else writes them. They stay."
            )
        case Hold.PERSON_ASSIGNED:
            return message("A person gave the card to somebody else than the pool chose, so it stays with them.")
        case Hold.NOBODY_FREE:
            return message("Nobody of the pool can take the card now: it stays with its owner.")
        case Hold.PERSON_SET:
            return message("A person set the segment after our last check, so it stays until the facts change.")
        case Hold.COMPANY_UNKNOWN:
            return message("The lead names no company, so there is nothing to keep in the nurture group.")
        case _:
            assert_never(hold)


def set_by_person(card: RawCard, memory: Memory, dictionary: PortalDictionary) -> bool:
    """Whether a person put the card into its stage: another user, or someone under our account in a stage not ours.

    A card that we made stands in a stage we never moved it to and looks like the latter; it has no run before its
    present stage, so nothing is held back for it.
    """
    moved_by = link(card.get("movedBy"))
    if moved_by is None:
        return False
    return moved_by != dictionary.integration_user_id or card.get("stageId") not in memory.our_stages


def set_by_us(card: RawCard, memory: Memory, dictionary: PortalDictionary) -> bool:
    """Whether we put the card into its stage and nobody has touched it since.

    Any of our stages will do, not the newest alone: that one may have been set out for in a run that was cut short.
    """
    return card.get("stageId") in memory.our_stages and not set_by_person(card, memory, dictionary)


def not_kept(update: UpdateItem, memory: Memory) -> bool:
    """Whether these very fields were written so often lately that writing them again would only go on for ever."""
    return memory.recent_writes.get(update.key, 0) >= WRITES_PER_HOUR


def held_back(card: RawCard, decision: str, given: Given) -> Hold | None:
    """Why a move that follows from `decision` must wait, None when it may happen.

    A person's move wins over the same facts or the same decision as before it; new facts that decide otherwise
    move the card again. The first sight of a card has no "before".
    """
    memory = given.memory
    if memory.seen_before_move is not None and set_by_person(card, memory, given.dictionary):
        old_facts = given.facts.digest() == memory.seen_before_move
        if old_facts or decision == memory.outcome_before_move:
            return Hold.PERSON_MOVED
    return Hold.TOO_MANY_MOVES if memory.recent_moves >= MOVES_PER_HOUR else None
