"""Pools: who shares out which cards, and whose turn it is. Never deleted, only closed: assignments name them.

Whoever chooses locks the pool's row first, so that two workers never give away the same turn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.domain.assignment import Pool
from app.domain.messages import in_english, message
from app.domain.shares import Turns
from app.domain.snapshot import Entity
from app.errors import OgonError
from app.store import audit
from app.store.database import ReadSession, WriteSession
from app.store.models import PoolRow
from app.store.pool_document import PoolDocument
from app.store.records import Record


class PoolUnknown(OgonError):  # noqa: N818 - says what is the case
    """There is no such open pool."""

    def __init__(self, pool: int) -> None:
        self.said = message("There is no open pool {pool} in this portal: see `ogon pools list`.", pool=str(pool))
        super().__init__(in_english(self.said))


class PoolNameTaken(OgonError):  # noqa: N818 - says what is the case
    """Two open pools of one kind of card cannot have one name."""

    def __init__(self, name: str) -> None:
        self.said = message(
            "There is an open pool {name} for these cards already: change that one, or take another name.", name=name
        )
        super().__init__(in_english(self.said))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPool:
    """A pool as it is kept. `since`: cards made earlier are not shared out."""

    id: int
    portal_id: int
    entity_type_id: int
    name: str
    position: int
    document: dict[str, Any]
    turns: dict[str, Any]
    since: datetime
    set_by: str
    set_at: datetime
    closed_at: datetime | None
    closed_by: str | None

    @property
    def written(self) -> PoolDocument:
        return PoolDocument.model_validate(self.document)

    @property
    def pool(self) -> Pool:
        """The same for the domain."""
        written = self.written
        return Pool(
            id=self.id,
            name=self.name,
            entity=Entity(self.entity_type_id),
            since=self.since,
            members=written.as_members,
            takes=written.takes.takes,
            returning=written.returning,
            head=written.head,
        )

    @property
    def standing(self) -> Turns:
        return turns_from_json(self.turns)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPool:
    """A pool as somebody sets it. `position` None: behind the others, or where it was."""

    name: str
    document: PoolDocument
    position: int | None = None


_RECORD = Record(KeptPool, PoolRow)


async def live(session: ReadSession, portal_id: int) -> list[KeptPool]:
    """The portal's open pools in the order in which they are asked."""
    query = _RECORD.query().where(PoolRow.portal_id == portal_id, PoolRow.closed_at.is_(None))
    return await _RECORD.all(session, query.order_by(PoolRow.entity_type_id, PoolRow.position, PoolRow.id))


async def get(session: ReadSession, portal_id: int, pool_id: int) -> KeptPool:
    """An open pool. Raises PoolUnknown."""
    found = await _RECORD.one(session, _open(portal_id, pool_id))
    if found is None:
        raise PoolUnknown(pool_id)
    return found


async def names(session: ReadSession, portal_id: int) -> dict[int, str]:
    """What pools are called, closed ones too."""
    query = select(PoolRow.id, PoolRow.name).where(PoolRow.portal_id == portal_id)
    return {row[0]: row[1] for row in await session.execute(query)}


async def lock(session: WriteSession, pool_id: int) -> KeptPool | None:
    """The pool, held until the transaction ends; None when it was closed meanwhile."""
    query = _RECORD.query().where(PoolRow.id == pool_id, PoolRow.closed_at.is_(None)).with_for_update()
    return await _RECORD.one(session, query)


async def keep_turns(session: WriteSession, pool_id: int, turns: Turns) -> None:
    """Where a locked pool stands now."""
    await session.execute(update(PoolRow).where(PoolRow.id == pool_id).values(turns=turns_to_json(turns)))


