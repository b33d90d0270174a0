"""The minimum: what one deal must earn, and who may earn less once.

Called by `stages/deal_grade.py`. Only a certain No declines: neither an unknown profit nor an exception that an
unknown could still make true does.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date

from app.domain.criteria import evaluate
from app.domain.facts import Facts, Truth, all_of, any_of
from app.domain.messages import Message, message
from app.domain.ruleset import Criterion, Minimum, Operator
from app.domain.verdict import Exemption, Finding
from app.domain.wording import in_turn, not_known

REGULAR = "regular"
TRIAL = "trial_delivery"


@dataclass(frozen=True, slots=True)
class MinimumResult:
    """`above` before exceptions, `declined` after them; `why` None when there is nothing to say."""

    above: Truth
    exemption: Exemption | None
    declined: bool
    findings: tuple[Finding, ...]
    why: Message | None


def judge_minimum(facts: Facts, minimum: Minimum, *, client: Truth, today: date) -> MinimumResult:
    """Compare profit and amount with the minimum; below it, look for an exception."""
    earned = tuple(evaluate(criterion, facts) for criterion in _limits(minimum))
    above = all_of(finding.truth for finding in earned)
    if above is not Truth.NO:
        unknown = [finding.why for finding in earned if not finding.truth.known]
        why = message("the minimum is not checked: {why}", why=in_turn(unknown)) if unknown else None
        return MinimumResult(above, None, declined=False, findings=earned, why=why)
    below = in_turn([finding.why for finding in earned if finding.truth is Truth.NO])
    exceptions = (_regular(facts, minimum, today), _trial(facts, minimum, client))
    regular, trial = (finding.truth for finding in exceptions)
    exemption = Exemption.REGULAR if regular is Truth.YES else Exemption.TRIAL if trial is Truth.YES else None
    return MinimumResult(
        above,
        exemption,
        declined=any_of((regular, trial)) is Truth.NO,
        findings=(*earned, *exceptions),
        why=_why(below, exceptions),
    )


def _limits(minimum: Minimum) -> list[Criterion]:
    limits = (("margin", minimum.profit), ("amount", minimum.amount))
    return [Criterion(name, Operator.AT_LEAST, number=least) for name, least in limits if least is not None]


def _regular(facts: Facts, minimum: Minimum, today: date) -> Finding:
    """Enough won deals with a close date within the last months, the boundary day counted."""
    if not minimum.regular_exempt:
        return Finding(REGULAR, Truth.NO, message("regular buyers have no exception"))
    won = facts.days("won_deals")
    if won is None:
        return Finding(REGULAR, Truth.UNKNOWN, message("how many deals the company won is not known"))
    first = months_before(today, minimum.regular_months)
    count = sum(first <= day <= today for day in won)
    why = message(
        "won deals of the company in the last {months} months: {count}, a regular buyer has {needed}",
        months=minimum.regular_months,
        count=count,
        needed=minimum.regular_won_deals,
    )
    return Finding(REGULAR, Truth.of(count >= minimum.regular_won_deals), why)


def _trial(facts: Facts, minimum: Minimum, client: Truth) -> Finding:
    """A trial delivery to a target client with prospects; all three must hold."""
    if not minimum.trial_exempt:
        return Finding(TRIAL, Truth.NO, message("trial deliveries have no exception"))
    trial, prospects = facts.flag("trial"), facts.flag("prospects")
    truth = all_of((trial, prospects, client))
    if truth is Truth.YES:
        return Finding(TRIAL, truth, message("a trial delivery to a target client with prospects"))
    wanted = Truth.NO if truth is Truth.NO else Truth.UNKNOWN
    reasons = [
        *(_box_why(facts, name, wanted) for name, box in (("trial", trial), ("prospects", prospects)) if box is wanted),
        *([_client_why(wanted)] if client is wanted else ()),
    ]
    return Finding(TRIAL, truth, in_turn(reasons))


def _box_why(facts: Facts, name: str, truth: Truth) -> Message:
    if truth is Truth.UNKNOWN:
        return not_known(facts[name])
    return message("not a trial delivery") if name == "trial" else message("no prospects")


def _client_why(truth: Truth) -> Message:
    if truth is Truth.UNKNOWN:
        return message("whether this is a target client is not known")
    return message("not a target client")


def _why(below: Message, exceptions: tuple[Finding, Finding]) -> Message:
    for finding in exceptions:
        if finding.truth is Truth.YES:
            return message("below the minimum ({below}), let through: {exception}", below=below, exception=finding.why)
    unknown = [finding.why for finding in exceptions if not finding.truth.known]
    if unknown:
        return message(
            "below the minimum ({below}), not declined while an exception is possible: {unknown}",
            below=below,
            unknown=in_turn(unknown),
        )
    return message("declined, below the minimum: {below}", below=below)


def months_before(day: date, months: int) -> date:
    """The same day of the month so many months earlier, or that month's last day; never before the calendar begins."""
    month = day.year * 12 + day.month - 1 - max(months, 0)
    year, index = divmod(month, 12)
    if year < date.min.year:
        return date.min
    return date(year, index + 1, min(day.day, monthrange(year, index + 1)[1]))
