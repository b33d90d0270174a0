"""Stage one, on the lead: target client? target request? and what follows from the two.

Called by `qualify.py`. An unknown stops the lead only where its possible answers would end in different outcomes
under the ruleset.
"""

from collections.abc import Sequence
from datetime import date
from typing import assert_never

from app.domain.criteria import evaluate
from app.domain.facts import Facts, Truth, all_of
from app.domain.messages import Message, message
from app.domain.request import lead_request, with_criteria
from app.domain.ruleset import Ruleset
from app.domain.verdict import Finding, LeadVerdict, Outcome, Question
from app.domain.wording import fact_asked, in_turn

COMPANY_TITLE = "company_title"


def judge(facts: Facts, ruleset: Ruleset, _today: date) -> LeadVerdict:
    """The outcome of a lead; `needs_data` with its questions where the answers decide."""
    of_client = tuple(evaluate(criterion, facts) for criterion in ruleset.client)
    in_nomenclature = lead_request(facts, ruleset.nomenclature)
    more = tuple(evaluate(criterion, facts) for criterion in ruleset.request)
    of_request = with_criteria(in_nomenclature, more)
    client, request = all_of(finding.truth for finding in of_client), of_request.truth
    questions = _each_once(
        [
            *(_questions(of_client, facts) if _client_matters(client, request, ruleset) else ()),
            *(_request_questions(in_nomenclature, more, facts) if _request_matters(client, request, ruleset) else ()),
        ]
    )
    findings = (*of_client, in_nomenclature, *more)
    outcome = Outcome.NEEDS_DATA
    if not questions:
        outcome = _outcome(client.possible[0], request.possible[0], ruleset)
    if outcome is Outcome.COMPANY and not _company_known(facts):
        outcome = Outcome.NEEDS_DATA
        questions.append(_question(COMPANY_TITLE, facts))
        findings = (*findings, Finding(COMPANY_TITLE, Truth.UNKNOWN, message("the lead names no company")))
    why = _needs(questions) if outcome is Outcome.NEEDS_DATA else _why(outcome, client, (*of_client, of_request))
    return LeadVerdict(outcome, client, request, findings, why, tuple(questions))


def _outcome(client: bool, request: bool, rules: Ruleset) -> Outcome:
    match client, request:
        case True, True:
            return Outcome.DEAL
        case True, False:
            return Outcome(rules.unfitting_request_of_client)
        case False, False:
            return Outcome.JUNK
        case _:
            return Outcome(rules.fitting_request_of_no_client)


def _client_matters(client: Truth, request: Truth, rules: Ruleset) -> bool:
    """Whether, for some answer on the request that is still possible, the client decides."""
    return not client.known and any(_outcome(True, r, rules) != _outcome(False, r, rules) for r in request.possible)


def _request_matters(client: Truth, request: Truth, rules: Ruleset) -> bool:
    return not request.known and any(_outcome(c, True, rules) != _outcome(c, False, rules) for c in client.possible)


def _request_questions(in_nomenclature: Finding, more: Sequence[Finding], facts: Facts) -> list[Question]:
    """Whether it is in the nomenclature first, then what the further rules ask for."""
    first = [] if in_nomenclature.truth.known else [_question("request_answer", facts)]
    return [*first, *_questions(more, facts)]


def _each_once(questions: Sequence[Question]) -> list[Question]:
    return list({question.fact: question for question in reversed(questions)}.values())[::-1]


def _questions(findings: Sequence[Finding], facts: Facts) -> list[Question]:
    """One for each fact not known, in the order of the rules."""
    names = dict.fromkeys(finding.criterion for finding in findings if not finding.truth.known)
    incomplete = {finding.criterion: finding.why for finding in findings if finding.flip is None}
    return [Question(name, incomplete[name]) if name in incomplete else _question(name, facts) for name in names]


def _question(name: str, facts: Facts) -> Question:
    """The question, with what is wrong with the present value."""
    fact = facts[name]
    if fact.problem is None:
        return Question(name, fact_asked(fact))
    return Question(name, message("{question} ({problem})", question=fact_asked(fact), problem=fact.problem))


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
            return _junk_why(client, against, of_request)
        case Outcome.REVIEW if client is Truth.YES:
            return message(
                "Target client, but the request does not fit: {request}; a person decides", request=of_request.why
            )
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


def _junk_why(client: Truth, against: Message, of_request: Finding) -> Message:
    if client is not Truth.NO:
        return message(
            "The rules decline requests that do not fit, whoever the client is: {request}", request=of_request.why
        )
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
