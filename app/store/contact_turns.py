"""Whose turn it is to be spoken to: places in a person's daily cap, given to companies whose next contact is due.

Given by `segment_round.py` in bulk, the longest waiting first, and passed on by `app/pipeline/segmenting.py` when a
company has got another owner. Workers that give at the same moment take turns by a lock of the portal, so a cap holds
whatever comes together. A turn is of one due day: the run that makes its to-do finds it by that day.
"""

from datetime import date
from typing import Final

from sqlalchemy import delete, text

from app.store.database import ReadSession, WriteSession
from app.store.models import ContactTurnRow

_LOCK: Final = 395_283  # the first half of a two-part advisory lock; the second is the portal
_IN_TURN = text(f"SELECT pg_advisory_xact_lock({_LOCK}, :portal)")
# Who works on a deal speaks to its client anyway.
_GIVE = text("""
    WITH taken AS (
        SELECT user_id, count(*) AS places FROM contact_turns WHERE portal_id = :portal AND day = :day GROUP BY user_id
    ), waiting AS (
        SELECT company_id, next_contact_on, owner,
               row_number() OVER (PARTITION BY owner ORDER BY next_contact_on, company_id) AS place
        FROM company_segments AS company
        WHERE portal_id = :portal AND next_contact_on <= :day AND owner <> ALL(CAST(:absent AS bigint[]))
          AND NOT EXISTS (
              SELECT FROM contact_turns AS turn WHERE turn.portal_id = company.portal_id
              AND turn.company_id = company.company_id AND turn.due_on = company.next_contact_on)
          AND NOT EXISTS (
              SELECT FROM cards WHERE cards.portal_id = company.portal_id AND (
                  cards.entity_type_id = 4 AND cards.card_id = company.company_id AND state IN ('parked', 'deleted')
                  OR cards.entity_type_id = 2 AND cards.company_id = company.company_id AND state = 'open'))
    )
    INSERT INTO contact_turns (portal_id, company_id, due_on, user_id, day)
    SELECT :portal, company_id, next_contact_on, owner, :day
    FROM waiting LEFT JOIN taken ON taken.user_id = waiting.owner
    WHERE place <= :cap - coalesce(places, 0)
    RETURNING company_id
""")
_PASS_ON = text("""
    UPDATE contact_turns SET user_id = :owner, day = :day
    WHERE portal_id = :portal AND company_id = :company AND due_on = :due AND :cap > (
        SELECT count(*) FROM contact_turns WHERE portal_id = :portal AND day = :day AND user_id = :owner)
    RETURNING company_id
""")
_OWNERS = text("""
    SELECT DISTINCT owner FROM company_segments
    WHERE portal_id = :portal AND next_contact_on <= :day AND owner IS NOT NULL
""")


async def owners_waiting(session: ReadSession, portal_id: int, *, day: date) -> list[int]:
    """Whose companies are due by that day."""
    return list((await session.scalars(_OWNERS, {"portal": portal_id, "day": day})).all())


async def give(session: WriteSession, portal_id: int, *, day: date, cap: int, absent: list[int]) -> list[int]:
    """Give the day's free places to companies that are due, those that wait longest first; which companies.

    At most `cap` for one person on one day, none to whoever is `absent`.
    """
    await session.execute(_IN_TURN, {"portal": portal_id})
    values = {"portal": portal_id, "day": day, "cap": cap, "absent": absent}
    return list((await session.scalars(_GIVE, values)).all())


async def of_company(session: ReadSession, portal_id: int, company_id: int) -> tuple[date, int] | None:
    """The company's newest turn: the day that was due, and whose cap it is in."""
    query = text("""
        SELECT due_on, user_id FROM contact_turns
        WHERE portal_id = :portal AND company_id = :company ORDER BY due_on DESC LIMIT 1
    """)
    row = (await session.execute(query, {"portal": portal_id, "company": company_id})).one_or_none()
    return None if row is None else (row[0], row[1])


async def pass_on(
    session: WriteSession, portal_id: int, company_id: int, due_on: date, *, owner: int, day: date, cap: int
) -> bool:
    """Take the turn into another person's cap; where that is full it is given back, and the company waits on."""
    await session.execute(_IN_TURN, {"portal": portal_id})
    values = {"portal": portal_id, "company": company_id, "due": due_on, "owner": owner, "day": day, "cap": cap}
    if (await session.execute(_PASS_ON, values)).one_or_none() is not None:
        return True
    await give_back(session, portal_id, company_id, due_on)
    return False


async def give_back(session: WriteSession, portal_id: int, company_id: int, due_on: date) -> None:
    """The turn was not needed: somebody has spoken to the company, or it bought."""
    await session.execute(
        delete(ContactTurnRow).where(
            ContactTurnRow.portal_id == portal_id,
            ContactTurnRow.company_id == company_id,
            ContactTurnRow.due_on == due_on,
        )
    )
