"""Checks against the portal as its dictionary tells it: stages, pipelines, fields, list items, industries, rates."""

from collections.abc import Iterator, Mapping

from app.domain import destination
from app.domain.messages import Message, message
from app.domain.ruleset import FactDefinition, FactSource, FieldValue, Route, Ruleset
from app.domain.ruleset_checks.gates import MOST_CRITERIA
from app.domain.ruleset_checks.readable import MOST_FACTS
from app.domain.ruleset_checks.remark import Remark, warning
from app.domain.ruleset_checks.routes import routes_of
from app.domain.ruleset_checks.standard_fields import STANDARD_FIELDS
from app.domain.snapshot import Entity, PortalDictionary, Semantics
from app.domain.verdict import Outcome

_ENTITIES = {"lead": Entity.LEAD, "company": Entity.COMPANY, "deal": Entity.DEAL}
_CUSTOM = "UF_"
_SHOWN = 30
_OURS = "UF_CRM_OGON_"
_INDUSTRIES = frozenset({("lead", "UF_CRM_OGON_INDUSTRY"), ("company", "industry"), ("lead", "industry")})
_LEAD_ENDS: Mapping[Outcome, Semantics] = {
    Outcome.DEAL: "success",
    Outcome.COMPANY: "success",
    Outcome.JUNK: "failure",
    Outcome.REVIEW: "process",
    Outcome.NEEDS_DATA: "process",
}


def check_portal(ruleset: Ruleset, portal: PortalDictionary) -> Iterator[Remark]:
    """Remarks on what the portal does not have."""
    facts = {one.name: one for one in ruleset.facts}
    for at, one in enumerate(ruleset.facts[:MOST_FACTS]):
        for n, source in enumerate(one.sources):
            yield from _field(f"facts.{at}.sources.{n}.field", _ENTITIES[source.card], source.field, portal)
    for gate, criteria in (("client", ruleset.client), ("request", ruleset.request)):
        for at, criterion in enumerate(criteria[:MOST_CRITERIA]):
            if criterion.fact in facts:
                yield from _codes(f"{gate}.{at}.codes", criterion.codes, facts[criterion.fact], portal)
    for path, route in routes_of(ruleset).items():
        yield from _route(path, route, portal)
        yield from _fields(f"{path}.fields", Entity.DEAL, route.fields, portal)
    for outcome, lead_route in ruleset.outcome_routes.items():
        path = f"outcome_routes.{outcome.value}"
        if lead_route.stage is not None:
            yield from _stage(f"{path}.stage", Entity.LEAD, (0, lead_route.stage), portal, _LEAD_ENDS[outcome])
        yield from _fields(f"{path}.fields", Entity.LEAD, lead_route.fields, portal)
    nurture = ruleset.nurture
    yield from _field("nurture.segment_field", Entity.COMPANY, nurture.segment_field, portal)
    yield from _value("nurture.segment", Entity.COMPANY, nurture.segment_field, nurture.segment, portal)
    yield from _fields("nurture.fields", Entity.COMPANY, nurture.fields, portal)
    for name in ("new", "regular", "sleeping"):
        mark = getattr(ruleset.segments, name)
        for remark in _value(f"segments.{name}", Entity.COMPANY, nurture.segment_field, mark, portal):
            # The nurture mark alone may be all that an admin's own field has: the others then stay unwritten.
            yield warning(remark.path, remark.said)
    yield from _currencies(ruleset, portal)


def _field(path: str, entity: Entity, name: str, portal: PortalDictionary) -> Iterator[Remark]:
    where = _ENTITY_SAID[entity]
    if not name.startswith(_CUSTOM):
        # The dictionary tells of custom fields only, and a portal may have standard ones that we do not know.
        if name not in STANDARD_FIELDS[entity]:
            said = message("{card}: “{field}” is no standard field; check the spelling", card=where, field=name)
            yield warning(path, said)
        return
    if (entity, name) in portal.fields:
        return
    if name.startswith(_OURS):
        said = message(
            "{card}: the portal has no field {field} yet; run `ogon portal provision`", card=where, field=name
        )
        yield warning(path, said)
    else:
        yield Remark(path, message("{card}: the portal has no field {field}", card=where, field=name))


_ENTITY_SAID: Mapping[Entity, Message] = {
    Entity.LEAD: message("lead"),
    Entity.DEAL: message("deal"),
    Entity.COMPANY: message("company card"),
}


