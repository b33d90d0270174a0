"""Is what they ask for within our nomenclature: the desk's answer, else the product rows, else the words.

Called by both stages, for the lead and for the lead behind a deal.
"""

from collections.abc import Sequence

from app.domain.criteria import answer, answer_flip
from app.domain.facts import Facts, Row, Truth, all_of
from app.domain.messages import Message, message
from app.domain.nomenclature import first_fitting, rows_fit, term_in
from app.domain.ruleset import Nomenclature
from app.domain.verdict import Finding
from app.domain.wording import in_turn

REQUEST = "request"
_NAME_LENGTH = 80


def lead_request(facts: Facts, nomenclature: Nomenclature) -> Finding:
    """Of a lead: facts `request_answer`, `rows`, `text`."""
    return _by_answer_rows_text(facts, nomenclature, answer_name="request_answer", rows_name="rows", text_name="text")


def deal_request(facts: Facts, nomenclature: Nomenclature) -> Finding:
    """Of a deal: its own product rows where it has any, else the verdict on the source lead's request."""
    rows = facts.rows("rows")
    if rows is None:
        return Finding(REQUEST, Truth.UNKNOWN, message("the deal's product rows could not be read"))
    if rows:
        return _by_rows(rows, nomenclature)
    return _by_answer_rows_text(
        facts, nomenclature, answer_name="lead_request_answer", rows_name="lead_rows", text_name="lead_text"
    )


def with_criteria(in_nomenclature: Finding, more: Sequence[Finding]) -> Finding:
    """The whole request: in the nomenclature, and every further rule holds; the reason names what decides."""
    if not more:
        return in_nomenclature
    findings = (in_nomenclature, *more)
    truth = all_of(finding.truth for finding in findings)
    return Finding(REQUEST, truth, in_turn([finding.why for finding in findings if finding.truth is truth]))


def _by_answer_rows_text(
    facts: Facts, nomenclature: Nomenclature, *, answer_name: str, rows_name: str, text_name: str
) -> Finding:
    """Each beats the next. Rows that could not be read leave it open, since they would have beaten the words."""
    said = answer(facts, answer_name)
    if said.known:
        finding = Finding(REQUEST, said, _answered(said))
    elif (rows := facts.rows(rows_name)) is None:
        finding = Finding(REQUEST, Truth.UNKNOWN, message("the product rows could not be read"))
    elif rows:
        finding = _by_rows(rows, nomenclature)
    elif term := term_in(facts.code(text_name) or "", nomenclature.terms):
        finding = Finding(REQUEST, Truth.YES, message("the text mentions “{term}”", term=term))
    else:
        finding = Finding(REQUEST, Truth.UNKNOWN, _unanswered(facts, answer_name))
    flip = answer_flip(answer_name, finding.truth, facts[answer_name].kind)
    return Finding(REQUEST, finding.truth, finding.why, flip)


def _answered(said: Truth) -> Message:
    if said is Truth.YES:
        return message("the desk says the request is within our nomenclature")
    return message("the desk says the request is not within our nomenclature")


def _unanswered(facts: Facts, answer_name: str) -> Message:
    problem = facts[answer_name].problem
    if problem is None:
        return message("whether the request is within our nomenclature is not known")
    return message("whether the request is within our nomenclature is not known: {problem}", problem=problem)


def _by_rows(rows: tuple[Row, ...], nomenclature: Nomenclature) -> Finding:
    truth = rows_fit(rows, nomenclature)
    match truth:
        case Truth.YES:
            row = first_fitting(rows, nomenclature)
            why = message("“{product}” is in our nomenclature", product=row.name[:_NAME_LENGTH] if row else "")
        case Truth.NO:
            why = message("none of the products is in our nomenclature")
        case Truth.UNKNOWN:
            why = message("the catalog sections of the products could not be read")
    return Finding(REQUEST, truth, why)
