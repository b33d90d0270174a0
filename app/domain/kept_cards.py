"""The cards behind a run's facts, as they are kept with the run: rules that map other fields can read them later.

Made by `app/pipeline/process.py` when a run is opened, read by previews and replays. What is empty says nothing and is
left out; what is long is left out too and named, because runs are kept for ever.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.raw_values import is_empty
from app.domain.snapshot import LeadSnapshot, RawCard, Snapshot

LONGEST_VALUE = 1_000
"""Characters of a field's value in JSON; the texts that are matched with terms are facts and kept whole."""
LONGEST = 60_000
"""Characters of all cards of a run; beyond, none is kept."""


@dataclass(frozen=True, slots=True)
class KeptCards:
    """Cards by what they are to the judged one: lead, deal, company; None where one was linked or could be, and is not.

    `cut`: fields that were too long to be kept, as `lead.comments`.
    """

    cards: Mapping[str, RawCard | None]
    cut: frozenset[str] = frozenset()


def cards_of(snapshot: Snapshot) -> dict[str, RawCard | None]:
    """The raw cards of a snapshot by name."""
    if isinstance(snapshot, LeadSnapshot):
        return {"lead": snapshot.lead, "company": snapshot.company}
    return {"deal": snapshot.deal, "company": snapshot.company, "lead": snapshot.lead}


def kept_to_json(snapshot: Snapshot) -> dict[str, Any] | None:
    """What is stored with the run; None when even the short fields are too many."""
    return named_to_json(cards_of(snapshot))


def named_to_json(named: Mapping[str, RawCard | None]) -> dict[str, Any] | None:
    """The same for cards by name, where there is no snapshot of a lead or deal."""
    cut: list[str] = []
    cards: dict[str, dict[str, Any] | None] = {}
    for name, card in named.items():
        cards[name] = None if card is None else _short(name, card, cut)
    stored: dict[str, Any] = {"cards": cards, "cut": cut}
    return stored if len(json.dumps(stored, ensure_ascii=False, default=str)) <= LONGEST else None


def kept_from_json(stored: Mapping[str, Any] | None) -> KeptCards | None:
    """Read what `kept_to_json` wrote."""
    return None if stored is None else KeptCards(stored["cards"], frozenset(stored["cut"]))


def _short(name: str, card: RawCard, cut: list[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for field, value in card.items():
        # An unticked box is false or N, which says something; nothing filled in says nothing.
        if is_empty(value) and value is not False:
            continue
        if isinstance(value, str | list | tuple | dict) and _length(value) > LONGEST_VALUE:
            cut.append(f"{name}.{field}")
            continue
        kept[field] = value
    return kept


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(json.dumps(value, ensure_ascii=False, default=str))
