"""Which rules are to be tried, and what would be done by them: for previews. Reads the database, writes nothing.

Called by the API. The plan is made by the very function that the worker uses, on the card as its last run left it; the
portal is out of reach here, so whatever had to be assumed is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.domain.actions import CreateItem, Plan, action_from_json
from app.domain.as_left import Done, as_left
from app.domain.facts import Facts
from app.domain.hand_facts import FactWrongError, facts_by_hand
from app.domain.kept_cards import KeptCards, kept_from_json
from app.domain.messages import Message, Say, message
from app.domain.plan import plan
from app.domain.qualify import qualify
from app.domain.rejudge import Draft, Gap, Recorded, gap_said
from app.domain.replay import deal_label
from app.domain.ruleset import Ruleset
from app.domain.snapshot import (
    NO_LINKS,
    NOTHING_REMEMBERED,
    DealSnapshot,
    Entity,
    LeadSnapshot,
    Memory,
    PortalDictionary,
    RawCard,
    Snapshot,
    WonDeal,
)
from app.domain.verdict import Verdict
from app.store import card_story, cards, dictionary, rulesets, runs
from app.store.cards import Card, CardKey
from app.store.database import ReadSession
from app.store.memory import recall
from app.store.portals import Portal
from app.store.rules_in_force import rules_in_force
from app.store.ruleset_document import RulesetInvalid, kept_ruleset
from app.store.runs import Chapter
from app.texts import catalogue
from app.web.drafts import draft
from app.web.problems import WebProblem

_UNREADABLE = (KeyError, TypeError, ValueError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Tried:
    """What the rules make of a card or of facts. `read_at`: when the facts were read; None for facts by hand.

    `before`: the label of the recorded verdict, as in replays. With `gaps` the answer is in part a guess.
    """

    entity: Entity
    facts: Facts
    verdict: Verdict
    plan: Plan
    assumed: tuple[Message, ...]
    gaps: tuple[Gap, ...] = ()
    comparable: bool = True
    read_at: datetime | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """Rules to be tried in one portal, as it was last read."""

    portal: Portal
    rules: Ruleset
    dictionary: PortalDictionary
    dictionary_read: bool
    now: datetime

    async def card(self, session: ReadSession, key: CardKey) -> Tried:
        """The card by its newest recorded facts. Raises WebProblem when there are none."""
        card, chapter = await _newest(session, key)
        entity, run = Entity(key.entity_type_id), chapter.run
        kept = kept_from_json(await runs.snapshot_of(session, run.id))
        try:
            facts = Facts.from_json(run.facts)
        except _UNREADABLE:
            raise WebProblem(409, "facts_unreadable", gap_said(Gap.FACTS_UNREADABLE)) from None
        recorded = Recorded(entity, facts, await _rules_of(session, key.portal_id, run.ruleset_version), kept)
        rejudged = Draft(self.rules, self.dictionary).judge(recorded, self.now.astimezone(self.dictionary.zone).date())
        snapshot, assumed = self._snapshot(entity, card, chapter, rejudged.facts, kept)
        raw = snapshot.lead if isinstance(snapshot, LeadSnapshot) else snapshot.deal
        known = await recall(session, key, moved_time=raw.get("movedTime"), stage=raw.get("stageId"), now=self.now)
        planned = self._plan(rejudged.verdict, snapshot, known.memory, rejudged.facts)
        return Tried(
            entity,
            rejudged.facts,
            rejudged.verdict,
            planned,
            (*assumed, *self._not_looked_up(planned, rejudged.facts)),
            rejudged.gaps,
            rejudged.comparable,
            run.opened_at,
            _label(run.verdict),
        )

    def by_hand(self, entity: Entity, values: Mapping[str, Any]) -> Tried:
        """Facts without a card. Raises WebProblem that names the wrong one."""
        try:
            facts = facts_by_hand(entity, values, self.rules)
        except FactWrongError as wrong:
            said = message("The fact “{name}”: {problem}.", name=wrong.name, problem=wrong.problem)
            raise WebProblem(422, "fact_wrong", said, path=f"body.facts.{wrong.name}") from None
        verdict = qualify(entity, facts, self.rules, self.now.astimezone(self.dictionary.zone).date())
        raw = {"id": 0, "stageId": self._first_stage(entity), "companyTitle": facts.code("company_title")}
        planned = self._plan(verdict, _snapshot(entity, {entity.name.lower(): raw}, facts), NOTHING_REMEMBERED, facts)
        assumed = message("A new card in the first stage is assumed, that nobody is responsible for.")
        return Tried(entity, facts, verdict, planned, (assumed, *self._not_looked_up(planned, facts)))

    def _first_stage(self, entity: Entity) -> str:
        found = (one for one in self.dictionary.stages if (one.entity, one.pipeline) == (entity, 0))
        return next((one.code for one in sorted(found, key=lambda one: one.sort) if one.semantics == "process"), "NEW")

    def _snapshot(
        self, entity: Entity, card: Card, chapter: Chapter, facts: Facts, kept: KeptCards | None
    ) -> tuple[Snapshot, tuple[Message, ...]]:
        """The card as its last run left it, and what is assumed of it."""
        name = entity.name.lower()
        if kept is None or kept.cards.get(name) is None:
            rebuilt = {
                "id": card.card_id,
                "title": card.title,
                "stageId": card.stage_id,
                "movedBy": card.moved_by,
                "assignedById": card.assigned_by_id,
                "companyId": card.company_id,
                "companyTitle": facts.code("company_title"),
            }
            said = message("The run did not keep the card, so fields may be named that are right already.")
            return _snapshot(entity, {name: rebuilt}, facts), (said,)
        done = [
            Done(action_from_json(one.payload), one.result)
            for one in chapter.actions
            if one.state == "done" and chapter.run.mode == "live"
        ]
        left = as_left(kept.cards[name] or {}, entity, done, self.dictionary)
        said = message("The card is taken to be as its last run left it; the portal was not asked.")
        return _snapshot(entity, {**kept.cards, name: left}, facts), (said,)

    def _plan(self, verdict: Verdict, snapshot: Snapshot, memory: Memory, facts: Facts) -> Plan:
        return plan(
            verdict,
            snapshot,
            memory,
            NO_LINKS,
            facts=facts,
            ruleset=self.rules,
            dictionary=self.dictionary,
            now=self.now,
            say=self.say,
        )

    @property
    def say(self) -> Say:
        """In the portal's language, as it would be written there."""
        return catalogue(self.portal.language).say

    def _not_looked_up(self, planned: Plan, facts: Facts) -> tuple[Message, ...]:
        """What the worker would have asked the portal before it writes."""
        said: list[Message] = []
        if not self.dictionary_read:
            said.append(
                message("What the portal calls its stages and fields was never read: moves and fields are missing.")
            )
        if any(isinstance(action, CreateItem) for action in planned.actions):
            said.append(message("Company, contact and deal that are in the portal already are reused, not made anew."))
            if facts.rows("rows"):
                said.append(message("The product rows of the lead are copied to the deal."))
        return tuple(said)