def _codes(path: str, codes: tuple[str, ...], fact: FactDefinition, portal: PortalDictionary) -> Iterator[Remark]:
    vocabularies = [_vocabulary(source, portal) for source in fact.sources]
    known = [codes for codes in vocabularies if codes is not None]
    if not known or len(known) < len(vocabularies):
        return
    words = {code.casefold() for one in known for code in one}
    listed = tuple(sorted({word for one in known for word in one}))[:_SHOWN]
    for at, code in enumerate(codes):
        if code.strip() and code.casefold() not in words:
            said = message("The portal has no “{code}” here; it has: {known}", code=code[:80], known=listed)
            yield Remark(f"{path}.{at}", said)


def _vocabulary(source: FactSource, portal: PortalDictionary) -> set[str] | None:
    """The codes that a field can have; None where any text may stand, or nobody has told yet."""
    if (source.card, source.field) in _INDUSTRIES:
        return set(portal.industries) or None
    items = portal.enumerations.get((_ENTITIES[source.card], source.field))
    return None if items is None else set(items.values())


def _route(path: str, route: Route, portal: PortalDictionary) -> Iterator[Remark]:
    if route.pipeline is None:
        return
    pipelines = sorted({stage.pipeline for stage in portal.stages if stage.entity is Entity.DEAL})
    if route.pipeline not in pipelines:
        listed = tuple(str(number) for number in pipelines)
        said = message(
            "The portal has no deal pipeline {pipeline}; it has: {known}", pipeline=str(route.pipeline), known=listed
        )
        yield Remark(f"{path}.pipeline", said)
    elif route.stage is not None:
        wanted: Semantics = "failure" if path == "declined_route" else "process"
        for remark in _stage(f"{path}.stage", Entity.DEAL, (route.pipeline, route.stage), portal, wanted):
            # A grade may end a deal where the admin wants that; a new deal must be open, a declined one closed.
            meant = path.startswith("grade_routes") and _exists(route.pipeline, route.stage, portal)
            yield warning(remark.path, remark.said) if meant else remark


def _exists(pipeline: int, stage: str, portal: PortalDictionary) -> bool:
    return destination.stage_at(portal, Entity.DEAL, (pipeline, stage)) is not None


def _stage(
    path: str, entity: Entity, where: destination.Place, portal: PortalDictionary, wanted: Semantics
) -> Iterator[Remark]:
    found = destination.stage_at(portal, entity, where)
    if found is None:
        known = tuple(
            f"{stage.code} ({stage.name})"
            for stage in portal.stages
            if (stage.entity, stage.pipeline) == (entity, where[0])
        )
        said = message("There is no stage {stage} in this pipeline; it has: {known}", stage=where[1][:50], known=known)
        yield Remark(path, said)
    elif found.semantics != wanted:
        yield Remark(path, _wrong_end(found.name, wanted))


def _wrong_end(stage: str, wanted: Semantics) -> Message:
    match wanted:
        case "process":
            return message("The stage “{stage}” ends the card; here it must be one of work in progress", stage=stage)
        case "success":
            return message("The stage “{stage}” is not the successful one; here it must be", stage=stage)
        case "failure":
            return message("The stage “{stage}” is not a failed one; here it must be", stage=stage)


def _fields(path: str, entity: Entity, fields: Mapping[str, FieldValue], portal: PortalDictionary) -> Iterator[Remark]:
    for name, value in fields.items():
        yield from _field(f"{path}.{name}", entity, name, portal)
        yield from _value(f"{path}.{name}", entity, name, value, portal)


def _value(path: str, entity: Entity, name: str, value: FieldValue, portal: PortalDictionary) -> Iterator[Remark]:
    items = portal.enumerations.get((entity, name))
    if items is not None and str(value) not in items.values():
        listed = tuple(sorted(items.values()))[:_SHOWN]
        yield Remark(
            path, message("The portal has no “{code}” here; it has: {known}", code=str(value)[:80], known=listed)
        )


def _currencies(ruleset: Ruleset, portal: PortalDictionary) -> Iterator[Remark]:
    own = ruleset.currencies.rates
    for at, code in enumerate(ruleset.currencies.accepted):
        if code not in portal.rates and code not in own:
            said = message("The portal has no rate for {currency}: add it there or under rates", currency=code[:40])
            yield Remark(f"currencies.accepted.{at}", said)
    for code in own:
        if code not in portal.rates:
            yield warning(
                f"currencies.rates.{code}", message("The portal has no currency {currency}", currency=code[:40])
            )
