"""One process of a replay: reads pages of recorded cards, judges them by the draft, tells the counts.

Run as a script by `replay.py` with pipes: an order on the first line, then places; for each place one line of answer,
in JSON. It reads the database and writes nothing. A process of its own, because judging a portal's whole past takes
seconds of pure computing, which the event loop that judges today's cards does not have. The end of its input ends it,
however its parent died. Must not import SQLAlchemy or a client of the portal: it starts for each replay.
"""

import gc
import json
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TextIO

import psycopg

from app.domain.facts import Facts
from app.domain.kept_cards import kept_from_json
from app.domain.rejudge import Draft, Gap, Recorded
from app.domain.replay import Change, Ending, Tally, count, deal_label, label
from app.domain.ruleset import Ruleset
from app.domain.snapshot import Entity, PortalDictionary, Semantics
from app.store import dictionary_document, recorded_cards
from app.store.recorded_cards import Period, Place, RecordedCard
from app.store.ruleset_document import RulesetInvalid, kept_ruleset

_NICENESS = 10
_SEMANTICS: dict[str | None, Semantics] = {"S": "success", "F": "failure", "P": "process"}
_UNREADABLE = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError)


@dataclass(frozen=True, slots=True)
class Order:
    """What to replay: a period, a draft, the rules that recorded runs were judged by, what the portal calls things."""

    period: Period
    draft: Ruleset
    rules: dict[int, Ruleset]
    dictionary: PortalDictionary


class Found(NamedTuple):
    """A card that changes or cannot be compared, as told to the parent and kept by it."""

    entity_type_id: int
    card_id: int
    run_id: int
    before: str
    after: str | None
    gap: str | None
    truth: str | None


@dataclass(slots=True)
class Page:
    """The counts of one page of cards, and those cards that change or cannot be compared."""

    tally: Tally = field(default_factory=Tally)
    found: list[Found] = field(default_factory=list[Found])


@dataclass(frozen=True, slots=True)
class _Judged:
    """One card by the draft; `after` None with the gap that makes it a guess."""

    card: RecordedCard
    change: Change
    gap: Gap | None

    @property
    def differs(self) -> bool:
        return self.gap is None and self.change.before != self.change.after


