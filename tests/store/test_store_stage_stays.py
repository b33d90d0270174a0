"""Stage stays against walking through each card's moves by hand, whatever the order in which the moves came."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

from app.store import stage_moves
from app.store.database import Database
from app.store.stage_moves import StageMove

pytestmark = pytest.mark.anyio

BASE = datetime(2026, 3, 1, 9, tzinfo=UTC)
STAGES = [("NEW", "P"), ("WORK", "P"), ("OFFER", "P"), ("WON", "S"), ("LOSE", "F")]


def made_up(portal_id: int, seed: int) -> list[StageMove]:
    """Back moves, reopened cards, moves to another pipeline, cards whose creation was not seen, no time told."""
    dice = random.Random(seed)
    moves: list[StageMove] = []
    at, number = BASE, 0
    for _ in range(150):
        card, kind = dice.randrange(1, 25), dice.choice([1, 2])
        number += dice.randrange(1, 4)
        # Times have whole seconds: two moves may tell the same one, and a clock may have been set back.
        at += timedelta(seconds=dice.choice([0, 1, 60, 86_400, -30]))
        stage, semantics = dice.choice(STAGES)
        pipeline = dice.choice([0, 0, 0, 4]) if kind == 2 else None
        moves.append(
            StageMove(
                portal_id=portal_id,
                entity_type_id=kind,
                history_id=number,
                card_id=card,
                type_id=2,
                stage_id=stage,
                category_id=pipeline,
                semantics=semantics,
                created_time=None if dice.random() < 0.02 else at,
            )
        )
    return moves


def by_hand(moves: list[StageMove]) -> list[tuple[Any, ...]]:
    told: list[tuple[Any, ...]] = []
    for card in {(move.entity_type_id, move.card_id) for move in moves}:
        of_card = [move for move in moves if (move.entity_type_id, move.card_id) == card and move.created_time]
        of_card.sort(key=lambda move: move.history_id)
        for move, following in pairwise([*of_card, None]):
            left = how = None
            if following is not None:
                left = max(following.created_time, move.created_time)
                if following.semantics in {"S", "F"}:
                    how = {"S": "won", "F": "lost"}[following.semantics]
                elif move.semantics in {"S", "F"}:
                    how = "reopened"
                else:
                    how = "pipeline" if (following.category_id or 0) != (move.category_id or 0) else "moved"
            meaning = {"P": "process", "S": "success", "F": "failure"}[move.semantics]
            stands = (*card, move.history_id, move.category_id or 0, move.stage_id, meaning, move.created_time)
            told.append((*stands, left, following and following.stage_id, how))
    return sorted(told, key=lambda stay: (stay[0], stay[2]))


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_stays_are_what_the_moves_say_in_whatever_order_they_come(
    database: Database, portal_id: int, seed: int
) -> None:
    moves = made_up(portal_id, seed)
    dice = random.Random(seed)
    # The sweep reads what is new; a backfill brings what was before, later and in pieces.
    coming = [*moves[100:], *dice.sample(moves[:100], 100)] if seed % 2 else moves
    while coming:
        size = dice.randrange(1, 30)
        piece, coming = coming[:size], coming[size:]
        async with database.writing() as session:
            for kind in (1, 2):
                await stage_moves.keep(session, [move for move in piece if move.entity_type_id == kind])
    async with database.reading() as session:
        rows = await session.execute(
            text("""
                SELECT entity_type_id, card_id, history_id, pipeline, stage_id, semantics, entered_at, left_at,
                       next_stage, how_left
                FROM stage_stays WHERE portal_id = :portal ORDER BY entity_type_id, history_id
            """),
            {"portal": portal_id},
        )
        found = [tuple(row) for row in rows]
    wanted = by_hand(moves)
    assert found == wanted
    assert {stay[-1] for stay in wanted} == {None, "won", "lost", "reopened", "pipeline", "moved"}
