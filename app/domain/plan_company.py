"""What is still to be written to a company: its segment, and the to-do that asks its owner to speak to it.

Called by `app/pipeline/segmenting.py`. Pure. Beside the plan it tells how the company stands after it, which is what
`app/store/segments.py` keeps. People win as with stages: a value that a person set is left until the facts decide
otherwise than when it was set; and a mark that we did not set is never taken away.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from app.domain.actions import Action, AddTodo, CompleteTodo, Plan, UpdateItem
from app.domain.difference import changed, digest, is_empty, link
from app.domain.messages import Message, Say, message
from app.domain.next_contact import due_on
from app.domain.route_fields import wanted_fields
from app.domain.ruleset import Ruleset
from app.domain.segment import Segment, SegmentVerdict
from app.domain.snapshot import Entity, Memory, OpenTodo, PortalDictionary, RawCard, WonDeal
from app.domain.timeline import harmless
from app.domain.touch import Hold, not_kept

_TODO_TIME = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class KnownTodo:
    """The newest to-do that we made for the company. `done_at`: when it was seen completed or gone; None while open."""

    todo: OpenTodo
    made_at: datetime
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CompanySnapshot:
    """A company as it is now. `won_deals` None: not read whole. `contact_at`: the last contact that we know of.

    `turn`: the day a next contact was due for which the owner's cap has a place for this company.
    """

    company: RawCard
    won_deals: tuple[WonDeal, ...] | None
    contact_at: datetime | None = None
    todo: KnownTodo | None = None
    turn: date | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """How our last run left the company. `left`: the field's code then; `decided`: the segment by the facts then."""

    segment: Segment | None
    since: date | None
    decided: Segment | None
    left: str | None
    by_person: bool
    contact_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A company after the plan. `segment` is the one in force, a person's where one set it, None for none.

    `left`: the field's code; `next_contact_on`: None where no contact is due, or while a to-do asks for it.
    """

    segment: Segment | None
    since: date | None
    decided: Segment | None
    left: str | None
    by_person: bool
    contact_at: datetime | None
    next_contact_on: date | None
    open_todo: OpenTodo | None


@dataclass(frozen=True, slots=True)
class CompanyCase:
    """Everything that a plan for one company is made from. `today` is the date in the portal's zone."""

    verdict: SegmentVerdict
    snapshot: CompanySnapshot
    kept: Kept | None
    memory: Memory
    ruleset: Ruleset
    dictionary: PortalDictionary
    now: datetime
    say: Say

    @property
    def today(self) -> date:
        return self.day(self.now)

    def day(self, moment: datetime) -> date:
        """The portal's calendar day of a moment."""
        return moment.astimezone(self.dictionary.zone).date()


def field_code(company: RawCard, ruleset: Ruleset, dictionary: PortalDictionary) -> str | None:
    """The code that stands in the segment's field; None when it is empty or the portal has no such field."""
    name = ruleset.nurture.segment_field
    value = company.get(name)
    if is_empty(value) or str(value) == "0":
        return None
    items = dictionary.enumerations.get((Entity.COMPANY, name))
    return str(value) if items is None else items.get(str(value), str(value))


def codes_of(ruleset: Ruleset) -> Mapping[Segment, str]:
    """What the field holds for each segment."""
    segments = ruleset.segments
    return {
        Segment.NEW: segments.new,
        Segment.REGULAR: segments.regular,
        Segment.SLEEPING: segments.sleeping,
        Segment.NURTURE: ruleset.nurture.segment,
    }


def segment_of(code: str | None, ruleset: Ruleset) -> Segment | None:
    """The segment that a code of the field stands for."""
    return next((segment for segment, known in codes_of(ruleset).items() if known == code), None)


def plan_company(case: CompanyCase) -> tuple[Plan, Standing]:
    """The actions still missing, and how the company stands once they are done."""
    now = field_code(case.snapshot.company, case.ruleset, case.dictionary)
    by_person = _set_by_person(now, case.kept)
    written, held = _segment(now, case, by_person=by_person)
    fields = {} if written is None else _wanted(written, case)
    # Without such a field in the portal the segment is in force all the same, in our own tables.
    left = now if written is None or not fields else _written_code(written, case.ruleset)
    segment = segment_of(now, case.ruleset) if written is None else written.segment
    contact_at = _latest(case)
    since = _since(segment, case)
    due = None
    if segment is not None and since is not None:
        last = case.day(contact_at) if contact_at else None
        due = due_on(segment, case.ruleset.segments, since=since, last_contact=last)
    todos, open_todo = _todos(segment, due, contact_at, case)
    updates = _update(fields, case)
    kept = tuple(update for update in updates if not not_kept(update, case.memory))
    if kept != updates:
        held = (*held, Hold.FIELDS_NOT_KEPT)
        left = now
    agrees = case.verdict.known and segment is case.verdict.segment
    standing = Standing(
        segment,
        since,
        case.verdict.segment if case.verdict.known else (case.kept.decided if case.kept else None),
        left,
        by_person and not agrees,
        contact_at,
        None if open_todo else due,
        open_todo,
    )
    return Plan((*kept, *todos), held), standing


