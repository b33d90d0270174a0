"""Recorded cards of a period in bulk, for replays: each card once, as its last run of the period saw it.

Called by `app/pipeline/replay_share.py` in a process of its own, over a plain psycopg connection: a replay reads a
portal's whole past, and the process that judges cards has no time for that. A page is a range of the cards' key, so
that memory is bounded and a replay that was broken off goes on where it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row


class Place(NamedTuple):
    """A card in the order of the cards' key, within one portal."""

    entity_type_id: int
    card_id: int


START = Place(0, 0)
"""Before all cards."""


class Period(NamedTuple):
    """Runs opened from `since` on and before `until`, of one portal."""

    portal_id: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class RecordedCard:
    """One card and its last run of the period. `outcome`, `grade`, `declined` are of the recorded verdict.

    `stage_id`, `state` and `moved_by` tell where the card stands now; `responsible` who had it at the time of the run.
    """

    entity_type_id: int
    card_id: int
    run_id: int
    opened_at: datetime
    ruleset_version: int | None
    facts: dict[str, Any]
    snapshot: dict[str, Any] | None
    outcome: str | None
    grade: str | None
    declined: bool | None
    stage_id: str | None
    state: str
    moved_by: int | None
    responsible: int | None


@dataclass(frozen=True, slots=True)
class LeadDeal:
    """The deal that a lead became, as it stands now."""

    lead_id: int
    deal_id: int
    stage_id: str | None
    state: str


# What was broken off by a crash was judged again at once; only runs that were carried through are records.
_CARDS = """
    SELECT card.entity_type_id, card.card_id, run.id AS run_id, run.opened_at, run.ruleset_version, run.facts,
           run.snapshot, run.outcome, run.grade, run.declined, card.stage_id, card.state, card.moved_by,
           coalesce(run.responsible, card.assigned_by_id) AS responsible
    FROM cards AS card CROSS JOIN LATERAL (
        SELECT id, opened_at, ruleset_version, facts, CASE WHEN %(snapshots)s THEN snapshot END AS snapshot,
               said.outcome, said.grade, said.declined, CAST(seen ->> 'responsible' AS bigint) AS responsible
        -- Taken apart once: each `->>` would unpack the whole verdict again.
        FROM runs CROSS JOIN LATERAL
             jsonb_to_record(runs.verdict) AS said(outcome text, grade text, declined boolean)
        WHERE portal_id = card.portal_id AND entity_type_id = card.entity_type_id AND card_id = card.card_id
          AND opened_at >= %(since)s AND opened_at < %(until)s
          AND status IN ('done', 'failed', 'parked') AND verdict IS NOT NULL
        ORDER BY id DESC
        LIMIT 1
    ) AS run
    WHERE card.portal_id = %(portal_id)s AND card.entity_type_id IN (1, 2)
      AND (card.judged_at >= %(since)s OR card.judged_at IS NULL)
      AND (card.entity_type_id, card.card_id) > (%(after_type)s, %(after_id)s)
      AND (card.entity_type_id, card.card_id) <= (%(last_type)s, %(last_id)s)
    ORDER BY card.entity_type_id, card.card_id
"""
_DEALS = """
    SELECT DISTINCT ON (lead_id) lead_id, deal.card_id AS deal_id, deal.stage_id, deal.state
    FROM unnest(%(leads)s::bigint[]) AS lead_id
    JOIN actions AS made ON made.portal_id = %(portal_id)s AND made.key = format('lead-%%s:deal', lead_id)
                        AND made.state = 'done'
    JOIN cards AS deal ON deal.portal_id = %(portal_id)s AND deal.entity_type_id = 2
                      AND deal.card_id = CAST(made.result ->> 'id' AS bigint)
    ORDER BY lead_id, made.run_id DESC
"""
_MOVES = """
    SELECT DISTINCT ON (card_id) card_id, semantics
    FROM stage_moves
    WHERE portal_id = %(portal_id)s AND entity_type_id = %(entity_type_id)s AND card_id = ANY(%(cards)s::bigint[])
    ORDER BY card_id, history_id DESC
"""


def read_page(
    connection: psycopg.Connection[Any], period: Period, *, after: Place, last: Place, snapshots: bool
) -> list[RecordedCard]:
    """The cards after one place up to and with another. Without `snapshots` the cards behind the facts stay unread."""
    asked = {
        **period._asdict(),
        "after_type": after.entity_type_id,
        "after_id": after.card_id,
        "last_type": last.entity_type_id,
        "last_id": last.card_id,
        "snapshots": snapshots,
    }
    with connection.cursor(row_factory=class_row(RecordedCard)) as cursor:
        return cursor.execute(_CARDS, asked).fetchall()


def deals_of(connection: psycopg.Connection[Any], portal_id: int, leads: Sequence[int]) -> dict[int, LeadDeal]:
    """The deals that we made of these leads, by lead."""
    with connection.cursor(row_factory=class_row(LeadDeal)) as cursor:
        found = cursor.execute(_DEALS, {"portal_id": portal_id, "leads": list(leads)}).fetchall()
    return {one.lead_id: one for one in found}


def last_moves(
    connection: psycopg.Connection[Any], portal_id: int, entity_type_id: int, cards: Sequence[int]
) -> dict[int, str | None]:
    """P, S or F of the last move that a sweep saw, by card: for stages that the portal no longer has."""
    asked = {"portal_id": portal_id, "entity_type_id": entity_type_id, "cards": list(cards)}
    return dict(connection.execute(_MOVES, asked).fetchall())


def reader(conninfo: str) -> psycopg.Connection[Any]:
    """A connection that can only read, each statement a transaction of its own."""
    connection: psycopg.Connection[Any] = psycopg.connect(
        conninfo, autocommit=True, application_name="ogon-replay", connect_timeout=5
    )
    connection.read_only = True
    # A page is planned in no time and read once: compiling it costs more than it saves.
    connection.execute("SET jit = off")
    connection.execute("SET statement_timeout = '120s'")
    return connection
