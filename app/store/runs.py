"""Runs: every pass of a card through the flow, with what was seen, judged, planned and done; kept for ever.

`open_run` commits before anything is written to the portal, `close_run` after. A run that is open and has
nobody working on it was cut off by a crash: its actions tell which writes may have happened.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Table, and_, bindparam, func, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert

from app.store.cards import CardKey
from app.store.database import ReadSession, WriteSession
from app.store.json_text import storable_text
from app.store.models import ActionRow, RunRow
from app.store.records import Record

RunMode = Literal["live", "shadow"]
RunStatus = Literal["open", "done", "failed", "parked", "abandoned"]
ActionState = Literal["planned", "started", "done", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """One write a run is about to make; `key` is the same for the same effect in every run."""

    key: str
    kind: str
    payload: Mapping[str, Any]
    started: bool = False


@dataclass(frozen=True, slots=True)
class FinishedAction:
    """How one write ended; `result` is JSON, e.g. the new card's id."""

    key: str
    state: Literal["done", "skipped", "failed"] = "done"
    result: Any = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run before its writes. `seen` holds the card's stage, times and people as it was read.

    `snapshot` holds the cards behind the facts, as `domain.kept_cards` shortens them.
    """

    card: CardKey
    mode: RunMode
    seen: Mapping[str, Any]
    facts: Any
    facts_digest: str
    opened_at: datetime
    verdict: Any = None
    plan: Any = None
    ruleset_version: int | None = None
    journal_id: int | None = None
    snapshot: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run as it is kept."""

    id: int
    portal_id: int
    entity_type_id: int
    card_id: int
    journal_id: int | None
    ruleset_version: int | None
    mode: RunMode
    opened_at: datetime
    closed_at: datetime | None
    status: RunStatus
    seen: dict[str, Any]
    facts: Any
    facts_digest: str
    verdict: Any
    plan: Any
    error: str | None

    @property
    def card(self) -> CardKey:
        return CardKey(self.portal_id, self.entity_type_id, self.card_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAction:
    """One action of a run and what became of it."""

    run_id: int
    position: int
    portal_id: int
    key: str
    kind: str
    payload: dict[str, Any]
    state: ActionState
    started_at: datetime | None
    finished_at: datetime | None
    result: Any
    error: str | None


@dataclass(frozen=True, slots=True)
class Chapter:
    """A run of a card's story with its actions."""

    run: Run
    actions: tuple[KeptAction, ...]


# Made once: a statement built anew for each run costs more than running it.
_INSERT_RUN = insert(cast("Table", RunRow.__table__)).returning(RunRow.id)
_INSERT_ACTION = insert(cast("Table", ActionRow.__table__))
_FINISH_ACTION = text("""
    UPDATE actions SET state = :state, finished_at = now(), result = :result, error = :error
    WHERE run_id = :run_id AND key = :key
""").bindparams(bindparam("result", type_=JSONB(none_as_null=True)))
_START_ACTIONS = text("""
    UPDATE actions SET state = 'started', started_at = clock_timestamp() WHERE run_id = :run_id AND key = ANY(:keys)
""")
_CLOSE_RUN = text("""
    UPDATE runs SET status = :status, error = :error, closed_at = coalesce(CAST(:closed_at AS timestamptz), now())
    WHERE id = :run_id AND status = 'open'
""")
_ABANDON_RUNS = text("""
    UPDATE runs SET status = 'abandoned', closed_at = now()
    WHERE portal_id = :portal_id AND entity_type_id = :entity_type_id AND card_id = :card_id AND status = 'open'
""")
_MAKING = text("""
    SELECT EXISTS (
        SELECT FROM runs WHERE portal_id = :portal_id AND status = 'open' AND opened_at > :since
            AND plan -> 'claims' ?| CAST(:claims AS text[])
            AND EXISTS (SELECT FROM actions WHERE actions.run_id = runs.id AND kind = 'create'
                        AND state IN ('planned', 'started'))
    )
""")
_RUN = Record(Run, RunRow)
_ACTION = Record(KeptAction, ActionRow)


async def open_run(session: WriteSession, new: NewRun, actions: Sequence[PlannedAction] = ()) -> int:
    """Write the run and its plan down; the run's number. Commit before the first write to the portal."""
    told = {field.name: getattr(new, field.name) for field in fields(NewRun) if field.name != "card"}
    values = new.card._asdict() | told
    # Whoever judges holds the card's lock, so a run that is still open was cut off.
    await abandon(session, new.card)
    run_id: int = (await session.execute(_INSERT_RUN, values)).scalar_one()
    if actions:
        rows = [
            {
                "run_id": run_id,
                "position": position,
                "portal_id": new.card.portal_id,
                "key": action.key,
                "kind": action.kind,
                "payload": dict(action.payload),
                "state": "started" if action.started else "planned",
                "started_at": new.opened_at if action.started else None,
            }
            for position, action in enumerate(actions)
        ]
        await session.execute(_INSERT_ACTION, rows)
    return run_id


async def abandon(session: WriteSession, card: CardKey) -> None:
    """Close what is open of the card's runs: they were cut off, and nobody goes on with them."""
    await session.execute(_ABANDON_RUNS, card._asdict())


async def making(session: ReadSession, portal_id: int, claims: Iterable[int], *, since: datetime) -> bool:
    """Whether an open run has cards left to make for people with these claims; one that died may have begun to.

    Runs from before `since` no longer count, whatever became of them.
    """
    values = {"portal_id": portal_id, "claims": [str(one) for one in claims], "since": since}
    return bool(await session.scalar(_MAKING, values))


async def close_run(
    session: WriteSession,
    run_id: int,
    *,
    status: Literal["done", "failed", "parked", "abandoned"],
    error: str | None = None,
    closed_at: datetime | None = None,
) -> None:
    """End the run; one that is closed already stays as it was."""
    ended = {"run_id": run_id, "status": status, "error": _text(error), "closed_at": closed_at}
    await session.execute(_CLOSE_RUN, ended)


async def progress(
    session: WriteSession, run_id: int, *, finished: Sequence[FinishedAction] = (), starting: Iterable[str] = ()
) -> None:
    """Write down how some writes ended and which go out now.

    After a crash, what is started and not finished is looked for in the portal before it is repeated.
    """
    if finished:
        ended = [
            {"run_id": run_id, "key": one.key, "state": one.state, "result": one.result, "error": _text(one.error)}
            for one in finished
        ]
        await session.execute(_FINISH_ACTION, ended)
    if keys := list(starting):
        await session.execute(_START_ACTIONS, {"run_id": run_id, "keys": keys})


async def get(session: ReadSession, run_id: int) -> Run | None:
    return await _RUN.one(session, _RUN.query().where(RunRow.id == run_id))


async def snapshot_of(session: ReadSession, run_id: int) -> Any:
    """The cards behind the run's facts, None where they were not kept. Apart from `get`, since few need so much."""
    return await session.scalar(select(RunRow.snapshot).where(RunRow.id == run_id))


async def actions_of(session: ReadSession, run_id: int) -> list[KeptAction]:
    """In the order of the plan."""
    query = _ACTION.query().where(ActionRow.run_id == run_id)
    return await _ACTION.all(session, query.order_by(ActionRow.position))


async def last_done_action(session: ReadSession, *, portal_id: int, key: str) -> KeptAction | None:
    """The newest time this effect was reached, in whatever run."""
    query = _ACTION.query().where(ActionRow.portal_id == portal_id, ActionRow.key == key, ActionRow.state == "done")
    return await _ACTION.one(session, query.order_by(ActionRow.run_id.desc()).limit(1))


async def latest(
    session: ReadSession, *, portal_id: int, entity_type_id: int | None = None, limit: int = 50
) -> list[Run]:
    """The portal's newest runs, the newest first."""
    query = _RUN.query().where(RunRow.portal_id == portal_id)
    if entity_type_id is not None:
        query = query.where(RunRow.entity_type_id == entity_type_id)
    return await _RUN.all(session, query.order_by(RunRow.id.desc()).limit(limit))


async def last_run(session: ReadSession, key: CardKey) -> Run | None:
    """The card's newest run, open or closed."""
    query = _RUN.query().where(_of(key))
    return await _RUN.one(session, query.order_by(RunRow.id.desc()).limit(1))


async def last_run_before_move(
    session: ReadSession, key: CardKey, *, moved_time: str | None, stage: str | None
) -> Run | None:
    """The card's newest run that saw another `moved_time` or stage (texts in `seen`): before the latest move.

    Asked before a run is opened, so one that is still open was cut off, and counts: it may have moved the card.
    The portal's times are of whole seconds, in which a card can be moved twice.
    """
    query = _RUN.query().where(
        _of(key),
        or_(
            RunRow.seen["moved_time"].astext.is_distinct_from(moved_time),
            RunRow.seen["stage"].astext.is_distinct_from(stage),
        ),
    )
    return await _RUN.one(session, query.order_by(RunRow.id.desc()).limit(1))


async def open_runs(session: ReadSession, key: CardKey) -> list[Run]:
    """The card's runs that nobody closed, the oldest first. Whoever holds the card's lock may settle them."""
    query = _RUN.query().where(_of(key), RunRow.status == "open")
    return await _RUN.all(session, query.order_by(RunRow.id))


async def story(session: ReadSession, key: CardKey, *, limit: int = 50) -> list[Chapter]:
    """The card's runs with their actions, the newest first."""
    query = _RUN.query().where(_of(key))
    runs = await _RUN.all(session, query.order_by(RunRow.id.desc()).limit(limit))
    wanted = _ACTION.query().where(ActionRow.run_id.in_([run.id for run in runs]))
    by_run: dict[int, list[KeptAction]] = {run.id: [] for run in runs}
    for action in await _ACTION.all(session, wanted.order_by(ActionRow.run_id, ActionRow.position)):
        by_run[action.run_id].append(action)
    return [Chapter(run=run, actions=tuple(by_run[run.id])) for run in runs]


async def count_by_status(session: ReadSession, *, portal_id: int) -> dict[str, int]:
    query = select(RunRow.status, func.count()).where(RunRow.portal_id == portal_id).group_by(RunRow.status)
    return {row[0]: row[1] for row in await session.execute(query)}


def _of(key: CardKey) -> ColumnElement[bool]:
    return and_(
        RunRow.portal_id == key.portal_id,
        RunRow.entity_type_id == key.entity_type_id,
        RunRow.card_id == key.card_id,
    )


def _text(value: str | None) -> str | None:
    return None if value is None else storable_text(value)
