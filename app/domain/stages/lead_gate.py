"""Stage one, on the lead: target client? target request? and what follows from the two.

Called by `qualify.py`. An unknown stops the lead only where its possible answers would end in different outcomes
under the ruleset.
"""

from collections.abc import Sequence
from datetime import date
from typing import Literal, assert_never

from app.domain.criteria import evaluate
from app.domain.facts import Facts, Truth, all_of
from app.domain.messages import Message, message
from app.domain.request import lead_request
from app.domain.ruleset import Ruleset
from app.domain.verdict import Finding, LeadVerdict, Outcome, Question
from app.domain.wording import asked, in_turn

Policy = Literal["review", "junk", "deal"]
COMPANY_TITLE = "company_title"


def judge(facts: Facts, ruleset: Ruleset, _today: date) -> LeadVerdict:
    """The outcome of a lead; `needs_data` with its questions where the answers decide."""
    of_client = tuple(evaluate(criterion, facts) for criterion in ruleset.client)
    of_request = lead_request(facts, ruleset.nomenclature)
    client, request = all_of(finding.truth for finding in of_client), of_request.truth
    policy: Policy = ruleset.fitting_request_of_no_client
    questions = [
        *(_client_questions(of_client, facts) if _client_matters(client, request, policy) else ()),
        *([_question("request_answer", facts)] if _request_matters(client, request, policy) else ()),
    ]
    findings = (*of_client, of_request)
    outcome = Outcome.NEEDS_DATA
    if not questions:
        outcome = _outcome(client.possible[0], request.possible[0], policy)
    if outcome is Outcome.COMPANY and not _company_known(facts):
        outcome = Outcome.NEEDS_DATA
        questions.append(_question(COMPANY_TITLE, facts))
        findings = (*findings, Finding(COMPANY_TITLE, Truth.UNKNOWN, message("the lead names no company")))
    why = _needs(questions) if outcome is Outcome.NEEDS_DATA else _why(outcome, client, (*of_client, of_request))
    return LeadVerdict(outcome, client, request, findings, why, tuple(questions))


def _outcome(client: bool, request: bool, policy: Policy) -> Outcome:
    match client, request:
        case True, True:
            return Outcome.DEAL
        case True, False:
            return Outcome.COMPANY
        case False, False:
            return Outcome.JUNK
        case _:
            return Outcome(policy)


def _client_matters(client: Truth, request: Truth, policy: Policy) -> bool:
    """Whether, for some answer on the request that is still possible, the client decides."""
    return not client.known and any(_outcome(True, r, policy) != _outcome(False, r, policy) for r in request.possible)


def _request_matters(client: Truth, request: Truth, policy: Policy) -> bool:
    return not request.known and any(_outcome(c, True, policy) != _outcome(c, False, policy) for c in client.possible)


def _client_questions(findings: Sequence[Finding], facts: Facts) -> list[Question]:
    """One for each fact not known, in the order of the rules."""
    names = dict.fromkeys(finding.criterion for finding in findings if not finding.truth.known)
    incomplete = {finding.criterion: finding.why for finding in findings if finding.flip is None}
    return [Question(name, incomplete[name]) if name in incomplete else _question(name, facts) for name in names]


def _question(name: str, facts: Facts) -> Question:
    """The question, with what is wrong with the present value."""
    problem = facts[name].problem
    if problem is None:
        return Question(name, asked(name))
    return Question(name, message("{question} ({problem})", question=asked(name), problem=problem))


def _company_known(facts: Facts) -> bool:
    return facts.flag("company_linked") is Truth.YES or bool((facts.code(COMPANY_TITLE) or "").strip())


def _needs(questions: Sequence[Question]) -> Message:
    return message(
        "Not decided, answers are needed: {questions}", questions=in_turn([question.said for question in questions])
    )


def _why(outcome: Outcome, client: Truth, findings: Sequence[Finding]) -> Message:
    *of_client, of_request = findings
    against = in_turn([finding.why for finding in of_client if finding.truth is Truth.NO])
    match outcome:
        case Outcome.DEAL if client is Truth.YES:
            return message("Target client, fitting request: {request}", request=of_request.why)
        case Outcome.DEAL if client is Truth.NO:
            return message(
                "Not a target client ({client}), but the rules take every fitting request: {request}",
                client=against,
                request=of_request.why,
            )
        case Outcome.DEAL:
            return message(
                "The rules take every fitting request, whoever the client is: {request}", request=of_request.why
            )
        case Outcome.COMPANY:
            return message("Target client, but the request does not fit: {request}", request=of_request.why)
        case Outcome.JUNK:
            return _junk_why(against, of_request)
        case Outcome.REVIEW:
            return message(
                "Not a target client ({client}), but the request fits ({request}): a person decides",
                client=against,
                request=of_request.why,
            )
        case Outcome.NEEDS_DATA:
            return message("Not decided yet")
        case _:
            assert_never(outcome)


def _junk_why(against: Message, of_request: Finding) -> Message:
    match of_request.truth:
        case Truth.YES:
            return message(
                "Not a target client ({client}); the rules decline such requests even when they fit", client=against
            )
        case Truth.NO:
            return message(
                "Not a target client ({client}), and the request does not fit: {request}",
                client=against,
                request=of_request.why,
            )
        case Truth.UNKNOWN:
            return message("Not a target client ({client}); the request would not change that", client=against)
