"""Where a card can go: a portal's stages by what they mean, never by what they are called.

Used by the planning modules only. Semantics come from the dictionary (api-reference/crm/status/crm-status-list);
the card's own `stageSemanticId` only says whether an unknown stage is a final one.
"""

from typing import Any, TypeAlias

from app.domain.difference import link
from app.domain.snapshot import Entity, PortalDictionary, RawCard, Semantics, Stage

Place: TypeAlias = tuple[int, str]
"""Pipeline and stage code: where a card stands."""

_LEAD_JUNK = "JUNK"
_SEMANTIC_CODES: dict[Any, Semantics] = {"S": "success", "F": "failure"}


def place(entity: Entity, card: RawCard) -> Place:
    """Where the card stands. Leads have the single pipeline 0, and a deal without a category is in pipeline 0."""
    pipeline = 0 if entity is Entity.LEAD else link(card.get("categoryId")) or 0
    return pipeline, str(card.get("stageId") or "")


def stage_at(dictionary: PortalDictionary, entity: Entity, where: Place) -> Stage | None:
    """The stage there, None when the dictionary does not know it."""
    return next((stage for stage in _stages(dictionary, entity, where[0]) if stage.code == where[1]), None)


def semantics_of(card: RawCard, stage: Stage | None) -> Semantics:
    """What the card's stage means; an unknown stage counts as work in progress unless the card itself says final."""
    return stage.semantics if stage else _SEMANTIC_CODES.get(card.get("stageSemanticId"), "process")


def first_process(dictionary: PortalDictionary, entity: Entity, pipeline: int) -> Stage | None:
    """Where work begins in a pipeline."""
    return _first(dictionary, entity, pipeline, "process")


def success(dictionary: PortalDictionary, entity: Entity, pipeline: int = 0) -> Stage | None:
    """Where a lead goes when it is converted."""
    return _first(dictionary, entity, pipeline, "success")


def failure(dictionary: PortalDictionary, entity: Entity, pipeline: int) -> Stage | None:
    """Where a declined card goes: not the analysed failure ("apology") unless there is no other.

    For leads the system's own JUNK comes first when it still is a failure stage.
    """
    stages = [stage for stage in _stages(dictionary, entity, pipeline) if stage.semantics == "failure"]
    stages.sort(key=lambda stage: (stage.apology, not (entity is Entity.LEAD and stage.code == _LEAD_JUNK)))
    return stages[0] if stages else None


def _first(dictionary: PortalDictionary, entity: Entity, pipeline: int, semantics: Semantics) -> Stage | None:
    return next((stage for stage in _stages(dictionary, entity, pipeline) if stage.semantics == semantics), None)


def _stages(dictionary: PortalDictionary, entity: Entity, pipeline: int) -> list[Stage]:
    stages = (stage for stage in dictionary.stages if (stage.entity, stage.pipeline) == (entity, pipeline))
    return sorted(stages, key=lambda stage: (stage.sort, stage.code))
