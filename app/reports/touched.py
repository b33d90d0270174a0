"""The cards behind counted touches: a number of calls or letters opens to the leads and deals that they belong to.

One card may have many touches and one touch several cards, so that such a number is not a number of cards: what is
opened says how many of both there are.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from app.domain.messages import Message, message
from app.domain.ruleset import ActivityPoints
from app.reports.grouped import card_of, paged
from app.reports.report import FoundCards
from app.reports.scope import Scope
from app.store.database import ReadSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """Which touches of the scope's period. `user` 0 is nobody; `company`: those of one client, else each counts once.

    `managers` False: whoever touched, also where the scope is narrowed to people. `amount`: only of known amount.
    """

    kinds: tuple[str, ...]
    user: int | None = None
    company: int | None = None
    managers: bool = True
    amount: bool = False


# What a touch belongs to is told by what it was counted from, as `app/store/touches.py` counts it.
_CARDS: Final = """
    WITH touch AS MATERIALIZED (
        SELECT source, source_id, at FROM touches
        WHERE portal_id = :portal AND kind = ANY(CAST(:kinds AS text[])) AND day >= :since AND day <= :until AND {which}
    ), thing AS (
        SELECT touch.*, call.entity_type_id, call.entity_id,
            CASE touch.source WHEN 'activity' THEN touch.source_id ELSE call.activity_id END AS activity_id
        FROM touch LEFT JOIN calls AS call
            ON touch.source = 'call' AND call.portal_id = :portal AND call.statistic_id = touch.source_id
        WHERE touch.source IN ('activity', 'call')
    ), bound AS (
        SELECT source, source_id, at, binding.entity_type_id, binding.card_id FROM thing
        JOIN activity_bindings AS binding ON binding.portal_id = :portal AND binding.activity_id = thing.activity_id
        UNION ALL
        SELECT source, source_id, at, activity.owner_type_id, activity.owner_id FROM thing
        JOIN activities AS activity ON activity.portal_id = :portal AND activity.activity_id = thing.activity_id
        UNION ALL
        SELECT source, source_id, at, entity_type_id, entity_id FROM thing
        UNION ALL
        SELECT source, source_id, at, parent.entity_type_id, parent.card_id FROM touch
        JOIN quotes AS paper ON paper.portal_id = :portal AND paper.quote_id = touch.source_id
        CROSS JOIN LATERAL (VALUES (1, paper.lead_id), (2, paper.deal_id), (4, paper.company_id))
            AS parent (entity_type_id, card_id)
        WHERE source = 'quote'
        UNION ALL
        SELECT source, source_id, at, parent.entity_type_id, parent.card_id FROM touch
        JOIN invoices AS paper ON paper.portal_id = :portal AND paper.invoice_id = touch.source_id
        CROSS JOIN LATERAL (VALUES (1, paper.lead_id), (2, paper.deal_id), (4, paper.company_id))
            AS parent (entity_type_id, card_id)
        WHERE source IN ('invoice', 'payment')
        UNION ALL
        SELECT source, source_id, at, 2, source_id FROM touch WHERE source = 'sale'
    ), kept AS MATERIALIZED (
        SELECT * FROM bound WHERE entity_type_id IN (1, 2, 4) AND card_id IS NOT NULL AND {whose}
    ), behind AS MATERIALIZED (
        SELECT * FROM kept WHERE entity_type_id <> 4
        UNION ALL
        SELECT * FROM kept AS client WHERE entity_type_id = 4 AND NOT EXISTS (
            SELECT FROM kept AS card WHERE card.entity_type_id <> 4
              AND card.source = client.source AND card.source_id = client.source_id)
    ), card AS (
        SELECT entity_type_id, card_id, max(at) AS at FROM behind GROUP BY entity_type_id, card_id
    )
"""
# A thing may belong to several clients: of one of them, only what is his.
_OF_CLIENT: Final = """(
    entity_type_id = 4 AND card_id = :company
    OR entity_type_id = 2 AND EXISTS (SELECT FROM deal_figures AS deal
        WHERE deal.portal_id = :portal AND deal.card_id = bound.card_id AND deal.company_id = :company)
    OR entity_type_id = 1 AND EXISTS (SELECT FROM lead_figures AS lead
        WHERE lead.portal_id = :portal AND lead.card_id = bound.card_id AND lead.company_id = :company)
)"""
_COUNTS: Final = """
    (SELECT count(*) FROM card) AS total, (SELECT count(*) FROM touch) AS touches,
    (SELECT count(*) FROM (SELECT DISTINCT source, source_id FROM behind) AS one) AS belonging
"""
_USERS: Final = "user_id = ANY(CAST(:managers AS bigint[]))"


async def open_touched(session: ReadSession, scope: Scope, wanted: Touched, limit: int, offset: int) -> FoundCards:
    """The leads and deals touched; a company where only it was. `at` is the card's last touch among these."""
    which = ["main" if wanted.company is None else "company_id = :company"]
    if wanted.user is not None:
        which.append("user_id = :user")
    if wanted.managers and scope.managers is not None:
        which.append(_USERS)
    if wanted.amount:
        which.append("amount IS NOT NULL")
    whose = "true" if wanted.company is None else _OF_CLIENT
    cards = _CARDS.replace("{which}", " AND ".join(which)).replace("{whose}", whose)
    values = scope.values | {"kinds": list(wanted.kinds), "user": wanted.user, "company": wanted.company}
    behind = f"""
        {cards}
        SELECT card.*, coalesce(lead.responsible, deal.responsible, company.assigned_by_id) AS responsible, deal.amount,
            {_COUNTS}
        FROM card
        LEFT JOIN lead_figures AS lead ON card.entity_type_id = 1 AND lead.portal_id = :portal
            AND lead.card_id = card.card_id
        LEFT JOIN deal_figures AS deal ON card.entity_type_id = 2 AND deal.portal_id = :portal
            AND deal.card_id = card.card_id
        LEFT JOIN companies AS company ON card.entity_type_id = 4 AND company.portal_id = :portal
            AND company.company_id = card.card_id
    """  # noqa: S608 - constants
    # All are found to count them: the counts come with the page, and alone only where it is empty.
    rows = (await session.execute(text(paged(behind)), values | {"limit": limit, "offset": offset})).all()
    counts = rows[0] if rows else (await session.execute(text(f"{cards} SELECT {_COUNTS}"), values)).one()
    said = _said(counts.total, counts.touches, counts.touches - counts.belonging)
    return FoundCards(tuple(card_of(row) for row in rows), counts.total, said)


def _said(cards: int, touches: int, bare: int) -> tuple[Message, ...]:
    behind = message(
        "Behind the number are actions: {touches}. The cards that they belong to: {cards}; a company stands where an "
        "action belongs to no lead or deal.",
        touches=touches,
        cards=cards,
    )
    return (behind, message("Actions that belong to no card: {bare}.", bare=bare)) if bare else (behind,)


def worth(points: ActivityPoints) -> tuple[str, ...]:
    """The kinds of touches to which the rules give any points."""
    each = {
        "call_out": points.call,
        "call_in": points.call,
        "letter_out": points.letter,
        "chat": points.chat,
        "meeting": points.meeting,
        "quote": points.proposal,
        "invoice": points.invoice,
    }
    return tuple(kind for kind, given in each.items() if given)
