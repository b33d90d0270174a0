"""Rulesets: every version of a portal's rules, immutable; the highest number is in force.

Documents are plain JSON here; `ruleset_document.py` turns them into the domain's rulesets and back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, literal, select
from sqlalchemy.dialects.postgresql import insert

from app.errors import OgonError
from app.store import audit, effects, rejudging
from app.store.database import ReadSession, WriteSession
from app.store.json_text import storable_text
from app.store.models import RulesetRow
from app.store.records import Record


class RulesetConflict(OgonError):  # noqa: N818 - reads as the state it is
    """Somebody published a version after the one that was edited. `current` is the number in force."""

    def __init__(self, *, edited: int, current: int) -> None:
        self.current = current
        super().__init__(
            f"Version {current} of the rules was published while version {edited} was being edited: "
            "look at it and apply your change to it."
        )


class VersionUnknown(OgonError):  # noqa: N818 - reads as the state it is
    """No version has this number."""

    def __init__(self, version: int) -> None:
        super().__init__(f"There is no version {version} of the rules.")


@dataclass(frozen=True, slots=True)
class RulesetVersion:
    """One published version; `document` is JSON. `restores`: the older version that was published anew."""

    portal_id: int
    version: int
    document: dict[str, Any]
    author: str
    reason: str
    created_at: datetime
    restores: int | None

    @property
    def based_on(self) -> int | None:
        """The version it was made from; None for the first."""
        return self.restores or (self.version - 1) or None


_RECORD = Record(RulesetVersion, RulesetRow)


async def current(session: ReadSession, portal_id: int) -> RulesetVersion | None:
    """The version in force; None when the portal has none yet."""
    query = _RECORD.query().where(RulesetRow.portal_id == portal_id)
    return await _RECORD.one(session, query.order_by(RulesetRow.version.desc()).limit(1))


async def get(session: ReadSession, portal_id: int, version: int) -> RulesetVersion | None:
    query = _RECORD.query().where(RulesetRow.portal_id == portal_id, RulesetRow.version == version)
    return await _RECORD.one(session, query)


async def history(
    session: ReadSession, portal_id: int, *, limit: int = 100, before: int | None = None
) -> list[RulesetVersion]:
    """Published versions, the newest first; with `before` only older ones."""
    query = _RECORD.query().where(RulesetRow.portal_id == portal_id)
    if before is not None:
        query = query.where(RulesetRow.version < before)
    return await _RECORD.all(session, query.order_by(RulesetRow.version.desc()).limit(limit))


async def publish(
    session: WriteSession,
    *,
    portal_id: int,
    edited_version: int,
    document: Mapping[str, Any],
    author: str,
    reason: str,
    restores: int | None = None,
) -> RulesetVersion:
    """Publish the version after `edited_version` (0: the first). Raises RulesetConflict when another came between.

    The one place where rules change: the audit log and the judging again are noted in the same transaction.
    """
    newest = select(func.coalesce(func.max(RulesetRow.version), 0)).where(RulesetRow.portal_id == portal_id)
    values = {
        "portal_id": portal_id,
        "version": edited_version + 1,
        "document": dict(document),
        "author": storable_text(author),
        "reason": storable_text(reason),
        "restores": restores,
    }
    row_if_newest = select(
        *(literal(value, getattr(RulesetRow, name).type).label(name) for name, value in values.items())
    ).where(newest.scalar_subquery() == edited_version)
    # Of two who publish at once, the second waits for the first's key and then finds it taken.
    statement = insert(RulesetRow).from_select(list(values), row_if_newest).on_conflict_do_nothing()
    published = await _RECORD.one(session, _RECORD.returning(statement))
    if published is None:
        raise RulesetConflict(edited=edited_version, current=await session.scalar(newest) or 0)
    await audit.note(
        session,
        who=published.author,
        what="rules.rolled_back" if restores else "rules.published",
        subject=f"rules {published.version}",
        portal_id=portal_id,
        detail={"reason": published.reason, "based_on": published.based_on},
    )
    await rejudging.note_due(session, portal_id, published.version)
    await effects.keep_forecast(session, portal_id, published.version, published.document)
    return published
