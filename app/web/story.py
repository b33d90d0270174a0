"""What the store keeps of a card, made into what people and programs read. Pure, in one language.

Called by the API and the pages. A run written by another version of Ogon must not break a page: what can't be
read is shown as it is stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from app.domain.facts import Fact, Facts, FactValue
from app.domain.messages import Message, message
from app.domain.touch import Hold, hold_said
from app.domain.wording import called, value_said
from app.store.cards import Card
from app.store.journal import Entry
from app.store.portals import Portal
from app.store.runs import Chapter, KeptAction
from app.texts import Catalogue
from app.web.rendering import said
from app.web.shapes import (
    TYPE_NAMES,
    ActionView,
    CardLine,
    CheckView,
    FactView,
    FindingView,
    FlipView,
    HintView,
    OtherSource,
    RejectedLine,
    RunView,
    VerdictView,
)
from app.web.words import CRITERIA, FACTS

Stored = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells of the cards of one portal in one language."""

    texts: Catalogue
    portal: Portal

    def card(self, card: Card) -> CardLine:
        """One line of a list."""
        name = TYPE_NAMES.get(card.entity_type_id, "lead")
        return CardLine(
            portal=card.portal_id,
            type=name,
            id=card.card_id,
            title=card.title,
            outcome=card.outcome,
            grade=card.grade,
            checklist=card.checklist,
            why=said(self.texts, card.why),
            state=card.state,
            parked_reason=card.parked_reason,
            stage=card.stage_id,
            responsible=card.assigned_by_id,
            company=card.company_id,
            first_seen_at=card.first_seen_at,
            judged_at=card.judged_at,
            address=f"https://{self.portal.domain}/crm/{name}/details/{card.card_id}/",
        )

    def run(self, chapter: Chapter) -> RunView:
        """One run with its facts, findings and actions."""
        run = chapter.run
        plan = _mapping(run.plan)
        return RunView(
            id=run.id,
            status=run.status,
            mode=run.mode,
            opened_at=run.opened_at,
            closed_at=run.closed_at,
            journal_id=run.journal_id,
            ruleset_version=run.ruleset_version,
            seen=run.seen,
            verdict=self.verdict(_mapping(run.verdict)) if run.verdict else None,
            facts=self.facts(run.facts),
            actions=[_action(action) for action in chapter.actions],
            held=[self._held(held) for held in _list(plan.get("held"))],
            error=run.error,
        )

    def verdict(self, stored: Stored) -> VerdictView:
        """A verdict as `domain.record` writes it."""
        return VerdictView(
            stage=str(stored.get("stage", "")),
            outcome=stored.get("outcome"),
            grade=stored.get("grade"),
            segment=stored.get("segment"),
            possible=_list(stored.get("possible")),
            client=stored.get("client"),
            request=stored.get("request"),
            declined=stored.get("declined"),
            exemption=stored.get("exemption"),
            checklist_score=stored.get("checklist_score"),
            checklist=[self._check(item) for item in _list(stored.get("checklist"))],
            questions=[said(self.texts, item.get("said")) for item in _list(stored.get("questions"))],
            why=said(self.texts, stored.get("why")),
            findings=[self._finding(item) for item in _list(stored.get("findings"))],
        )

    def _held(self, stored: Any) -> str:
        """A code of `domain.touch` in words; what another version wrote as it is."""
        try:
            return self.texts.say(hold_said(Hold(stored)))
        except ValueError:
            return said(self.texts, stored)

    def _check(self, stored: Stored) -> CheckView:
        return CheckView(
            name=str(stored.get("name", "")),
            truth=str(stored.get("truth", "unknown")),
            text=said(self.texts, stored.get("said")),
        )

    def _finding(self, stored: Stored) -> FindingView:
        flip = _mapping(stored.get("flip"))
        criterion = str(stored.get("criterion", ""))
        return FindingView(
            criterion=criterion,
            label=self._called(criterion, CRITERIA),
            truth=str(stored.get("truth", "unknown")),
            why=said(self.texts, stored.get("why")),
            flip=FlipView(
                fact=str(flip.get("fact", "")), value=flip.get("value"), text=said(self.texts, flip.get("said"))
            )
            if flip
            else None,
        )

    def _called(self, name: str, own_words: Mapping[str, str]) -> str:
        if name in own_words:
            return self.texts.gettext(own_words[name])
        return self.texts.say(called(name))

    def facts(self, stored: Any) -> list[FactView]:
        """Facts as `Facts.to_json` writes them."""
        try:
            facts = list(Facts.from_json(_mapping(stored)).values())
        except (KeyError, TypeError, ValueError, ArithmeticError):
            return [_raw_fact(name, _mapping(value)) for name, value in _mapping(stored).items()]
        return [self._fact(fact, _mapping(_mapping(stored)[fact.name]).get("value")) for fact in facts]

    def _fact(self, fact: Fact, stored_value: Any) -> FactView:
        return FactView(
            name=fact.name,
            label=self._called(fact.name, FACTS),
            kind=fact.kind.value,
            value=stored_value,
            text="" if fact.value is None else self._value(fact.name, fact.value),
            source=fact.source,
            problem=self.texts.say(fact.problem) if fact.problem else None,
            others=[OtherSource(source=source, text=self._value(fact.name, value)) for source, value in fact.others],
        )

    def _value(self, name: str, value: FactValue) -> str:
        shown = value_said(name, value)
        return self.texts.say(shown if isinstance(shown, Message) else message("{value}", value=shown))


def hint(entry: Entry) -> HintView:
    """A journal row as the story shows it."""
    return HintView(
        id=entry.id,
        received_at=entry.received_at,
        source=entry.source,
        event=entry.event,
        change=entry.change,
        lane=entry.lane,
        dispatched_at=entry.dispatched_at,
    )


def rejected_line(entry: Entry) -> RejectedLine:
    """One rejected delivery as it is shown."""
    return RejectedLine(
        id=entry.id,
        received_at=entry.received_at,
        portal=entry.portal_id,
        event=entry.event,
        reason=entry.rejected or "",
        body=entry.body,
    )


def _action(action: KeptAction) -> ActionView:
    return ActionView(
        position=action.position,
        key=action.key,
        kind=action.kind,
        state=action.state,
        payload=action.payload,
        result=action.result,
        error=action.error,
        started_at=action.started_at,
        finished_at=action.finished_at,
    )


def _raw_fact(name: str, stored: Stored) -> FactView:
    value = stored.get("value")
    return FactView(
        name=name,
        label=name,
        kind=str(stored.get("kind", "")),
        value=value,
        text="" if value is None else str(value),
        source=str(stored.get("source", "")),
        problem=None,
        others=[],
    )


def _mapping(stored: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", stored) if isinstance(stored, dict) else {}


def _list(stored: Any) -> list[Any]:
    return cast("list[Any]", stored) if isinstance(stored, list) else []
