"""Requests: some cards with all that their clocks need, in one statement whatever the portal's history holds.

Read in each run and by the background that recomputes reactions. A deal comes with its lead, a lead with its deals;
each with its owners, hops, and the activities that may have reached the client.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from app.domain.activity_kind import REACHING, Activity, ActivityKind, contact_of
from app.domain.first_response import Contact, Owned, Source
from app.domain.one_clock import Hop, KnownCard, Request
from app.domain.reaction import Allowance, Target, TargetChange
from app.domain.snapshot import Entity
from app.store.cards import CardKey
from app.store.database import ReadSession

_KINDS: Final = [kind.value for kind in REACHING]
_HAPPENED: Final = {"yes": True, "no": False, "unknown": None}


@dataclass(frozen=True, slots=True)
class KeptRequest:
    """A card's request and its targets so far, by the beginning of the round."""

    request: Request
    targets: Mapping[datetime, tuple[TargetChange, ...]] = field(
        default_factory=dict[datetime, "tuple[TargetChange, ...]"]
    )


_GATHER = text("""
    WITH asked AS (
        SELECT * FROM unnest(CAST(:types AS int[]), CAST(:cards AS bigint[])) AS asked (type, card)
    ), family AS (
        SELECT type, card, type AS of_type, card AS of_card FROM asked
        UNION ALL
        SELECT 1, origin.lead_id, asked.type, asked.card FROM asked
        JOIN card_origins AS origin
          ON origin.portal_id = :portal AND origin.entity_type_id = 2 AND origin.card_id = asked.card
        WHERE asked.type = 2 AND origin.lead_id IS NOT NULL
        UNION ALL
        SELECT 2, origin.card_id, asked.type, asked.card FROM asked
        JOIN card_origins AS origin ON origin.portal_id = :portal AND origin.lead_id = asked.card
        WHERE asked.type = 1 AND origin.entity_type_id = 2
    )
    SELECT family.type, family.card, family.of_type, family.of_card,
           coalesce(origin.created_at, kept.created_time, born.created_time) AS created_at, origin.lead_id,
           origin.activities_read_at, origin.calls_read_at,
           CASE WHEN kept.state = 'final'
                THEN greatest(coalesce(kept.moved_time, kept.judged_at), origin.created_at) END AS closed_at,
           kept.outcome, kept.grade, owners.listed AS owners, hops.listed AS hops, contacts.listed AS contacts,
           targets.listed AS targets, desk.pool_id AS desk
    FROM family
    LEFT JOIN card_origins AS origin
      ON origin.portal_id = :portal AND origin.entity_type_id = family.type AND origin.card_id = family.card
    LEFT JOIN cards AS kept
      ON kept.portal_id = :portal AND kept.entity_type_id = family.type AND kept.card_id = family.card
    LEFT JOIN LATERAL (
        SELECT pool_id FROM assignments AS chosen
        WHERE chosen.portal_id = :portal AND chosen.entity_type_id = family.type AND chosen.card_id = family.card
        ORDER BY id DESC LIMIT 1
    ) AS desk ON true
    LEFT JOIN LATERAL (
        SELECT min(created_time) AS created_time FROM stage_moves AS move
        WHERE move.portal_id = :portal AND move.entity_type_id = family.type AND move.card_id = family.card
          AND move.type_id = 1
    ) AS born ON true
    LEFT JOIN LATERAL (
        SELECT json_agg(json_build_array(since, user_id) ORDER BY since) AS listed FROM owner_changes AS change
        WHERE change.portal_id = :portal AND change.entity_type_id = family.type AND change.card_id = family.card
    ) AS owners ON true
    LEFT JOIN LATERAL (
        SELECT json_agg(json_build_array(created_time, type_id = 3 OR semantics IN ('S', 'F')) ORDER BY history_id)
               AS listed
        FROM stage_moves AS move
        WHERE move.portal_id = :portal AND move.entity_type_id = family.type AND move.card_id = family.card
          AND created_time IS NOT NULL
    ) AS hops ON true
    LEFT JOIN LATERAL (
        -- A chat begins with the client; the contact is the first answer of a person.
        SELECT json_agg(json_build_array(
            activity_id, kind, CASE kind WHEN 'chat' THEN coalesce(done_by_id, responsible_id) ELSE responsible_id END,
            author_id, created_at, CASE kind WHEN 'chat' THEN coalesce(done_at, start_at) ELSE start_at END, end_at,
            updated_at, talk_seconds, happened)) AS listed
        FROM activities AS one
        WHERE one.portal_id = :portal AND kind = ANY(:kinds) AND happened <> 'no' AND activity_id IN (
            SELECT activity_id FROM activities
            WHERE portal_id = :portal AND owner_type_id = family.type AND owner_id = family.card
            UNION
            SELECT activity_id FROM activity_bindings
            WHERE portal_id = :portal AND entity_type_id = family.type AND card_id = family.card)
    ) AS contacts ON true
    LEFT JOIN LATERAL (
        SELECT json_agg(json_build_array(arrived_at, since, target, minutes, run_id) ORDER BY since) AS listed
        FROM reaction_targets AS change
        WHERE change.portal_id = :portal AND change.entity_type_id = family.type AND change.card_id = family.card
          AND (family.type, family.card) = (family.of_type, family.of_card)
    ) AS targets ON true
    ORDER BY family.of_type, family.of_card, family.type, family.card
""")


