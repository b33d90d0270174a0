"""Checks of the routes, as far as they can be made without knowing the portal."""

import re
from collections.abc import Iterator, Mapping

from app.domain.messages import message
from app.domain.ruleset import FieldValue, Route, Ruleset
from app.domain.ruleset_checks.readable import FIELD_NAME
from app.domain.ruleset_checks.remark import Remark, text_given

_OF_PIPELINE = re.compile(r"C([0-9]+):.*")
_LONGEST_VALUE = 1000
_NOT_OURS_TO_SET = frozenset(
    {
        "id", "entityTypeId", "stageId", "stageSemanticId", "categoryId", "originatorId", "originId", "leadId",
        "companyId", "contactId", "contactIds", "createdTime", "createdBy", "updatedTime", "updatedBy", "movedTime",
        "movedBy", "lastActivityTime", "lastActivityBy",
        "UF_CRM_OGON_VERDICT", "UF_CRM_OGON_WHY", "UF_CRM_OGON_GRADE", "UF_CRM_OGON_CHECKLIST",
    }
)  # fmt: skip


def check_routes(ruleset: Ruleset) -> Iterator[Remark]:
    """Remarks on where cards go and what is written into them."""
    if ruleset.deal_route.pipeline is None:
        yield Remark("deal_route.pipeline", message("A new deal is nowhere yet: name its pipeline."))
    for path, route in routes_of(ruleset).items():
        yield from _route(path, route)
    for outcome, lead_route in ruleset.outcome_routes.items():
        path = f"outcome_routes.{outcome.value}"
        yield from text_given(f"{path}.stage", lead_route.stage, 50)
        yield from _fields(f"{path}.fields", lead_route.fields)
    yield from _fields("nurture.fields", ruleset.nurture.fields)
    yield from _fields(
        "nurture", {ruleset.nurture.segment_field: ruleset.nurture.segment}, names=("segment_field", "segment")
    )


def routes_of(ruleset: Ruleset) -> dict[str, Route]:
    """All routes of deals, by their path."""
    return {
        "deal_route": ruleset.deal_route,
        **{f"grade_routes.{grade.value}": route for grade, route in ruleset.grade_routes.items()},
        "declined_route": ruleset.declined_route,
    }


def _route(path: str, route: Route) -> Iterator[Remark]:
    if route.pipeline is not None and route.pipeline < 0:
        yield Remark(f"{path}.pipeline", message("is no pipeline: numbers begin with 0"))
    yield from text_given(f"{path}.stage", route.stage, 50)
    if route.stage is not None and route.pipeline is None and path != "deal_route":
        yield Remark(f"{path}.pipeline", message("Name the pipeline that the stage belongs to."))
    if route.stage is not None and route.pipeline is not None:
        prefix = _OF_PIPELINE.fullmatch(route.stage)
        if int(prefix[1][:9] if prefix else 0) != route.pipeline:
            said = message(
                "The stage {stage} belongs to another pipeline than {pipeline}.",
                stage=route.stage[:50],
                pipeline=str(route.pipeline),
            )
            yield Remark(f"{path}.stage", said)
    yield from _fields(f"{path}.fields", route.fields)


def _fields(path: str, fields: Mapping[str, FieldValue], names: tuple[str, str] | None = None) -> Iterator[Remark]:
    for name, value in fields.items():
        at, value_at = (f"{path}.{part}" for part in names or (name, name))
        if not FIELD_NAME.fullmatch(name):
            said = message("“{field}” is no field's name: UF_CRM_… or a name like revenue", field=name[:80])
            yield Remark(at, said)
        elif name in _NOT_OURS_TO_SET:
            yield Remark(at, message("“{field}” is written by Ogon or the portal itself", field=name))
        if isinstance(value, str) and len(value) > _LONGEST_VALUE:
            yield Remark(value_at, message("is too long: at most {longest} characters", longest=_LONGEST_VALUE))
