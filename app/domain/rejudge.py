"""Recorded facts judged again by a draft of rules, as if it had been in force then.

Called by previews and replays; asks nobody. A draft may read facts from other fields, look at catalog sections that
nobody asked about, or count older deals than were read: then the answer would be a guess, and a gap says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import TypeAlias, assert_never

from app.domain.criteria import answer
from app.domain.facts import Fact, Facts, Kind, Row, Truth
from app.domain.kept_cards import KeptCards
from app.domain.messages import Message, message
from app.domain.minimum import months_before
from app.domain.qualify import qualify
from app.domain.reading import LEAD_REQUEST_ANSWER, REQUEST_ANSWER, deal_facts, lead_facts
from app.domain.ruleset import FactDefinition, FactSource, Minimum, Nomenclature, Ruleset
from app.domain.snapshot import DealSnapshot, Entity, LeadSnapshot, PortalDictionary
from app.domain.verdict import DealVerdict, LeadVerdict, Verdict

_ONE_PAGE = 49
"""Won deals that a run reads at most when it needs few: a page of a list without this deal."""
_READABLE = {Entity.LEAD: ("lead", "company"), Entity.DEAL: ("deal", "company", "lead")}


class Gap(StrEnum):
    """What the recorded run did not read and the draft would need."""

    CARD_NOT_KEPT = "card_not_kept"
    FIELD_CUT = "field_cut"
    ROWS_NOT_READ = "rows_not_read"
    SECTIONS_NOT_READ = "sections_not_read"
    WON_DEALS_NOT_READ = "won_deals_not_read"
    FACTS_UNREADABLE = "facts_unreadable"


def gap_said(gap: Gap) -> Message:
    """The gap in words."""
    match gap:
        case Gap.CARD_NOT_KEPT:
            return message("The draft reads facts from other fields, and the run did not keep the card's fields.")
        case Gap.FIELD_CUT:
            return message("The draft reads a fact from a field whose text was too long to be kept with the run.")
        case Gap.ROWS_NOT_READ:
            return message("The product rows were not read, because the desk had answered by the rules of then.")
        case Gap.SECTIONS_NOT_READ:
            return message("Which catalog sections or products the rows belong to was not asked by the rules of then.")
        case Gap.WON_DEALS_NOT_READ:
            return message("The company's won deals that the draft would count were not read by the rules of then.")
        case Gap.FACTS_UNREADABLE:
            return message("The run was recorded by another version of Ogon, and its facts cannot be read.")
        case _:
            assert_never(gap)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A card as a run recorded it: its facts, the rules they were read by (None: not known), the cards behind them."""

    entity: Entity
    facts: Facts
    rules: Ruleset | None
    cards: KeptCards | None = None


@dataclass(frozen=True, slots=True)
class Rejudged:
    """The facts under the draft and its verdict; with `gaps` whose answers could make another one, it is a guess."""

    facts: Facts
    verdict: Verdict
    gaps: tuple[Gap, ...] = ()
    comparable: bool = True


_Read: TypeAlias = tuple[Kind, tuple[FactSource, ...]]


