"""Stage two, on the deal: need, budget, urgency make the grade; then the minimum and the self-check list.

Called by `qualify.py`. An unknown is no plus, and the reason says what the grade could become.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import product

from app.domain.checklist import checklist
from app.domain.criteria import evaluate, evaluate_answer
from app.domain.facts import Facts, Kind, Truth, all_of
from app.domain.messages import Message, message
from app.domain.minimum import judge_minimum
from app.domain.request import deal_request, with_criteria
from app.domain.ruleset import Ruleset
from app.domain.verdict import DealVerdict, Finding, Flip, Grade
from app.domain.wording import in_turn, not_known, truth_said

URGENCY = "urgency"
_BEST_FIRST = tuple(Grade)


def judge(facts: Facts, ruleset: Ruleset, today: date) -> DealVerdict:
    """The grade of a deal, closed or not; whether it is declined; the seven items."""
    of_client = tuple(evaluate(criterion, facts) for criterion in ruleset.client)
    client = all_of(finding.truth for finding in of_client)
    in_nomenclature = deal_request(facts, ruleset.nomenclature)
    of_request = tuple(evaluate(criterion, facts) for criterion in ruleset.request)
    pluses = (evaluate_answer("need", facts), evaluate_answer("budget", facts), _urgency(facts, ruleset, today))
    need, budget, urgency = (finding.truth for finding in pluses)
    grade = _grade(ruleset, (need is Truth.YES, budget is Truth.YES, urgency is Truth.YES))
    reachable = {_grade(ruleset, cell) for cell in product(need.possible, budget.possible, urgency.possible)}
    possible = tuple(other for other in _BEST_FIRST if other in reachable and other is not grade)
    minimum = judge_minimum(facts, ruleset.minimum, client=client, today=today)
    return DealVerdict(
        grade=grade,
        possible=possible,
        above_minimum=minimum.above,
        exemption=minimum.exemption,
        declined=minimum.declined,
        client=client,
        request=with_criteria(in_nomenclature, of_request).truth,
        checklist=checklist(
            facts,
            above_minimum=minimum.above,
            client=client,
            request=in_nomenclature.truth,
            budget=budget,
            # A date that has passed is asked for again, so it is not known; a date far away is.
            date_known=Truth.YES if urgency.known else Truth.UNKNOWN,
        ),
        findings=(*pluses, *minimum.findings, *of_client, in_nomenclature, *of_request),
        why=_why(grade, pluses, [*_notes(facts, pluses), *_hopes(possible), *([minimum.why] if minimum.why else ())]),
    )


def _grade(ruleset: Ruleset, pluses: tuple[bool, bool, bool]) -> Grade:
    """The grade of one of the eight cells: need, budget, urgency."""
    cells = {(cell.need, cell.budget, cell.urgency): cell.grade for cell in ruleset.grades}
    return cells.get(pluses, Grade.NONE)


def _urgency(facts: Facts, ruleset: Ruleset, today: date) -> Finding:
    """Today and the last day of the span are urgent; a date in the past is stale, which is unknown."""
    day = facts.day("needed_by")
    flip = _urgency_flip(ruleset.urgency_days, today)
    if day is None:
        return Finding(URGENCY, Truth.UNKNOWN, not_known(facts["needed_by"]), flip)
    left = (day - today).days
    if left < 0:
        why = message("the delivery date {day} has passed, ask for the new one", day=day)
        return Finding(URGENCY, Truth.UNKNOWN, why, flip)
    if left <= ruleset.urgency_days:
        why = message("delivery date {day}: within {days} days", day=day, days=ruleset.urgency_days)
        return Finding(URGENCY, Truth.YES, why, _not_urgent_flip(ruleset.urgency_days, today))
    why = message("delivery date {day}: later than in {days} days", day=day, days=ruleset.urgency_days)
    return Finding(URGENCY, Truth.NO, why, flip)


def _urgency_flip(days: int, today: date) -> Flip | None:
    """The last day that is urgent; None where the rules call no day urgent."""
    last = _days_after(today, days)
    if last is None:
        return None
    said = message("a delivery date by {day} would be urgent", day=last)
    return Flip("needed_by", Kind.DATE, last.isoformat(), said)


def _not_urgent_flip(days: int, today: date) -> Flip | None:
    first = _days_after(today, days + 1)
    if first is None:
        return None
    said = message("a delivery date from {day} would not be urgent", day=first)
    return Flip("needed_by", Kind.DATE, first.isoformat(), said)


def _days_after(today: date, days: int) -> date | None:
    """None beyond the calendar, and for a negative count."""
    if not 0 <= days <= (date.max - today).days:
        return None
    return today + timedelta(days=days)


def _why(grade: Grade, pluses: Sequence[Finding], notes: Sequence[Message]) -> Message:
    need, budget, urgency = (truth_said(finding.truth) for finding in pluses)
    pros = message("need: {need}, budget: {budget}, urgent: {urgency}", need=need, budget=budget, urgency=urgency)
    graded = message("no grade") if grade is Grade.NONE else message("grade {grade}", grade=grade.value)
    return in_turn([graded, pros, *notes])


def _notes(facts: Facts, pluses: Sequence[Finding]) -> list[Message]:
    """What is filled in and still leaves it unknown: a passed date, a value that could not be read."""
    named = zip(("need", "budget", "needed_by"), pluses, strict=True)
    return [
        finding.why
        for name, finding in named
        if not finding.truth.known and (facts[name].known or facts[name].problem is not None)
    ]


def _hopes(possible: Sequence[Grade]) -> list[Message]:
    if not possible:
        return []
    grades = tuple(message("no grade") if grade is Grade.NONE else grade.value for grade in possible)
    return [message("could become: {grades}", grades=grades)]