def _set_by_person(now: str | None, kept: Kept | None) -> bool:
    """Whether a person, or anybody but us, set what stands in the field since our last run."""
    if kept is None:
        return False
    return kept.by_person if now == kept.left else True


@dataclass(frozen=True, slots=True)
class _Write:
    """The field is to be set, to None for taking the mark away."""

    segment: Segment | None


def _segment(now: str | None, case: CompanyCase, *, by_person: bool) -> tuple[_Write | None, tuple[Hold, ...]]:
    verdict, kept = case.verdict, case.kept
    already = segment_of(now, case.ruleset) is verdict.segment and (now is None) is (verdict.segment is None)
    if already or not verdict.known:
        return None, ()
    if verdict.segment is None:
        # Only what we wrote ourselves is taken back: a mark set by a person says what we may not know.
        ours = kept is not None and kept.decided is not None and not by_person
        return (_Write(None) if ours else None), ()
    if by_person and kept is not None and kept.decided is verdict.segment:
        return None, (Hold.PERSON_SET,)
    return _Write(verdict.segment), ()


def _written_code(written: _Write, ruleset: Ruleset) -> str | None:
    return None if written.segment is None else codes_of(ruleset)[written.segment]


def _wanted(written: _Write, case: CompanyCase) -> dict[str, Any]:
    """The field with its new value; nothing where the portal has no such field or item."""
    field = case.ruleset.nurture.segment_field
    code = _written_code(written, case.ruleset)
    if code is None:
        return {field: ""}
    return wanted_fields(case.dictionary, Entity.COMPANY, {field: code})


def _update(wanted: Mapping[str, Any], case: CompanyCase) -> tuple[UpdateItem, ...]:
    company = case.snapshot.company
    fields = changed(company, wanted)
    if not fields:
        return ()
    return (UpdateItem(f"company-{company['id']}:fields:{digest(fields)}", Entity.COMPANY, company["id"], fields),)


def _since(segment: Segment | None, case: CompanyCase) -> date | None:
    """From when on the company is in the segment: by the facts where they say it, else since we saw it."""
    if segment is None:
        return None
    if case.verdict.segment is segment and case.verdict.since is not None:
        return case.verdict.since
    if case.kept is not None and case.kept.segment is segment:
        return case.kept.since
    return case.today


def _latest(case: CompanyCase) -> datetime | None:
    """The last contact: with the client, or a to-do of ours that somebody has completed."""
    todo = case.snapshot.todo
    known = (case.snapshot.contact_at, todo.done_at if todo else None, case.kept.contact_at if case.kept else None)
    return max((moment for moment in known if moment is not None), default=None)


def _todos(
    segment: Segment | None, due: date | None, contact_at: datetime | None, case: CompanyCase
) -> tuple[tuple[Action, ...], OpenTodo | None]:
    """The to-dos to close and to make, and the one that is open then. A contact answers it; so does another segment."""
    company, known = case.snapshot.company, case.snapshot.todo
    actions: list[Action] = []
    if known is not None and known.done_at is None:
        answered = due is None or (contact_at is not None and contact_at > known.made_at)
        if not answered:
            return (), known.todo
        key = f"company-{company['id']}:todo-done:{known.todo.activity_id}"
        actions.append(CompleteTodo(key, known.todo.activity_id))
    turn = case.snapshot.turn
    asked = known is not None and due is not None and known.todo.digest == due.isoformat()
    if segment is None or due is None or due > case.today or turn != due or asked:
        return tuple(actions), None
    todo = _new_todo(segment, due, case)
    return (*actions, todo), OpenTodo(0, todo.digest)


def _new_todo(segment: Segment, due: date, case: CompanyCase) -> AddTodo:
    company, texts = case.snapshot.company, case.ruleset.texts
    own = texts.contact_sleeping if segment is Segment.SLEEPING else texts.contact_nurture
    deadline = (case.now + _TODO_TIME).astimezone(case.dictionary.zone)
    return AddTodo(
        f"company-{company['id']}:contact:{due.isoformat()}",
        Entity.COMPANY,
        company["id"],
        title=texts.contact_title or case.say(message("Speak to the client")),
        description="\n".join([own or case.say(_asking(segment)), harmless(case.say(case.verdict.why))]),
        responsible_id=link(company.get("assignedById")) or case.dictionary.integration_user_id,
        deadline=deadline.isoformat(timespec="seconds"),
        digest=due.isoformat(),
    )


def _asking(segment: Segment) -> Message:
    if segment is Segment.SLEEPING:
        return message(
            "The company bought before and no more. Ask how things are there and what it needs; win it back."
        )
    return message(
        "A target client that had no fitting request yet. Tell what we have, ask what is planned; grow its demand."
    )
