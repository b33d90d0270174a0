"""What judging a card gives: findings, the outcome of stage one, the grade of stage two. Data only."""

from dataclasses import dataclass
from enum import Enum

from app.domain.facts import Kind, Truth
from app.domain.messages import Message


class Outcome(Enum):
    """Result of stage one, on the lead; the values are the XML_IDs of UF_CRM_OGON_VERDICT."""

    DEAL = "deal"
    COMPANY = "company"
    JUNK = "junk"
    REVIEW = "review"
    NEEDS_DATA = "needs_data"


class Grade(Enum):
    """Result of stage two, on the deal; the values are the XML_IDs of UF_CRM_OGON_GRADE."""

    AAA = "AAA"
    BBB = "BBB"
    CCC = "CCC"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Flip:
    """What would turn a finding around: this fact, of this kind, with this value.

    `value` is a fact value as stored in JSON; `facts.value_from_json(kind, value)` reads it.
    """

    fact: str
    kind: Kind
    value: str | bool
    said: Message


@dataclass(frozen=True, slots=True)
class Finding:
    """A criterion's result on a card: yes passed, no failed, or unknown; why; and what would flip it."""

    criterion: str
    truth: Truth
    why: Message
    flip: Flip | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What the manager is asked when the answer decides; `fact` is the fact that the answer fills."""

    fact: str
    said: Message


@dataclass(frozen=True, slots=True)
class LeadVerdict:
    """Stage one on a lead. `questions` only with NEEDS_DATA, in the order client, then request."""

    outcome: Outcome
    client: Truth
    request: Truth
    findings: tuple[Finding, ...]
    why: Message
    questions: tuple[Question, ...] = ()

    @property
    def decision(self) -> str:
        """What decides where the card belongs; as remembered in `Memory.outcome_before_move`."""
        return self.outcome.value


@dataclass(frozen=True, slots=True)
class CheckItem:
    """One of the seven self-check items; done only when known and true."""

    name: str
    truth: Truth
    said: Message


class Exemption(Enum):
    """Why a deal below the minimum was let through."""

    REGULAR = "regular"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True)
class DealVerdict:
    """Stage two on a deal: the grade, the minimum, the self-check list.

    `above_minimum` is yes, no or unknown before exemptions; `declined` is the decision after them.
    `possible` are the grades that unknown answers could still make, best first, without the present one.
    """

    grade: Grade
    possible: tuple[Grade, ...]
    above_minimum: Truth
    exemption: Exemption | None
    declined: bool
    client: Truth
    request: Truth
    checklist: tuple[CheckItem, ...]
    findings: tuple[Finding, ...]
    why: Message

    @property
    def decision(self) -> str:
        """What decides where the card belongs; as remembered in `Memory.outcome_before_move`."""
        return "declined" if self.declined else self.grade.value

    @property
    def checklist_score(self) -> str:
        """E.g. `5/7`, as written to UF_CRM_OGON_CHECKLIST."""
        return f"{sum(item.truth is Truth.YES for item in self.checklist)}/{len(self.checklist)}"


Verdict = LeadVerdict | DealVerdict
