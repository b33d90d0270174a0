"""The plan of a lead: fields, timeline entry, to-do, conversion, and at the very end the move.

Called by `plan.py`. Pure: what is compared and what is remembered comes in, actions go out. It never moves a lead
that a person closed and never undoes a conversion.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from app.domain import destination, timeline
from app.domain.actions import Action, AddComment, AddTodo, CompleteTodo, MoveItem, Plan, UpdateItem, action_to_json
from app.domain.conversion import NOTHING_MADE, Conversion, convert
from app.domain.difference import changed, digest, enumeration_id, link, one_line
from app.domain.given import Given
from app.domain.messages import Message, message
from app.domain.route_fields import wanted_fields
from app.domain.second_look import second_look
from app.domain.snapshot import Entity, LeadSnapshot, RawCard, Semantics, Stage
from app.domain.touch import Hold, held_back, hold_said, not_kept, set_by_us
from app.domain.verdict import LeadVerdict, Outcome

VERDICT = "UF_CRM_OGON_VERDICT"
WHY = "UF_CRM_OGON_WHY"
_CONVERTING = frozenset({Outcome.DEAL, Outcome.COMPANY})
_ASKING = frozenset({Outcome.NEEDS_DATA, Outcome.REVIEW})


class Standing(Enum):
    """Where a lead stands, as far as moving it is concerned."""

    OPEN = "open"
    JUNKED_BY_US = "junked by us"
    CONVERTED_BY_US = "converted by us"
    CLOSED_BY_PERSON = "closed by a person"
    UNKNOWN = "in a stage the dictionary does not know"


@dataclass(frozen=True, slots=True)
class Course:
    """What is to happen to the lead besides its fields: the stage to reach, what is made first, or why neither."""

    stage: Stage | None = None
    conversion: Conversion = NOTHING_MADE
    hold: Hold | None = None


def plan_lead(verdict: LeadVerdict, snapshot: LeadSnapshot, given: Given) -> Plan:
    """Actions still missing on a lead, in order, the move last."""
    lead = snapshot.lead
    standing = standing_of(lead, given)
    course = _course(verdict, snapshot, standing, given)
    told = standing is not Standing.CLOSED_BY_PERSON and course.hold is not Hold.ALREADY_CONVERTED
    asked = told and standing is not Standing.CONVERTED_BY_US
    routed = course.hold is None and standing in {Standing.OPEN, Standing.JUNKED_BY_US}
    fields = _fields(verdict, lead, course.conversion.lead_links, given, routed=routed)
    kept = tuple(update for update in fields if not not_kept(update, given.memory))
    actions: list[Action] = [
        *course.conversion.actions,
        *kept,
        *(_comment(verdict, lead, course, given) if told else ()),
        *_todo(verdict, lead, given, asked=asked),
        *second_look(verdict, lead, given),
        *_move(lead, course.stage),
    ]
    held = (*((course.hold,) if course.hold else ()), *((Hold.FIELDS_NOT_KEPT,) if kept != fields else ()))
    return Plan(tuple(actions), held)


def standing_of(lead: RawCard, given: Given) -> Standing:
    """Where the lead stands, by the meaning of its stage and by who put it there."""
    stage = destination.stage_at(given.dictionary, Entity.LEAD, destination.place(Entity.LEAD, lead))
    semantics = destination.semantics_of(lead, stage)
    if semantics == "process":
        return Standing.OPEN if stage else Standing.UNKNOWN
    if not set_by_us(lead, given.memory, given.dictionary):
        return Standing.CLOSED_BY_PERSON
    return Standing.CONVERTED_BY_US if semantics == "success" else Standing.JUNKED_BY_US


def _course(verdict: LeadVerdict, snapshot: LeadSnapshot, standing: Standing, given: Given) -> Course:
    match standing:
        case Standing.CLOSED_BY_PERSON:
            return Course(hold=None if _agrees(verdict, snapshot.lead, given) else Hold.CLOSED_BY_PERSON)
        case Standing.CONVERTED_BY_US:
            before = given.memory.outcome_before_move or verdict.decision
            stands = verdict.outcome in _CONVERTING and verdict.decision == before
            return Course(hold=None if stands else Hold.ALREADY_CONVERTED)
        case Standing.UNKNOWN:
            return Course(hold=Hold.STAGE_UNKNOWN)
        case Standing.OPEN | Standing.JUNKED_BY_US:
            return _open_course(verdict, snapshot, standing, given)


def _agrees(verdict: LeadVerdict, lead: RawCard, given: Given) -> bool:
    """Whether the person closed the lead the way we would have."""
    stage = destination.stage_at(given.dictionary, Entity.LEAD, destination.place(Entity.LEAD, lead))
    if destination.semantics_of(lead, stage) == "success":
        return verdict.outcome in _CONVERTING
    return verdict.outcome is Outcome.JUNK


def _open_course(verdict: LeadVerdict, snapshot: LeadSnapshot, standing: Standing, given: Given) -> Course:
    """The course of a lead that may be moved, if nothing holds it back."""
    junked = standing is Standing.JUNKED_BY_US
    route = given.ruleset.outcome_routes.get(verdict.outcome)
    named = route.stage if route else None
    match verdict.outcome:
        case Outcome.DEAL | Outcome.COMPANY:
            stage = _named(named, "success", given) if named else destination.success(given.dictionary, Entity.LEAD)
        case Outcome.JUNK if not junked:
            stage = _named(named, "failure", given) if named else destination.failure(given.dictionary, Entity.LEAD, 0)
        case Outcome.REVIEW | Outcome.NEEDS_DATA if named:
            stage = _named(named, "process", given)
        case Outcome.REVIEW | Outcome.NEEDS_DATA if junked:
            stage = _way_back(given)
        case _:
            return Course()
    if stage is None:
        return Course(hold=Hold.STAGE_UNKNOWN)
    if stage.code == snapshot.lead.get("stageId"):
        return Course()
    if hold := held_back(snapshot.lead, verdict.decision, given):
        return Course(hold=hold)
    if verdict.outcome not in _CONVERTING:
        return Course(stage)
    converted = convert(verdict.outcome, snapshot, given)
    return Course(stage, converted) if isinstance(converted, Conversion) else Course(hold=converted)


def _named(code: str, semantics: Semantics, given: Given) -> Stage | None:
    """The stage that the rules name for an outcome; None when the portal has it no more, or it means another thing."""
    stage = destination.stage_at(given.dictionary, Entity.LEAD, (0, code))
    return stage if stage is not None and stage.semantics == semantics else None


def _way_back(given: Given) -> Stage | None:
    """Where a lead taken out of junk goes: to where it stood before, else to the beginning."""
    before = destination.stage_at(given.dictionary, Entity.LEAD, (0, given.memory.stage_before or ""))
    if before is not None and before.semantics == "process":
        return before
    return destination.first_process(given.dictionary, Entity.LEAD, 0)


def _fields(
    verdict: LeadVerdict, lead: RawCard, lead_links: Mapping[str, Any], given: Given, *, routed: bool
) -> tuple[UpdateItem, ...]:
    """Ours, the links to what the lead became, and those of the route where nothing holds the lead back."""
    route = given.ruleset.outcome_routes.get(verdict.outcome) if routed else None
    wanted = wanted_fields(given.dictionary, Entity.LEAD, route.fields) if route else {}
    item = enumeration_id(given.dictionary, Entity.LEAD, VERDICT, verdict.outcome.value)
    if item is not None:
        wanted[VERDICT] = item
    if (Entity.LEAD, WHY) in given.dictionary.fields:
        wanted[WHY] = one_line(given.say(verdict.why))
    fields = {**lead_links, **changed(lead, wanted)}
    if not fields:
        return ()
    update = UpdateItem("", Entity.LEAD, lead["id"], fields)
    return (UpdateItem(f"lead-{lead['id']}:fields:{digest(action_to_json(update))}", Entity.LEAD, lead["id"], fields),)


def _comment(verdict: LeadVerdict, lead: RawCard, course: Course, given: Given) -> tuple[AddComment, ...]:
    known = timeline.comment_digest(verdict)
    if known == given.memory.comment_digest:
        return ()
    text = timeline.lead_comment(verdict, _done(verdict, course), given.say, texts=given.ruleset.texts)
    return (AddComment(f"lead-{lead['id']}:comment:{known}", Entity.LEAD, lead["id"], text),)


def _done(verdict: LeadVerdict, course: Course) -> list[Message]:
    """What this plan does, in words; a held plan says why it does not.

    The move goes out after this entry and may yet be refused: it says where the lead goes, not where it is.
    """
    said = list(course.conversion.done)
    match verdict.outcome:
        case Outcome.COMPANY if course.stage:
            said += [
                message("The company is in the nurture group."),
                message("The lead is being converted without a deal."),
            ]
        case Outcome.DEAL if course.stage:
            said.append(message("The lead is being converted."))
        case _ if course.stage:
            said.append(message("The lead moves to the stage “{stage}”.", stage=course.stage.name))
        case _ if course.hold:
            said.append(hold_said(course.hold))
        case Outcome.REVIEW | Outcome.NEEDS_DATA:
            said.append(message("The lead stays where it is."))
        case _:
            pass
    if verdict.outcome is Outcome.NEEDS_DATA:
        said.append(message("The questions are in the to-do."))
    if verdict.outcome is Outcome.REVIEW:
        said.append(message("A to-do asks for the decision."))
    return said


def _todo(verdict: LeadVerdict, lead: RawCard, given: Given, *, asked: bool) -> tuple[Action, ...]:
    """The one to-do of a lead that waits for an answer; the old one is closed when it asks something else."""
    ours = given.memory.todo
    wanted = timeline.todo_digest(verdict) if asked and verdict.outcome in _ASKING else None
    if ours is not None and ours.digest == wanted:
        return ()
    old = (CompleteTodo(f"lead-{lead['id']}:todo-done:{ours.activity_id}", ours.activity_id),) if ours else ()
    return (*old, _new_todo(verdict, lead, wanted, given)) if wanted else old


def _new_todo(verdict: LeadVerdict, lead: RawCard, asking: str, given: Given) -> AddTodo:
    responsible = link(lead.get("assignedById")) or given.dictionary.integration_user_id
    texts = given.ruleset.texts
    if verdict.outcome is Outcome.REVIEW:
        own, title, text = texts.review_title, message("Decide on the lead"), timeline.review_text(verdict, given.say)
        days = given.ruleset.review_days
        responsible = given.dictionary.heads.get(responsible, responsible)
    else:
        own, title = texts.question_title, message("Find out about the lead")
        text = timeline.questions_text(verdict, given.say)
        days = given.ruleset.question_days
    deadline = (given.now + timedelta(days=days)).astimezone(given.dictionary.zone)
    return AddTodo(
        f"lead-{lead['id']}:todo:{asking}",
        Entity.LEAD,
        lead["id"],
        title=own or given.say(title),
        description=text,
        responsible_id=responsible,
        deadline=deadline.isoformat(timespec="seconds"),
        digest=asking,
    )


def _move(lead: RawCard, stage: Stage | None) -> tuple[MoveItem, ...]:
    if stage is None:
        return ()
    return (MoveItem(f"lead-{lead['id']}:stage:{stage.code}", Entity.LEAD, lead["id"], stage.code),)
