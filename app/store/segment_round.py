"""Which companies want to be looked at, told from our own tables, and their waking. Asks the portal nothing.

Called by `app/pipeline/segment_round.py`. A company is woken by a timer at a moment of its own, so that a portal with
fifty thousand of them is not asked for all at once. One that was looked at today waits for tomorrow, unless something
happened to its to-do: what our tables and the portal disagree on must not become a loop.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import TextClause, text

from app.store import journal
from app.store.database import ReadSession, WriteSession

REASON: Final = "segment"
WON: Final = "WON_DEAL"
MARKED: Final = "SEGMENT_MARK"
BACKGROUND: Final = 2

_AT_WORK = """
    NOT EXISTS (
        SELECT FROM cards WHERE cards.portal_id = :portal AND cards.entity_type_id = 4
          AND cards.card_id = company.company_id AND cards.state IN ('parked', 'deleted'))
"""

# By the calendar, by other rules, or because the portal did not tell its deals; and to-dos nobody has touched for long.
_BY_DATE = text(f"""
    SELECT company_id FROM company_segments AS company
    WHERE portal_id = :portal AND {_AT_WORK} AND (
        looked_on < :today AND (changes_on <= :today OR bounds <> :bounds OR won_deals IS NULL)
        OR todo_id IS NOT NULL AND todo_done_at IS NULL AND looked_on <= :long_ago
    )
""")  # noqa: S608 - constants

_ANSWERED = text(f"""
    SELECT company_id FROM company_segments AS company
    WHERE portal_id = :portal AND todo_id IS NOT NULL AND todo_done_at IS NULL AND {_AT_WORK} AND EXISTS (
        SELECT FROM activities AS todo
        WHERE todo.portal_id = :portal AND todo.activity_id = company.todo_id AND todo.completed
        UNION ALL
        SELECT FROM activities AS contact
        WHERE contact.portal_id = :portal AND contact.owner_type_id = 4 AND contact.owner_id = company.company_id
          AND contact.happened = 'yes' AND contact.activity_id > company.todo_id
          AND coalesce(contact.start_at, contact.created_at) > coalesce(company.last_contact_at, '-infinity')
          AND coalesce(contact.start_at, contact.created_at) <= :now
        UNION ALL
        SELECT FROM activity_bindings AS bound JOIN activities AS contact USING (portal_id, activity_id)
        WHERE bound.portal_id = :portal AND bound.entity_type_id = 4 AND bound.card_id = company.company_id
          AND contact.happened = 'yes' AND bound.activity_id > company.todo_id
          AND coalesce(contact.start_at, contact.created_at) > coalesce(company.last_contact_at, '-infinity')
          AND coalesce(contact.start_at, contact.created_at) <= :now
        UNION ALL
        SELECT FROM cards AS work JOIN activities AS contact
            ON contact.portal_id = work.portal_id AND contact.owner_type_id = work.entity_type_id
            AND contact.owner_id = work.card_id
        WHERE work.portal_id = :portal AND work.company_id = company.company_id AND work.entity_type_id IN (1, 2)
          AND contact.happened = 'yes' AND contact.activity_id > company.todo_id
          AND coalesce(contact.start_at, contact.created_at) > coalesce(company.last_contact_at, '-infinity')
          AND coalesce(contact.start_at, contact.created_at) <= :now
    )
""")  # noqa: S608 - as above

# What we know of won deals beside what the company's last run read. Where we know of none, the portal may: its lists
# are read three years back.
_BY_PURCHASES = text(f"""
    SELECT company.company_id FROM (
        SELECT company_id, max(closed_on) AS last_on FROM (
            SELECT past.company_id, past.closed_on FROM past_deals AS past
            WHERE past.portal_id = :portal AND past.semantics = 'success' AND NOT EXISTS (
                SELECT FROM cards AS card
                WHERE card.portal_id = past.portal_id AND card.entity_type_id = 2 AND card.card_id = past.deal_id
                  AND (card.last_run_id IS NOT NULL OR card.state = 'deleted'))
            UNION ALL
            SELECT card.company_id, (run.seen ->> 'close_date')::date
            FROM cards AS card JOIN runs AS run ON run.id = card.last_run_id
            WHERE card.portal_id = :portal AND card.entity_type_id = 2 AND card.state = 'final'
              AND run.seen ->> 'semantics' = 'success'
        ) AS won WHERE company_id IS NOT NULL GROUP BY company_id
    ) AS company LEFT JOIN company_segments AS known
        ON known.portal_id = :portal AND known.company_id = company.company_id
    WHERE (known.company_id IS NULL OR known.looked_on < :today AND known.last_purchase_on <> company.last_on
           OR known.looked_on < :today AND known.last_purchase_on IS NULL) AND {_AT_WORK}
""")  # noqa: S608 - as above

_WAKE = text("""
    INSERT INTO timers (portal_id, entity_type_id, card_id, reason, due_at, lane)
    SELECT :portal, 4, company_id, :reason,
           CAST(:begin AS timestamptz) + (hashint8(company_id) & 1048575) / 1048576.0 * CAST(:span AS interval), :lane
    FROM unnest(CAST(:companies AS bigint[])) AS company_id
    ON CONFLICT (portal_id, entity_type_id, card_id, reason)
    DO UPDATE SET due_at = excluded.due_at, lane = excluded.lane, fired_at = NULL WHERE timers.fired_at IS NOT NULL
""")
_KNOWN = text("""
    SELECT EXISTS (SELECT FROM cards WHERE portal_id = :portal AND entity_type_id = 4 AND card_id = :company)
""")


async def by_date(session: ReadSession, portal_id: int, *, today: date, bounds: str, patience: timedelta) -> list[int]:
    """Companies whose segment changes with the calendar or the rules; and those whose to-do is `patience` old."""
    values = {"portal": portal_id, "today": today, "bounds": bounds, "long_ago": today - patience}
    return await _ids(session, _BY_DATE, values)


async def answered(session: ReadSession, portal_id: int, *, now: datetime) -> list[int]:
    """Companies whose open to-do was completed, or that somebody has spoken to since it was made."""
    return await _ids(session, _ANSWERED, {"portal": portal_id, "now": now})


async def by_purchases(session: ReadSession, portal_id: int, *, today: date) -> list[int]:
    """Companies that bought at another time than their last run knows; reads all won deals, so call it once a day."""
    return await _ids(session, _BY_PURCHASES, {"portal": portal_id, "today": today})


async def wake(
    session: WriteSession, portal_id: int, companies: Sequence[int], *, begin: datetime, span: timedelta
) -> None:
    """Have each company looked at once, at a moment of its own in the span; one that waits already keeps its moment."""
    values = {"portal": portal_id, "companies": list(companies), "reason": REASON, "lane": BACKGROUND}
    await session.execute(_WAKE, values | {"begin": begin, "span": span})


async def hint(session: WriteSession, portal_id: int, company_id: int, *, won: bool) -> None:
    """A lead or deal tells of its company: that it bought, or that it carries a mark that no run has looked at yet."""
    if not won and await session.scalar(_KNOWN, {"portal": portal_id, "company": company_id}):
        return
    entry = journal.NewEntry(
        source="timer",
        event=WON if won else MARKED,
        portal_id=portal_id,
        entity_type_id=4,
        card_id=company_id,
        lane=BACKGROUND,
    )
    await journal.append(session, [entry])


async def _ids(session: ReadSession, query: TextClause, values: Mapping[str, object]) -> list[int]:
    return list((await session.scalars(query, values)).all())