class Share:
    """Replays pages of one order over one connection."""

    def __init__(self, connection: psycopg.Connection[Any], order: Order) -> None:
        self._connection = connection
        self._order = order
        self._draft = Draft(order.draft, order.dictionary)
        self._snapshots = any(self._draft.reads_otherwise(rules) for rules in (None, *order.rules.values()))
        self._stages: dict[tuple[Entity, str], Semantics] = {
            (stage.entity, stage.code): stage.semantics for stage in order.dictionary.stages
        }

    def page(self, after: Place, last: Place) -> Page:
        """Judge the cards after one place up to and with another."""
        cards = recorded_cards.read_page(
            self._connection, self._order.period, after=after, last=last, snapshots=self._snapshots
        )
        judged = [one for card in cards if (one := self._judge(card)) is not None]
        endings = self._endings([one.card for one in judged if one.differs])
        page = Page()
        for one in judged:
            self._count(page, one, endings)
        return page

    def _judge(self, card: RecordedCard) -> _Judged | None:
        """None for a run of a kind that this version does not know."""
        before = _recorded_label(card)
        if before is None:
            return None
        entity = Entity(card.entity_type_id)
        today = card.opened_at.astimezone(self._order.dictionary.zone).date()
        try:
            facts = Facts.from_json(card.facts)
            cards = kept_from_json(card.snapshot)
        except _UNREADABLE:
            return _Judged(card, Change(card.entity_type_id, before, before), Gap.FACTS_UNREADABLE)
        rules = self._order.rules.get(card.ruleset_version or 0)
        rejudged = self._draft.judge(Recorded(entity, facts, rules, cards), today)
        gap = None if rejudged.comparable else rejudged.gaps[0]
        return _Judged(card, Change(card.entity_type_id, before, label(rejudged.verdict)), gap)

    def _count(self, page: Page, one: _Judged, endings: dict[Place, Ending]) -> None:
        card, change = one.card, one.change
        count(page.tally, change, card.responsible, self._order.dictionary, gap=one.gap)
        if one.gap is not None:
            page.found.append(Found(*_place(card), card.run_id, change.before, None, one.gap.value, None))
        elif one.differs:
            truth = endings[_place(card)].truth
            page.tally.truths[change, truth] += 1
            page.found.append(Found(*_place(card), card.run_id, change.before, change.after, None, truth))

    def _endings(self, cards: Sequence[RecordedCard]) -> dict[Place, Ending]:
        """How these cards ended, as far as we know today."""
        portal_id = self._order.period.portal_id
        leads = [card.card_id for card in cards if card.entity_type_id == Entity.LEAD]
        deals = recorded_cards.deals_of(self._connection, portal_id, leads) if leads else {}
        standing = [(_place(card), card.stage_id) for card in cards]
        standing += [(Place(Entity.DEAL, deal.deal_id), deal.stage_id) for deal in deals.values()]
        moves = self._moves(standing)

        def semantics(place: Place, stage: str | None) -> Semantics | None:
            return self._stages.get((Entity(place.entity_type_id), stage or "")) or moves.get(place)

        of_deals = {
            lead: Ending(
                Entity.DEAL, semantics(Place(Entity.DEAL, deal.deal_id), deal.stage_id), deleted=deal.state == "deleted"
            )
            for lead, deal in deals.items()
        }
        ours = self._order.dictionary.integration_user_id
        return {
            _place(card): Ending(
                Entity(card.entity_type_id),
                semantics(_place(card), card.stage_id),
                deleted=card.state == "deleted",
                moved_by_us=card.moved_by == ours,
                deal=of_deals.get(card.card_id) if card.entity_type_id == Entity.LEAD else None,
            )
            for card in cards
        }

    def _moves(self, standing: Iterable[tuple[Place, str | None]]) -> dict[Place, Semantics]:
        """What the last moves meant, for cards in stages that the portal no longer has."""
        strange: dict[int, list[int]] = {}
        for place, stage in standing:
            if (Entity(place.entity_type_id), stage or "") not in self._stages:
                strange.setdefault(place.entity_type_id, []).append(place.card_id)
        return {
            Place(kind, card_id): _SEMANTICS[code]
            for kind, cards in strange.items()
            for card_id, code in recorded_cards.last_moves(
                self._connection, self._order.period.portal_id, kind, cards
            ).items()
            if code in _SEMANTICS
        }


def order_of(told: dict[str, Any]) -> Order:
    """The order as `replay.py` tells it. Rules that can no longer be read are as good as not known."""
    portal_id, since, until = told["period"]
    rules: dict[int, Ruleset] = {}
    for version, document in told["rules"]:
        with suppress(RulesetInvalid):
            rules[version] = kept_ruleset(document, version)
    dictionary = told["dictionary"]
    return Order(
        Period(portal_id, datetime.fromisoformat(since), datetime.fromisoformat(until)),
        kept_ruleset(told["draft"], told["draft"]["version"]),
        rules,
        dictionary_document.from_json(dictionary) if dictionary else PortalDictionary(0, UTC),
    )


def main(orders: TextIO, answers: TextIO) -> None:
    """Answer until the input ends."""
    os.nice(_NICENESS)
    told = json.loads(orders.readline())
    with recorded_cards.reader(told["conninfo"]) as connection:
        share = Share(connection, order_of(told))
        # Judging makes no rings of objects; looking for them among a page's facts costs a fifth of the time.
        gc.freeze()
        gc.disable()
        for line in orders:
            after, last = json.loads(line)
            page = share.page(Place(*after), Place(*last))
            json.dump({"tally": page.tally.to_json(), "found": page.found}, answers)
            answers.write("\n")
            answers.flush()


def _recorded_label(card: RecordedCard) -> str | None:
    if card.entity_type_id == Entity.LEAD:
        return card.outcome
    return None if card.grade is None else deal_label(card.grade, declined=bool(card.declined))


def _place(card: RecordedCard) -> Place:
    return Place(card.entity_type_id, card.card_id)


if __name__ == "__main__":
    # The parent is gone, or was told to stop: there is nobody to tell.
    with suppress(BrokenPipeError, KeyboardInterrupt):
        main(sys.stdin, sys.stdout)