async def gather(session: ReadSession, portal_id: int, cards: Iterable[CardKey]) -> dict[CardKey, KeptRequest]:
    """The requests of these cards of one portal."""
    asked = list(dict.fromkeys(cards))
    values = {
        "portal": portal_id,
        "types": [card.entity_type_id for card in asked],
        "cards": [card.card_id for card in asked],
        "kinds": _KINDS,
    }
    families: dict[CardKey, list[tuple[KnownCard, Any]]] = {card: [] for card in asked}
    for row in (await session.execute(_GATHER, values)).mappings():
        families[CardKey(portal_id, row["of_type"], row["of_card"])].append((_known(row), row["targets"]))
    return {card: _request(card, members) for card, members in families.items()}


def _request(card: CardKey, members: Sequence[tuple[KnownCard, Any]]) -> KeptRequest:
    entity = Entity(card.entity_type_id)
    own, listed = next(one for one in members if (one[0].entity, one[0].card_id) == (entity, card.card_id))
    others = [known for known, _ in members if known is not own]
    deals = sorted((one for one in others if one.entity is Entity.DEAL), key=lambda deal: deal.card_id)
    lead = next((one for one in others if one.entity is Entity.LEAD), None)
    targets: dict[datetime, list[TargetChange]] = {}
    for arrived, since, target, minutes, run_id in listed or ():
        change = TargetChange(_moment(since), Allowance(Target(target), minutes), run_id)
        targets.setdefault(_moment(arrived), []).append(change)
    request = Request(card=own, lead=lead, deals=tuple(deals))
    return KeptRequest(request, {arrived: tuple(changes) for arrived, changes in targets.items()})


def _known(row: Any) -> KnownCard:
    read = {Source.ACTIVITIES: row["activities_read_at"], Source.CALLS: row["calls_read_at"]}
    return KnownCard(
        entity=Entity(row["type"]),
        card_id=row["card"],
        created_at=row["created_at"],
        lead_id=row["lead_id"],
        owners=tuple(Owned(_second(since), user) for since, user in row["owners"] or ()),
        contacts=tuple(contact for listed in row["contacts"] or () if (contact := _contact(listed)) is not None),
        hops=tuple(Hop(_moment(at), bool(final)) for at, final in row["hops"] or ()),
        closed_at=row["closed_at"],
        outcome=row["outcome"],
        grade=row["grade"],
        read={source: at for source, at in read.items() if at is not None},
        desk=row["desk"],
    )


def _contact(listed: Sequence[Any]) -> Contact | None:
    activity_id, kind, responsible, author, created, start, end, updated, talked, happened = listed
    return contact_of(
        Activity(
            activity_id=activity_id,
            kind=ActivityKind(kind),
            provider=None,
            direction=None,
            completed=True,
            owner_type_id=None,
            owner_id=None,
            responsible_id=responsible,
            author_id=author,
            created_at=_perhaps(created),
            start_at=_perhaps(start),
            end_at=_perhaps(end),
            updated_at=_perhaps(updated),
            talk_seconds=talked,
            happened=_HAPPENED[happened],
        )
    )


def _moment(told: str) -> datetime:
    return datetime.fromisoformat(told)


def _second(told: str) -> datetime:
    """What tells two changes of one second apart is their order; as working time, a microsecond too many at the end of
    a day would be the next morning."""
    return _moment(told).replace(microsecond=0)


def _perhaps(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)