@dataclass(frozen=True, slots=True)
class _Difference:
    """What a draft reads otherwise than the rules of then: definitions to be read anew, facts to be dropped."""

    changed: tuple[FactDefinition, ...] = ()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft ready to judge recorded cards of one portal."""

    rules: Ruleset
    dictionary: PortalDictionary
    _differences: dict[tuple[int | None, Entity], _Difference] = field(
        default_factory=dict[tuple[int | None, Entity], _Difference]
    )

    def reads_otherwise(self, rules: Ruleset | None) -> bool:
        """Whether some fact must be read anew from the cards of a run by those rules."""
        return any(self._difference(rules, entity).changed for entity in _READABLE)

    def judge(self, recorded: Recorded, today: date) -> Rejudged:
        """Judge the card; `today` is the day of its run in the portal's zone. Never raises."""
        difference = self._difference(recorded.rules, recorded.entity)
        facts, unread = recorded.facts, None
        if difference.names:
            facts, unread = self._read_anew(recorded, difference)
        verdict = qualify(recorded.entity, facts, self.rules, today)
        rows = self._rows_gap(recorded, facts)
        won = self._won_gap(recorded, facts, verdict, today)
        gaps = tuple(gap for gap in (unread, rows, won) if gap is not None)
        decided = unread is None and won is None and (rows is None or self._whatever_the_rows(verdict, facts, today))
        return Rejudged(facts, verdict, gaps, comparable=decided)

    def _difference(self, rules: Ruleset | None, entity: Entity) -> _Difference:
        key = (rules.version if rules else None, entity)
        known = self._differences.get(key)
        if known is None:
            known = self._differences[key] = _difference(rules, self.rules, entity)
        return known

    def _read_anew(self, recorded: Recorded, difference: _Difference) -> tuple[Facts, Gap | None]:
        kept = [fact for name, fact in recorded.facts.items() if name not in difference.names]
        if not difference.changed:
            return Facts(kept), None
        if recorded.cards is None:
            return Facts(kept), Gap.CARD_NOT_KEPT
        wanted = replace(self.rules, facts=difference.changed)
        read = _facts(recorded.entity, recorded.cards, wanted, self.dictionary)
        gap = Gap.FIELD_CUT if _places(difference.changed) & recorded.cards.cut else None
        anew = [read[_named(recorded.entity, one.name)] for one in difference.changed]
        return Facts([*kept, *anew]), gap

    def _rows_gap(self, recorded: Recorded, facts: Facts) -> Gap | None:
        """Rows that were not read, or not looked up in the catalog, where they would decide on the request."""
        of_deal = recorded.entity is Entity.DEAL
        if of_deal and (facts.rows("rows") or facts.rows("rows") is None):
            return self._catalog_gap(recorded.rules, facts.rows("rows") or ())
        asked = _named(recorded.entity, REQUEST_ANSWER)
        if answer(facts, asked).known:
            return None
        rows = facts.rows("lead_rows" if of_deal else "rows")
        if rows == () and answer(recorded.facts, asked).known:
            return Gap.ROWS_NOT_READ
        return self._catalog_gap(recorded.rules, rows or ())

    def _catalog_gap(self, rules: Ruleset | None, rows: tuple[Row, ...]) -> Gap | None:
        wanted, asked = self.rules.nomenclature, rules.nomenclature if rules else Nomenclature()
        if not (wanted.sections or wanted.products) or any(_surely_in(row, wanted) for row in rows):
            return None
        unknown = any(row.product_id > 0 and not _looked_up(row, wanted, asked) for row in rows)
        return Gap.SECTIONS_NOT_READ if unknown else None

    def _won_gap(self, recorded: Recorded, facts: Facts, verdict: Verdict, today: date) -> Gap | None:
        """Won deals that would be counted and were not read; those of a company that is too small do not matter."""
        minimum = self.rules.minimum
        if not isinstance(verdict, DealVerdict) or verdict.above_minimum is not Truth.NO or verdict.exemption:
            return None
        if not minimum.regular_exempt:
            return None
        then = recorded.rules.minimum if recorded.rules else None
        asked = then is not None and then.regular_exempt and _below(then, recorded.facts)
        won = facts.days("won_deals")
        if won is None:
            return None if asked else Gap.WON_DEALS_NOT_READ
        if then is None or not asked:
            return None  # no company, so nothing to read
        first = months_before(today, minimum.regular_months)
        older = first < months_before(today, then.regular_months)
        more = minimum.regular_won_deals > then.regular_won_deals and len(won) >= _ONE_PAGE
        linked = facts.flag("company_linked") is Truth.YES
        return Gap.WON_DEALS_NOT_READ if linked and (older or more) else None

    def _whatever_the_rows(self, verdict: Verdict, facts: Facts, today: date) -> bool:
        """Whether the card is decided alike whatever the rows would have said."""
        if not isinstance(verdict, LeadVerdict):
            return True  # a deal's request is on its self-check list and decides nothing
        ends = {
            qualify(Entity.LEAD, facts.with_(Fact(REQUEST_ANSWER, Kind.CODE, said)), self.rules, today).decision
            for said in ("yes", "no")
        }
        return ends == {verdict.decision}


def _difference(rules: Ruleset | None, draft: Ruleset, entity: Entity) -> _Difference:
    then: Mapping[str, _Read] = _read_by(rules, entity) if rules else {}
    now = _read_by(draft, entity)
    rates_differ = rules is not None and rules.currencies != draft.currencies
    names = {
        name
        for name, read in now.items()
        if then.get(name) != read or (rates_differ and any(source.money for source in read[1]))
    }
    changed = tuple(one for one in draft.facts if _named(entity, one.name) in names)
    return _Difference(changed, frozenset(names | (then.keys() - now.keys())))


def _read_by(rules: Ruleset, entity: Entity) -> Mapping[str, _Read]:
    """Which fields each fact of such a card is read from, in the order that counts."""
    cards = _READABLE[entity]
    read: dict[str, _Read] = {}
    for one in rules.facts:
        sources = [source for source in one.sources if source.card in cards]
        if entity is Entity.DEAL:
            sources.sort(key=lambda source: cards.index(source.card))
        if sources or entity is Entity.DEAL:
            read[_named(entity, one.name)] = one.kind, tuple(sources)
    return read


def _named(entity: Entity, name: str) -> str:
    return LEAD_REQUEST_ANSWER if entity is Entity.DEAL and name == REQUEST_ANSWER else name


def _facts(entity: Entity, kept: KeptCards, wanted: Ruleset, dictionary: PortalDictionary) -> Facts:
    cards = kept.cards
    if entity is Entity.LEAD:
        return lead_facts(LeadSnapshot(cards.get("lead") or {}, cards.get("company")), wanted, dictionary)
    snapshot = DealSnapshot(cards.get("deal") or {}, cards.get("company"), cards.get("lead"))
    return deal_facts(snapshot, wanted, dictionary)


def _places(definitions: tuple[FactDefinition, ...]) -> set[str]:
    return {f"{source.card}.{source.field}" for one in definitions for source in one.sources}


def _surely_in(row: Row, wanted: Nomenclature) -> bool:
    if row.product_id <= 0:
        return False
    return row.product_id in wanted.products or not set(row.section_ids or ()).isdisjoint(wanted.sections)


def _looked_up(row: Row, wanted: Nomenclature, asked: Nomenclature) -> bool:
    """Whether the run asked the catalog for what the draft wants to know of this row.

    It asked only where its rules listed something, and not about products that they listed themselves.
    """
    if row.section_ids is not None:
        return True
    if row.product_id in asked.products:
        return False
    return bool(asked.sections) or (bool(asked.products) and not wanted.sections)


def _below(minimum: Minimum, facts: Facts) -> bool:
    limits = (("margin", minimum.profit), ("amount", minimum.amount))
    known = ((facts.number(name), limit) for name, limit in limits)
    return any(value is not None and limit is not None and value < limit for value, limit in known)