async def add(
    session: WriteSession, portal_id: int, entity: Entity, wanted: WantedPool, *, by: str, at: datetime
) -> KeptPool:
    """Open a pool. Raises PoolNameTaken."""
    position = wanted.position
    if position is None:
        last = select(func.max(PoolRow.position)).where(
            PoolRow.portal_id == portal_id, PoolRow.entity_type_id == int(entity), PoolRow.closed_at.is_(None)
        )
        position = (await session.scalar(last) or 0) + 1
    values = {
        "portal_id": portal_id,
        "entity_type_id": int(entity),
        "name": wanted.name,
        "position": position,
        "document": wanted.document.model_dump(mode="json"),
        "since": at,
        "set_by": by,
        "set_at": at,
    }
    try:
        async with session.begin_nested():
            row = (await session.execute(insert(PoolRow).values(values).returning(*_RECORD.columns))).mappings()
            (made,) = _RECORD.made(row)
    except IntegrityError as error:
        raise PoolNameTaken(wanted.name) from error
    await _note(session, "pool.added", made, by)
    return made


async def change(
    session: WriteSession, portal_id: int, pool_id: int, wanted: WantedPool, *, by: str, at: datetime
) -> KeptPool:
    """Set an open pool anew; turns go on. Raises PoolUnknown, PoolNameTaken.

    A pool that takes other cards than before takes only those made from now on.
    """
    known = await _RECORD.one(session, _open(portal_id, pool_id).with_for_update())
    if known is None:
        raise PoolUnknown(pool_id)
    since = known.since if known.written.takes == wanted.document.takes else at
    values = {
        "name": wanted.name,
        "position": known.position if wanted.position is None else wanted.position,
        "document": wanted.document.model_dump(mode="json"),
        "since": since,
        "set_by": by,
        "set_at": at,
    }
    statement = update(PoolRow).where(PoolRow.id == pool_id).values(values).returning(*_RECORD.columns)
    try:
        async with session.begin_nested():
            (changed,) = _RECORD.made((await session.execute(statement)).mappings())
    except IntegrityError as error:
        raise PoolNameTaken(wanted.name) from error
    await _note(session, "pool.changed", changed, by, before=known)
    return changed


async def close(session: WriteSession, portal_id: int, pool_id: int, *, by: str, at: datetime) -> KeptPool:
    """Share out nothing more by this pool. Raises PoolUnknown."""
    where = (PoolRow.id == pool_id, PoolRow.portal_id == portal_id, PoolRow.closed_at.is_(None))
    statement = update(PoolRow).where(*where).values(closed_at=at, closed_by=by).returning(*_RECORD.columns)
    closed = _RECORD.made((await session.execute(statement)).mappings())
    if not closed:
        raise PoolUnknown(pool_id)
    await _note(session, "pool.closed", closed[0], by)
    return closed[0]


def turns_to_json(turns: Turns) -> dict[str, Any]:
    """As `turns_from_json` reads it; shares as fractions in words, e.g. `7/2`."""
    return {
        "taken": {str(user): str(shares) for user, shares in turns.taken.items()},
        "given_back": {str(user): count for user, count in turns.given_back.items()},
        "reached": str(turns.reached),
    }


def turns_from_json(stored: Mapping[str, Any]) -> Turns:
    """An empty document is a pool that has shared out nothing yet."""
    return Turns(
        taken={int(user): Fraction(shares) for user, shares in stored.get("taken", {}).items()},
        given_back={int(user): int(count) for user, count in stored.get("given_back", {}).items()},
        reached=Fraction(stored.get("reached", 0)),
    )


def _open(portal_id: int, pool_id: int) -> Any:
    return _RECORD.query().where(PoolRow.portal_id == portal_id, PoolRow.id == pool_id, PoolRow.closed_at.is_(None))


async def _note(session: WriteSession, what: str, pool: KeptPool, by: str, *, before: KeptPool | None = None) -> None:
    detail: dict[str, Any] = {"name": pool.name, "position": pool.position, "document": pool.document}
    if before is not None:
        detail["before"] = {"name": before.name, "position": before.position, "document": before.document}
    await audit.note(session, who=by, what=what, subject=f"pool {pool.id}", detail=detail, portal_id=pool.portal_id)
