"""The sentences written into a card's timeline, entries and to-dos, as BB-code with foreign text made harmless.

Used by the planning modules. The digest of an entry is of what was decided and why, never of dates or of the ids
of cards just made, so that the same decision is told once.
"""

from collections.abc import Iterable
from typing import assert_never

from app.domain.difference import as_sentence, digest
from app.domain.facts import Truth
from app.domain.messages import Message, Say, in_english, message
from app.domain.ruleset import Texts
from app.domain.verdict import DealVerdict, Exemption, Finding, Grade, LeadVerdict, Outcome, Verdict
from app.domain.wording import without_others

_OUR_WORDS = Texts()
_MARKS = {Truth.YES: "✓", Truth.NO: "✗", Truth.UNKNOWN: "?"}
# Look-alikes, not an entity such as &#91;: what a portal's parser does with entities is nowhere documented.
_HARMLESS = str.maketrans({"[": "［", "]": "］"})

OUTCOME_SAID = {
    Outcome.DEAL: message("Fire: a target client with a fitting request"),
    Outcome.COMPANY: message("Nurture group: a target client, but the request does not fit"),
    Outcome.JUNK: message("Junk: not for us"),
    Outcome.REVIEW: message("For review: a person decides"),
    Outcome.NEEDS_DATA: message("Data needed: the answer decides"),
}
GRADE_SAID = {
    Grade.AAA: message("Grade AAA"),
    Grade.BBB: message("Grade BBB"),
    Grade.CCC: message("Grade CCC"),
    Grade.NONE: message("No grade"),
}
EXEMPTION_SAID = {
    Exemption.REGULAR: message("Below the minimum, but let through: a regular buyer who took little this once."),
    Exemption.TRIAL: message("Below the minimum, but let through: a trial delivery to a target client with prospects."),
}


def harmless(text: str) -> str:
    """Text as one sentence in which nothing reads as BB-code: leads are written by strangers on the web."""
    return as_sentence(text).translate(_HARMLESS)


def comment_digest(verdict: Verdict) -> str:
    """What the timeline entry of a verdict is known by; ends the key of its action."""
    match verdict:
        case LeadVerdict():
            findings = [[f.criterion, f.truth.value, _reason(f.why)] for f in verdict.findings]
            return digest(verdict.decision, _reason(verdict.why), findings)
        case DealVerdict():
            exemption = verdict.exemption.value if verdict.exemption else None
            return digest(verdict.grade.value, verdict.declined, exemption)


def lead_comment(verdict: LeadVerdict, done: Iterable[Message], say: Say, *, texts: Texts = _OUR_WORDS) -> str:
    """The timeline entry of a lead: verdict, why, findings with what would make them pass, what was done."""
    return "\n".join(
        [
            _head(_own(_outcome_text(verdict.outcome, texts)) or OUTCOME_SAID[verdict.outcome], say),
            harmless(say(verdict.why)),
            *_findings(verdict.findings, say),
            *_done(done, say),
        ]
    )


def deal_comment(verdict: DealVerdict, done: Iterable[Message], say: Say, *, texts: Texts = _OUR_WORDS) -> str:
    """The timeline entry of a deal: grade, why, exemption, findings, the self-check list, what was done."""
    grade = GRADE_SAID[verdict.grade]
    declined = _own(texts.declined) or message("{grade}: the deal is declined", grade=grade)
    head = declined if verdict.declined else grade
    checklist = message("Self-check list: {score}", score=verdict.checklist_score)
    return "\n".join(
        [
            _head(head, say),
            harmless(say(verdict.why)),
            *([harmless(say(EXEMPTION_SAID[verdict.exemption]))] if verdict.exemption else []),
            *_findings(verdict.findings, say),
            _head(checklist, say),
            *(f"{_MARKS[item.truth]} {harmless(say(item.said))}" for item in verdict.checklist),
            *_done(done, say),
        ]
    )


def _own(text: str | None) -> Message | None:
    return message("{text}", text=text) if text else None


def _outcome_text(outcome: Outcome, texts: Texts) -> str | None:
    match outcome:
        case Outcome.DEAL:
            return texts.deal
        case Outcome.COMPANY:
            return texts.company
        case Outcome.JUNK:
            return texts.junk
        case Outcome.REVIEW:
            return texts.review
        case Outcome.NEEDS_DATA:
            return texts.needs_data
        case _:
            assert_never(outcome)


def questions_text(verdict: LeadVerdict, say: Say) -> str:
    """The questions that decide, numbered, one on a line."""
    return "\n".join(f"{number}. {harmless(say(q.said))}" for number, q in enumerate(verdict.questions, 1))


def review_text(verdict: LeadVerdict, say: Say) -> str:
    """What the head of the department decides about, and why it is not clear by itself."""
    return "\n".join([harmless(say(verdict.why)), *_findings(verdict.findings, say)])


def todo_digest(verdict: LeadVerdict) -> str:
    """What a to-do asks, whoever is asked and whenever."""
    if verdict.outcome is Outcome.NEEDS_DATA:
        return digest(verdict.decision, [[q.fact, in_english(q.said)] for q in verdict.questions])
    return digest(verdict.decision, _reason(verdict.why))


def _reason(why: Message) -> str:
    """A reason as digests know it."""
    return in_english(without_others(why))


def _head(said: Message, say: Say) -> str:
    return f"[B]{harmless(say(said))}[/B]"


def _findings(findings: Iterable[Finding], say: Say) -> list[str]:
    lines: list[str] = []
    for finding in findings:
        line = f"{_MARKS[finding.truth]} {harmless(say(finding.why))}"
        if finding.flip is not None and finding.truth is not Truth.YES:
            line = f"{line.removesuffix('.')}. {harmless(say(finding.flip.said))}"
        lines.append(line)
    return lines


def _done(done: Iterable[Message], say: Say) -> list[str]:
    told = " ".join(harmless(say(item)) for item in done)
    head = _head(message("Done:"), say)
    return [f"{head} {told}"] if told else []
