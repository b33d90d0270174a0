"""What the screens tell of one card beyond its row: runs page by page, and the journal entries that led to them.

Called by the web only; `runs.story` and `journal.recent` serve everybody else.
"""

from dataclasses import fields
from typing import Any

from sqlalchemy import select

from app.store.cards import CardKey
from app.store.database import ReadSession
from app.store.journal import Entry
from app.store.models import ActionRow, JournalRow, RunRow
from app.store.records import Record
from app.store.runs import Chapter, KeptAction, Run

_RUN = Record(Run, RunRow)
_ACTION = Record(KeptAction, ActionRow)
_ENTRY_COLUMNS: tuple[Any, ...] = tuple(getattr(JournalRow, field.name) for field in fields(Entry))


async def chapters(
    session: ReadSession, key: CardKey, *, limit: int = 20, before_run: int | None = None
) -> list[Chapter]:
    """The card's runs with their actions, the newest first; go on with `before_run` set to the last one's id."""
    query = _RUN.query().where(
        RunRow.portal_id == key.portal_id,
        RunRow.entity_type_id == key.entity_type_id,
        RunRow.card_id == key.card_id,
    )
    if before_run is not None:
        query = query.where(RunRow.id < before_run)
    found = await _RUN.all(session, query.order_by(RunRow.id.desc()).limit(limit))
    by_run: dict[int, list[KeptAction]] = {run.id: [] for run in found}
    wanted = _ACTION.query().where(ActionRow.run_id.in_(list(by_run)))
    for action in await _ACTION.all(session, wanted.order_by(ActionRow.run_id, ActionRow.position)):
        by_run[action.run_id].append(action)
    return [Chapter(run=run, actions=tuple(by_run[run.id])) for run in found]


async def last_judged(session: ReadSession, key: CardKey) -> Chapter | None:
    """The card's newest run that came to a verdict, with its actions."""
    query = _RUN.query().where(
        RunRow.portal_id == key.portal_id,
        RunRow.entity_type_id == key.entity_type_id,
        RunRow.card_id == key.card_id,
        RunRow.verdict.is_not(None),
    )
    run = await _RUN.one(session, query.order_by(RunRow.id.desc()).limit(1))
    if run is None:
        return None
    wanted = _ACTION.query().where(ActionRow.run_id == run.id).order_by(ActionRow.position)
    return Chapter(run=run, actions=tuple(await _ACTION.all(session, wanted)))


async def hints(session: ReadSession, key: CardKey, *, limit: int = 50, before_id: int | None = None) -> list[Entry]:
    """Journal entries that named the card, the newest first; old ones are pruned, runs are not."""
    query = select(*_ENTRY_COLUMNS).where(
        JournalRow.portal_id == key.portal_id,
        JournalRow.entity_type_id == key.entity_type_id,
        JournalRow.card_id == key.card_id,
    )
    if before_id is not None:
        query = query.where(JournalRow.id < before_id)
    rows = await session.execute(query.order_by(JournalRow.id.desc()).limit(limit))
    return [Entry(**{field.name: getattr(row, field.name) for field in fields(Entry)}) for row in rows]
