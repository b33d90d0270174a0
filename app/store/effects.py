"""The effect of a version of the rules: what it made of the cards of its first 14 days, beside what was forecast.

`keep_forecast` stands in the transaction that publishes: replays are deleted in time, a version's forecast is not. The
worker calls `step`; what it computes is written once and never changed. Where there is nothing to compare with, the
document says null: no replay of this draft was made, or there was no version before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from app.domain.ruleset import Ruleset
from app.store.database import Database, ReadSession, WriteSession
from app.store.models import RejudgingRow, ReplayRow, RulesetEffectRow, RulesetForecastRow, RulesetRow
from app.store.rejudging import RESULT
from app.store.ruleset_document import RulesetInvalid, kept_ruleset

SPAN = timedelta(days=14)
"""How long a version works before its effect is told."""
_AT_A_TIME = 10


@dataclass(frozen=True, slots=True)
class Effect:
    """What is known of a version's effect. `document` is None before `due_at`; `forecast` where no replay was made.

    `forecast`: `replay`, `since`, `until`, `not_compared` and `cells` of [entityTypeId, before, after, cards].
    `document`: `fact` and `previous`, each with `version`, `since`, `until` and `counts` of [entityTypeId, result,
    cards, of them first seen in that time], and `rejudged` with `judged` and `changed`; `previous` and `rejudged` may
    be null. Results are a lead's outcome, a deal's grade, `<grade>_declined`. Times are ISO 8601.
    """

    portal_id: int
    version: int
    due_at: datetime
    computed_at: datetime | None
    forecast: dict[str, Any] | None
    document: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Span:
    """When a version was in force, as far as it counts."""

    version: int
    since: datetime
    until: datetime


# The last thing that was made of each card in the time, by that version.
_COUNTS = text(f"""
    SELECT entity_type_id, result, count(*), count(*) FILTER (WHERE new)
    FROM (
        SELECT DISTINCT ON (run.entity_type_id, run.card_id) run.entity_type_id, {RESULT.format(run="run")} AS result,
               known.first_seen_at >= :since AS new
        FROM runs AS run JOIN cards AS known ON known.portal_id = run.portal_id
            AND known.entity_type_id = run.entity_type_id AND known.card_id = run.card_id
        WHERE run.portal_id = :portal AND run.ruleset_version = :version AND run.status IN ('done', 'failed')
          AND run.opened_at >= :since AND run.opened_at < :until
        ORDER BY run.entity_type_id, run.card_id, run.id DESC
    ) AS judged
    WHERE result IS NOT NULL GROUP BY entity_type_id, result ORDER BY entity_type_id, result
""")  # noqa: S608 - put together from constants

_DUE = text("""
    SELECT portal_id, version FROM rulesets
    WHERE created_at <= :before AND NOT EXISTS (
        SELECT FROM ruleset_effects AS known
        WHERE known.portal_id = rulesets.portal_id AND known.version = rulesets.version)
    ORDER BY created_at, portal_id LIMIT :limit
""")


async def keep_forecast(session: WriteSession, portal_id: int, version: int, document: Mapping[str, Any]) -> None:
    """Keep what the newest replay of this very draft forecast, where there is one."""
    published = _rules(document)
    query = select(ReplayRow).where(ReplayRow.portal_id == portal_id, ReplayRow.state == "done")
    for made in (await session.scalars(query.order_by(ReplayRow.id.desc()))).all():
        if published is not None and _rules(made.draft) == published:
            forecast = {
                "replay": made.id,
                "since": made.since.isoformat(),
                "until": made.until.isoformat(),
                "cells": made.tally.get("cells", []),
                "not_compared": sum(made.tally.get("gaps", {}).values()),
            }
            values = {"portal_id": portal_id, "version": version, "document": forecast}
            await session.execute(insert(RulesetForecastRow).values(values))
            return


async def step(database: Database, *, now: datetime) -> int:
    """Compute the effects that are due, a few at a time; how many. Any number of workers may call it."""
    async with database.reading() as session:
        due = [(row[0], row[1]) for row in await session.execute(_DUE, {"before": now - SPAN, "limit": _AT_A_TIME})]
    for portal_id, version in due:
        async with database.writing() as session:
            await _compute(session, portal_id, version, now=now)
    return len(due)


async def get(session: ReadSession, portal_id: int, version: int) -> Effect | None:
    """The effect of a version as far as it is known; None when there is no such version."""
    query = (
        select(
            RulesetRow.created_at, RulesetForecastRow.document, RulesetEffectRow.computed_at, RulesetEffectRow.document
        )
        .outerjoin(
            RulesetForecastRow,
            (RulesetForecastRow.portal_id == RulesetRow.portal_id) & (RulesetForecastRow.version == RulesetRow.version),
        )
        .outerjoin(
            RulesetEffectRow,
            (RulesetEffectRow.portal_id == RulesetRow.portal_id) & (RulesetEffectRow.version == RulesetRow.version),
        )
        .where(RulesetRow.portal_id == portal_id, RulesetRow.version == version)
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else Effect(portal_id, version, row[0] + SPAN, row[2], row[1], row[3])


async def _compute(session: WriteSession, portal_id: int, version: int, *, now: datetime) -> None:
    published = select(RulesetRow.version, RulesetRow.created_at).where(
        RulesetRow.portal_id == portal_id, RulesetRow.version.between(version - 1, version + 1)
    )
    times: dict[int, datetime] = {row[0]: row[1] for row in await session.execute(published)}
    since = times[version]
    # A version that was replaced sooner counts only as long as it was in force.
    until = min(since + SPAN, times.get(version + 1, since + SPAN))
    fact = await _tell(session, portal_id, _Span(version, since, until))
    before = times.get(version - 1)
    previous = None
    if before is not None:
        previous = await _tell(session, portal_id, _Span(version - 1, max(before, since - SPAN), since))
    document = {"fact": fact, "previous": previous, "rejudged": await _rejudged(session, portal_id, version)}
    values = {"portal_id": portal_id, "version": version, "computed_at": now, "document": document}
    await session.execute(insert(RulesetEffectRow).values(values).on_conflict_do_nothing())


async def _tell(session: ReadSession, portal_id: int, span: _Span) -> dict[str, Any]:
    values = {"portal": portal_id, "version": span.version, "since": span.since, "until": span.until}
    return {
        "version": span.version,
        "since": span.since.isoformat(),
        "until": span.until.isoformat(),
        "counts": [list(row) for row in await session.execute(_COUNTS, values)],
    }


async def _rejudged(session: ReadSession, portal_id: int, version: int) -> dict[str, int] | None:
    query = select(RejudgingRow.judged, RejudgingRow.changes).where(
        RejudgingRow.portal_id == portal_id, RejudgingRow.version == version
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else {"judged": row[0], "changed": sum(change[-1] for change in row[1])}


def _rules(document: Mapping[str, Any]) -> Ruleset | None:
    """The rules themselves, whatever number the document carries; None when it is none that we can read."""
    try:
        return kept_ruleset(document, version=0)
    except RulesetInvalid:
        return None
