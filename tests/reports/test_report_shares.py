"""Shares of the pools, from the assignments as they are kept."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.domain.messages import in_english
from app.reports.report import Number
from app.reports.shares import REPORT
from app.store.database import Database
from tests.reports.world import NOW, SINCE, asked

pytestmark = pytest.mark.anyio

IN, BEFORE = NOW - timedelta(days=40), NOW - timedelta(days=400)
# Kind and number of the card, whose it became, why, whether it cost a turn, whether that was given back, when.
GIVEN = [
    (1, 1, 7, "turn", True, False, IN),
    (1, 2, 7, "turn", True, True, IN),
    (1, 3, 7, "knows_client", False, False, IN),
    (1, 4, 8, "turn", True, False, IN),
    (1, 4, 7, "turn", True, False, IN),
    (1, 5, None, "turn", False, False, IN),
    (1, 6, 8, "turn", True, False, BEFORE),
    (2, 1, 9, "turn", True, False, IN),
]


async def test_each_person_is_told_with_the_share_of_the_pool(database: Database, portal_id: int) -> None:
    async with database.writing() as session:
        for kind, name in ((1, "first line"), (2, "sales")):
            await session.execute(
                text("""
                    INSERT INTO pools (portal_id, entity_type_id, name, position, document, since, set_by, set_at)
                    VALUES (:portal, :kind, :name, :kind, '{}', now(), 'tests', now())
                """),
                {"portal": portal_id, "kind": kind, "name": name},
            )
        for kind, card, user, why, cost, back, at in GIVEN:
            await session.execute(
                text("""
                    INSERT INTO assignments (portal_id, entity_type_id, card_id, pool_id, user_id, reason, why, barred,
                        shares, cost_turn, chosen_at, given_back_at)
                    SELECT :portal, :kind, :card, id, :user, 'arrival', :why, '{}', '{}', :cost, :at,
                        CASE WHEN :back THEN now() END
                    FROM pools WHERE entity_type_id = :kind
                """),
                {
                    "portal": portal_id,
                    "kind": kind,
                    "card": card,
                    "user": user,
                    "why": why,
                    "cost": cost,
                    "back": back,
                    "at": at,
                },
            )
    scope = await asked(database, portal_id, until=NOW.date())
    async with database.reading() as session:
        (table,) = (await REPORT.tell(session, scope)).tables
        found = await REPORT.open(session, scope, Number("people", "turns", "first line 7"), 50, 0)
    told = {
        in_english(row.label): (
            *(row.cells[name] for name in ("given", "turn", "knows_client", "given_back", "turns")),
            row.cells["share"].hits,
            row.cells["share"].of,
        )
        for row in table.rows
    }
    assert told == {
        "first line: user 7": (4, 3, 1, 1, 2, 4, 6),
        "first line: nobody": (1, 1, 0, 0, 0, 1, 6),
        "first line: user 8": (1, 1, 0, 0, 1, 1, 6),
        "sales: user 9": (1, 1, 0, 0, 1, 1, 1),
    }
    assert [card.card_id for card in found.cards] == [4, 1]
    assert BEFORE.date() < SINCE
