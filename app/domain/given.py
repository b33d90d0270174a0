"""What a plan is made from besides the card and its verdict, as one value handed through the planning modules."""

from dataclasses import dataclass
from datetime import datetime

from app.domain.facts import Facts
from app.domain.messages import Say
from app.domain.ruleset import Ruleset
from app.domain.snapshot import Links, Memory, PortalDictionary


@dataclass(frozen=True, slots=True)
class Given:
    """The circumstances of one plan; `now` is aware."""

    memory: Memory
    links: Links
    facts: Facts
    ruleset: Ruleset
    dictionary: PortalDictionary
    now: datetime
    say: Say
