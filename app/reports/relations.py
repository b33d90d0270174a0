"""The relations that reports count from: leads and deals that are in the portal, one row each, with what a card behind
a number is told by. `{where}` is for the conditions of the question, on `one`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from app.domain.messages import Message, message
from app.domain.minimum import months_before
from app.reports.report import Row
from app.reports.scope import Scope, Words

LEADS: Final = """
    SELECT 1 AS entity_type_id, one.*, 0 AS pipeline, NULL::numeric AS amount, one.created_at AS at
    FROM lead_figures AS one WHERE one.portal_id = :portal AND NOT one.deleted AND {where}
"""
DEALS: Final = """
    SELECT 2 AS entity_type_id, one.*, coalesce(one.closed_on::timestamptz, one.created_at) AS at
    FROM deal_figures AS one WHERE one.portal_id = :portal AND NOT one.deleted AND {where}
"""
DEAL_FILTERS: Final = ("managers", "source", "pipeline", "segment")
LEAD_FILTERS: Final = ("managers", "source", "segment")
"""Leads have one pipeline."""
WON: Final = "ending = 'won'"
LOST: Final = "ending = 'lost'"
ENDED: Final = "ending <> 'open'"
SUCCESS_RANK: Final = 1_000_000
"""Where a funnel ends, behind every stage of work."""

# The last day of the period is looked at from: who had an open deal then is not recorded, so open deals are today's.
ACTIVE_CLIENTS: Final = """
    SELECT company_id FROM deal_figures
    WHERE portal_id = :portal AND ending = 'open' AND NOT deleted AND company_id IS NOT NULL
    UNION
    SELECT company_id FROM deal_figures
    WHERE portal_id = :portal AND ending = 'won' AND NOT deleted AND company_id IS NOT NULL
      AND closed_on >= :bought_since AND closed_on <= :until
"""
"""Companies with a deal at work, or with one won of late; bind `bought_since(…)`."""

STAGES: Final = """
    SELECT * FROM unnest(CAST(:stage_pipelines AS int[]), CAST(:stage_codes AS text[]), CAST(:stage_ranks AS int[]))
        AS stage (pipeline, stage_id, rank)
"""
"""The portal's stages of work in their order, and the successful ones behind them all; bind `stages(…)`."""


def bought_since(scope: Scope) -> date:
    """A won deal from this day on makes an active client."""
    return months_before(scope.filter.until, scope.rules.minimum.regular_months)


def stages(scope: Scope, entity_type_id: int) -> Mapping[str, Any]:
    """The values of STAGES, by the portal's dictionary as it is now."""
    ranked = [
        (stage.pipeline, stage.code, SUCCESS_RANK if stage.semantics == "success" else rank)
        for rank, stage in enumerate(_of(scope.words, entity_type_id), 1)
        if stage.semantics != "failure"
    ]
    return {
        "stage_pipelines": [pipeline for pipeline, _, _ in ranked],
        "stage_codes": [code for _, code, _ in ranked],
        "stage_ranks": [rank for _, _, rank in ranked],
    }


def stage_order(words: Words, entity_type_id: int) -> Sequence[str]:
    """Keys `pipeline:code` in the order of the funnel: work, success, failure."""
    turn = {"process": 0, "success": 1, "failure": 2}
    ordered = sorted(
        _of(words, entity_type_id), key=lambda one: (one.pipeline, turn[one.semantics], one.sort, one.code)
    )
    return [f"{stage.pipeline}:{stage.code}" for stage in ordered]


def stage_label(entity_type_id: int) -> Callable[[Scope, str], str | Message]:
    """How a table by stage names its rows."""

    def label(scope: Scope, key: str) -> str | Message:
        return scope.words.stage_said(entity_type_id, key) if key else message("not known")

    return label


def by_stage(entity_type_id: int) -> Callable[[Scope, list[Row]], list[Row]]:
    """How a table by stage orders its rows: as the funnel does, then stages that it does not have, then the unknown."""

    def finish(scope: Scope, rows: list[Row]) -> list[Row]:
        places = {key: place for place, key in enumerate(stage_order(scope.words, entity_type_id))}
        return sorted(rows, key=lambda row: (not row.key, places.get(row.key, len(places)), row.key))

    return finish


def _of(words: Words, entity_type_id: int) -> Sequence[Any]:
    return [stage for stage in words.stages if stage.entity == entity_type_id]
