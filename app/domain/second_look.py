"""The second look at junk: which verdicts are drawn, what a person is asked, and how the portal answers.

A few of last week's rejections go to a person, so that we learn how many of them were wrong. Drawn by
`app/store/second_looks.py`, asked in the plan of the lead like every other to-do, answered by API or in the portal.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from hashlib import sha256

from app.domain import timeline
from app.domain.actions import Action, AddTodo, CompleteTodo
from app.domain.difference import digest, link
from app.domain.given import Given
from app.domain.messages import message
from app.domain.snapshot import Entity, RawCard, Semantics
from app.domain.verdict import LeadVerdict, Outcome

LOOKED_AT = frozenset({Outcome.JUNK, Outcome.COMPANY})
"""The outcomes that leave a lead without a deal: a wrong one of them costs a sale that nobody misses."""

SETTLED_AFTER = timedelta(days=1)
"""How long after its to-do was completed a verdict may still be undone, before silence is taken for consent."""

_DAYS_TO_ANSWER = 5
_MARK = ":second-look:"


class Answer(Enum):
    """What a person said about a verdict. No answer is neither of them."""

    RIGHT = "right"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A verdict as it was when it was drawn, and when a person was asked about it."""

    outcome: Outcome
    facts_digest: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """The lead as it was last judged. `semantics` of its stage, None when the portal no longer knows the stage."""

    outcome: Outcome | None
    facts_digest: str | None
    semantics: Semantics | None
    moved_by: int | None
    moved_time: datetime | None


def drawn(ids: Iterable[int], size: int, seed: int) -> tuple[int, ...]:
    """A sample of `size` ids without replacement, the same for the same seed on every machine and version.

    Each id gets a number by the seed and the lowest numbers are taken, so that anybody can repeat the draw.
    """

    def lot(card_id: int) -> bytes:
        return sha256(f"{seed}:{card_id}".encode()).digest()

    return tuple(sorted(sorted(set(ids), key=lot)[: max(size, 0)]))


def todo_key(lead_id: int, week: date) -> str:
    """The key of the to-do that asks; `week` is the Monday of the week in which the verdict was reached."""
    return f"lead-{lead_id}{_MARK}{week.isoformat()}"


def is_second_look(key: str) -> bool:
    """Whether an action's key is that of a second look, not of the to-do in which a lead asks its questions."""
    return _MARK in key


def second_look(verdict: LeadVerdict, lead: RawCard, given: Given) -> tuple[Action, ...]:
    """Ask once, unless the verdict was overtaken meanwhile; close the to-do that was answered elsewhere."""
    look = given.memory.second_look
    if look is None:
        return ()
    if look.activity_id is not None:
        done = CompleteTodo(f"lead-{lead['id']}:todo-done:{look.activity_id}", look.activity_id)
        return (done,) if look.answered and not look.closed else ()
    if look.answered or verdict.outcome is not look.outcome:
        return ()
    return (_question(verdict, lead, look.week, given),)


def answer_in_portal(
    asked: Drawn, now_stands: Standing, *, completed_for: timedelta | None, integration_user_id: int
) -> Answer | None:
    """What people said by what they did; None as long as it can be read either way.

    Wrong: a person took the lead out of where the verdict had put it, or completed the to-do after correcting facts
    by which the verdict became another. Right: the to-do was completed `completed_for` long ago and nothing of the
    kind happened. A verdict that only new rules changed says nothing about the old one.
    """
    if _taken_back(asked, now_stands, integration_user_id):
        return Answer.WRONG
    if completed_for is None or completed_for < SETTLED_AFTER or now_stands.outcome is None:
        return None
    if _still_rejected(asked.outcome, now_stands.outcome):
        return Answer.RIGHT
    return Answer.WRONG if now_stands.facts_digest != asked.facts_digest else None


def _taken_back(asked: Drawn, now_stands: Standing, integration_user_id: int) -> bool:
    by_person = now_stands.moved_by not in {None, integration_user_id}
    # The portal's times are of whole seconds.
    since = asked.asked_at.replace(microsecond=0)
    if not by_person or now_stands.moved_time is None or now_stands.moved_time < since:
        return False
    if asked.outcome is Outcome.JUNK:
        return now_stands.semantics in {"process", "success"}
    return now_stands.semantics == "process"


def _still_rejected(before: Outcome, after: Outcome) -> bool:
    """Whether the lead is rejected as before, or for even better reasons."""
    return after is before or (before is Outcome.COMPANY and after is Outcome.JUNK)


def _question(verdict: LeadVerdict, lead: RawCard, week: date, given: Given) -> AddTodo:
    responsible = link(lead.get("assignedById")) or given.dictionary.integration_user_id
    deadline = (given.now + timedelta(days=_DAYS_TO_ANSWER)).astimezone(given.dictionary.zone)
    return AddTodo(
        todo_key(lead["id"], week),
        Entity.LEAD,
        lead["id"],
        title=given.say(message("Second look: was this right?")),
        description=_text(verdict, given),
        responsible_id=given.dictionary.heads.get(responsible, responsible),
        deadline=deadline.isoformat(timespec="seconds"),
        digest=digest(verdict.decision, week),
    )


def _text(verdict: LeadVerdict, given: Given) -> str:
    if verdict.outcome is Outcome.JUNK:
        how = message(
            "If the lead is rightly junk, just complete this to-do. If not, move the lead back to work or correct its "
            "fields, then complete the to-do."
        )
    else:
        how = message(
            "If it is right that there is no deal, just complete this to-do. If not, correct the lead's fields, e.g. "
            "that the request is within our nomenclature, then complete the to-do."
        )
    return "\n".join(
        [
            given.say(message("Once a week some rejected leads are drawn by lot for a person to look at again.")),
            given.say(timeline.OUTCOME_SAID[verdict.outcome]),
            timeline.review_text(verdict, given.say),
            given.say(how),
        ]
    )
