"""A verdict as stored with its run and handed to pages: plain JSON, messages as template and values.

Called by `pipeline/process`. Messages stay data, so that a page can say them in its reader's language;
`messages.message_from_json` reads them back.
"""

from typing import Any, assert_never

from app.domain.messages import message_to_json
from app.domain.verdict import DealVerdict, Finding, Flip, LeadVerdict, Verdict


def verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    """`stage` is `lead_gate` or `deal_grade` and tells which of the other keys there are."""
    match verdict:
        case LeadVerdict():
            return {"stage": "lead_gate", **_lead(verdict), **_both(verdict)}
        case DealVerdict():
            return {"stage": "deal_grade", **_deal(verdict), **_both(verdict)}
        case _:
            assert_never(verdict)


def _lead(verdict: LeadVerdict) -> dict[str, Any]:
    return {
        "outcome": verdict.outcome.value,
        "questions": [{"fact": asked.fact, "said": message_to_json(asked.said)} for asked in verdict.questions],
    }


def _deal(verdict: DealVerdict) -> dict[str, Any]:
    return {
        "grade": verdict.grade.value,
        "possible": [grade.value for grade in verdict.possible],
        "above_minimum": verdict.above_minimum.value,
        "exemption": verdict.exemption.value if verdict.exemption else None,
        "declined": verdict.declined,
        "checklist": [
            {"name": item.name, "truth": item.truth.value, "said": message_to_json(item.said)}
            for item in verdict.checklist
        ],
        "checklist_score": verdict.checklist_score,
    }


def _both(verdict: Verdict) -> dict[str, Any]:
    return {
        "client": verdict.client.value,
        "request": verdict.request.value,
        "why": message_to_json(verdict.why),
        "findings": [_finding(finding) for finding in verdict.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "criterion": finding.criterion,
        "truth": finding.truth.value,
        "why": message_to_json(finding.why),
        "flip": _flip(finding.flip) if finding.flip else None,
    }


def _flip(flip: Flip) -> dict[str, Any]:
    return {"fact": flip.fact, "kind": flip.kind.value, "value": flip.value, "said": message_to_json(flip.said)}