async def trial(
    session: ReadSession, portal: Portal, *, document: Any, version: int | None, now: datetime, say: Say
) -> Trial:
    """The rules of a document, of a version, or those in force. Raises WebProblem; `say` is the reader's."""
    kept = await dictionary.load(session, portal.id)
    rules = await rules_to_try(session, portal, document=document, version=version, say=say)
    known = kept.dictionary if kept else PortalDictionary(portal.integration_user_id or 0, UTC)
    return Trial(portal, rules, known, kept is not None, now)


async def rules_to_try(
    session: ReadSession, portal: Portal, *, document: Any, version: int | None, say: Say
) -> Ruleset:
    """A document is looked at as if it were to be published. Raises WebProblem."""
    if document is not None and version is not None:
        said = message("Give either a document or the number of a version.")
        raise WebProblem(422, "invalid_value", said, path="body.version")
    if document is not None:
        return (await draft(session, portal.id, document)).ruleset(say)
    if version is None:
        return await rules_in_force(session, portal.id)
    published = await rulesets.get(session, portal.id, version)
    if published is None:
        said = message("There is no version {version} of the rules.", version=str(version))
        raise WebProblem(404, "version_unknown", said, path="body.version")
    return kept_ruleset(published.document, published.version)


async def _newest(session: ReadSession, key: CardKey) -> tuple[Card, Chapter]:
    card = await cards.get(session, key)
    chapter = await card_story.last_judged(session, key) if card else None
    if card is None or chapter is None:
        said = message(
            "Card {id} was never judged here: check type and id, or replay it to have it judged.", id=str(key.card_id)
        )
        raise WebProblem(404, "card_unknown", said)
    return card, chapter


async def _rules_of(session: ReadSession, portal_id: int, version: int | None) -> Ruleset | None:
    """The rules that a run was judged by; None when they are not known any more."""
    published = None if version is None else await rulesets.get(session, portal_id, version)
    try:
        return kept_ruleset(published.document, published.version) if published else None
    except RulesetInvalid:
        return None


def _snapshot(entity: Entity, raw: Mapping[str, RawCard | None], facts: Facts) -> Snapshot:
    if entity is Entity.LEAD:
        return LeadSnapshot(raw.get("lead") or {}, raw.get("company"), facts.rows("rows"))
    won: Sequence[Any] | None = facts.days("won_deals")
    return DealSnapshot(
        raw.get("deal") or {},
        raw.get("company"),
        raw.get("lead"),
        facts.rows("rows"),
        facts.rows("lead_rows"),
        None if won is None else tuple(WonDeal(0, day) for day in won),
    )


def _label(verdict: Mapping[str, Any]) -> str | None:
    if verdict.get("outcome"):
        return str(verdict["outcome"])
    return deal_label(str(verdict["grade"]), declined=bool(verdict.get("declined"))) if verdict.get("grade") else None
