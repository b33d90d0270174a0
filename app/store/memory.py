"""What we remember of a card, derived from the actions of its runs: the one record of what we did and meant to do.

Called by `app/pipeline/process.py` before planning. Nothing here is kept a second time on the card's row, so a crash
between an action and the end of its run cannot make the two differ.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from app.domain.second_look import is_second_look, todo_key
from app.domain.snapshot import Memory, OpenTodo, SecondLook
from app.domain.verdict import Outcome
from app.store import runs, second_looks
from app.store.cards import CardKey
from app.store.database import ReadSession

_HOUR = timedelta(hours=1)
_NOT_TWICE = frozenset({"create", "comment", "todo"})
"""Kinds of action whose repetition would show. A move that was only meant stays among `our_stages` either way."""


@dataclass(frozen=True, slots=True)
class PastAction:
    """One started or done action of an earlier run. `seen_stage`: where the card stood when that run read it."""

    run_id: int
    key: str
    kind: str
    state: str
    payload: Mapping[str, Any]
    result: Mapping[str, Any] | None
    started_at: datetime
    seen_stage: str | None


@dataclass(frozen=True, slots=True)
class Recollection:
    """The memory for `plan`, and the actions whose outcome a dead run left open: to be settled before planning."""

    memory: Memory
    in_doubt: tuple[PastAction, ...]


async def recall(
    session: ReadSession, card: CardKey, *, moved_time: str | None, stage: str | None, now: datetime
) -> Recollection:
    """Recall a card. `moved_time`, `stage`: its present `movedTime` and `stageId` as the portal printed them."""
    actions = await _past_actions(session, card, now)
    before = await runs.last_run_before_move(session, card, moved_time=moved_time, stage=stage)
    look = None
    if card.entity_type_id == second_looks.LEAD:
        look = await second_looks.newest_of_lead(session, card.portal_id, card.card_id)
    moves = [action for action in actions if action.kind == "move"]
    last_move = moves[-1] if moves else None
    done = {action.key for action in actions if action.state == "done"}
    return Recollection(
        Memory(
            our_stages=tuple(str(move.payload["stage"]) for move in moves),
            stage_before=last_move.seen_stage if last_move else None,
            seen_before_move=before.facts_digest if before else None,
            outcome_before_move=before.verdict.get("decision") if before and before.verdict else None,
            comment_digest=_last_comment(actions),
            todo=_open_todo(actions),
            recent_moves=sum(now - move.started_at < _HOUR for move in moves),
            recent_writes=Counter(
                action.key for action in actions if (action.kind, action.state) == ("update", "done")
            ),
            second_look=_second_look(look, actions) if look else None,
            told=frozenset(action.key for action in actions if action.kind == "notify" and action.state != "started"),
        ),
        tuple(
            action
            for action in actions
            if action.kind in _NOT_TWICE and action.state == "started" and action.key not in done
        ),
    )


async def _past_actions(session: ReadSession, card: CardKey, now: datetime) -> Sequence[PastAction]:
    rows = await session.execute(
        text("""
            SELECT run.id, action.key, action.kind, action.state, action.payload, action.result,
                   action.started_at, run.seen ->> 'stage'
            FROM runs AS run JOIN actions AS action ON action.run_id = run.id
            WHERE run.portal_id = :portal_id AND run.entity_type_id = :entity_type_id AND run.card_id = :card_id
              AND (action.state IN ('started', 'done') OR (action.kind, action.state) = ('notify', 'failed'))
              AND (action.kind IN ('move', 'comment', 'todo', 'complete_todo', 'create', 'notify')
                   OR (action.kind = 'update' AND action.started_at > :lately))
            ORDER BY run.id, action.position
        """),
        {
            "portal_id": card.portal_id,
            "entity_type_id": card.entity_type_id,
            "card_id": card.card_id,
            "lately": now - _HOUR,
        },
    )
    return [PastAction(*row) for row in rows]


def _last_comment(actions: Sequence[PastAction]) -> str | None:
    """The digest stands at the end of the key: `lead-7:comment:<digest>`."""
    comments = [action for action in actions if action.kind == "comment" and action.state == "done"]
    return comments[-1].key.rpartition(":")[2] if comments else None


def _open_todo(actions: Sequence[PastAction]) -> OpenTodo | None:
    todo: OpenTodo | None = None
    for action in actions:
        if action.state != "done":
            continue
        if action.kind == "todo" and action.result and not is_second_look(action.key):
            todo = OpenTodo(int(action.result["id"]), str(action.payload["digest"]))
        elif action.kind == "complete_todo" and todo and action.payload["activity_id"] == todo.activity_id:
            todo = None
    return todo


def _second_look(look: second_looks.SecondLook, actions: Sequence[PastAction]) -> SecondLook:
    key = todo_key(look.card_id, look.week)
    done = [action for action in actions if action.state == "done"]
    made = next((action.result for action in done if action.key == key and action.result), None)
    activity_id = int(made["id"]) if made else None
    closed = any(action.kind == "complete_todo" and action.payload["activity_id"] == activity_id for action in done)
    return SecondLook(
        look.week,
        Outcome(look.outcome),
        activity_id,
        answered=look.answer is not None,
        closed=closed or look.completed_at is not None,
    )
