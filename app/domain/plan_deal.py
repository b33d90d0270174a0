"""The plan of a deal: grade, self-check and why in its fields, a timeline entry, and where the rules say so a move.

Called by `plan.py`. Closed deals are graded but never moved.
"""

from app.domain import destination, timeline
from app.domain.actions import Action, AddComment, MoveItem, Plan, UpdateItem
from app.domain.destination import Place
from app.domain.difference import changed, digest, enumeration_id, one_line
from app.domain.given import Given
from app.domain.messages import Message, message
from app.domain.route_fields import wanted_fields
from app.domain.ruleset import Route
from app.domain.snapshot import DealSnapshot, Entity, PortalDictionary, RawCard, Stage
from app.domain.touch import Hold, held_back, hold_said, not_kept, set_by_us
from app.domain.verdict import DealVerdict

GRADE = "UF_CRM_OGON_GRADE"
CHECKLIST = "UF_CRM_OGON_CHECKLIST"
WHY = "UF_CRM_OGON_WHY"


def plan_deal(verdict: DealVerdict, snapshot: DealSnapshot, given: Given) -> Plan:
    """Actions still missing on a deal, in order, the move last."""
    deal = snapshot.deal
    where = destination.place(Entity.DEAL, deal)
    stage = destination.stage_at(given.dictionary, Entity.DEAL, where)
    closed = destination.semantics_of(deal, stage) != "process"
    goal = _goal(verdict, deal, where, stage, given=given, closed=closed)
    hold = goal if isinstance(goal, Hold) else None
    to = goal if isinstance(goal, Stage) else None
    fields = _fields(verdict, deal, given, routed=not closed and hold is None)
    kept = tuple(update for update in fields if not not_kept(update, given.memory))
    # Deals that others closed are told nothing: on the first sight of a portal there are thousands of them.
    told = not closed or set_by_us(deal, given.memory, given.dictionary)
    actions: list[Action] = [
        *kept,
        *(_comment(verdict, deal, to, hold, given=given) if told else ()),
        *_move(deal, to),
    ]
    held = (*((hold,) if hold else ()), *((Hold.FIELDS_NOT_KEPT,) if kept != fields else ()))
    return Plan(tuple(actions), held)


def _goal(
    verdict: DealVerdict, deal: RawCard, where: Place, stage: Stage | None, *, given: Given, closed: bool
) -> Stage | Hold | None:
    """The stage to move to, or why not; None when the deal is where it belongs."""
    if closed:
        lost = destination.semantics_of(deal, stage) == "failure"
        return Hold.DEAL_CLOSED if verdict.declined and not lost else None
    if stage is None:
        return Hold.STAGE_UNKNOWN
    route = _route(verdict, given)
    if route is None or (not verdict.declined and route.stage is None and route.pipeline in {None, where[0]}):
        return None
    pipeline = where[0] if route.pipeline is None else route.pipeline
    goal = _stage_of(route.stage, pipeline, given.dictionary, declined=verdict.declined)
    if goal is None:
        return Hold.STAGE_UNKNOWN
    if goal == stage:
        return None
    return held_back(deal, verdict.decision, given) or goal


def _route(verdict: DealVerdict, given: Given) -> Route | None:
    return given.ruleset.declined_route if verdict.declined else given.ruleset.grade_routes.get(verdict.grade)


def _stage_of(code: str | None, pipeline: int, dictionary: PortalDictionary, *, declined: bool) -> Stage | None:
    """The stage named, else where declined deals end or work begins; a declined deal never goes to an open one."""
    if code is None:
        usual = destination.failure if declined else destination.first_process
        return usual(dictionary, Entity.DEAL, pipeline)
    stage = destination.stage_at(dictionary, Entity.DEAL, (pipeline, code))
    return None if declined and stage is not None and stage.semantics != "failure" else stage


def _fields(verdict: DealVerdict, deal: RawCard, given: Given, *, routed: bool) -> tuple[UpdateItem, ...]:
    """Ours, and those of the route as long as the deal is open and nothing holds it back."""
    route = _route(verdict, given) if routed else None
    wanted = wanted_fields(given.dictionary, Entity.DEAL, route.fields) if route else {}
    item = enumeration_id(given.dictionary, Entity.DEAL, GRADE, verdict.grade.value)
    if item is not None:
        wanted[GRADE] = item
    texts = {CHECKLIST: verdict.checklist_score, WHY: one_line(given.say(verdict.why))}
    wanted |= {name: text for name, text in texts.items() if (Entity.DEAL, name) in given.dictionary.fields}
    fields = changed(deal, wanted)
    return (
        (UpdateItem(f"deal-{deal['id']}:fields:{digest(fields)}", Entity.DEAL, deal["id"], fields),) if fields else ()
    )


def _comment(
    verdict: DealVerdict, deal: RawCard, to: Stage | None, hold: Hold | None, *, given: Given
) -> tuple[AddComment, ...]:
    known = timeline.comment_digest(verdict)
    if known == given.memory.comment_digest:
        return ()
    text = timeline.deal_comment(verdict, _done(to, hold), given.say, texts=given.ruleset.texts)
    return (AddComment(f"deal-{deal['id']}:comment:{known}", Entity.DEAL, deal["id"], text),)


def _done(to: Stage | None, hold: Hold | None) -> list[Message]:
    if hold is not None:
        return [hold_said(hold)]
    return [] if to is None else [message("The deal was moved to the stage “{stage}”.", stage=to.name)]


def _move(deal: RawCard, to: Stage | None) -> tuple[MoveItem, ...]:
    if to is None:
        return ()
    return (MoveItem(f"deal-{deal['id']}:stage:{to.code}", Entity.DEAL, deal["id"], to.code, to.pipeline),)
