"""What must have come of the quarter, reckoned from what people did and the rules on the door; and what differs.

The oracle knows the managers' hours as they were made up (`cast.py`), the order in which requests were handed over,
and who reached whom when. Nothing is asked of the service but what it says in the end: the rows of `reactions`.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text

from app.store.database import Database
from tests.quarter.cast import HEAD, MANAGERS, TARGETS, WARN, Manager
from tests.quarter.desk import Desk, Given, Request, Told
from tests.quarter.shares import Cost, Pool, uneven

_TIMED = frozenset({"deal", "review", "needs_data"})
_ROWS = text("""
    SELECT card_id, deal_id, responded_at, responded_by, met, working_seconds, person_seconds, system_seconds, target
    FROM reactions WHERE portal_id = :portal AND entity_type_id = 1
""")
_DEAL_ROWS = text("""
    SELECT card_id, responded_at, responded_by, met, working_seconds, person_seconds, system_seconds, target
    FROM reactions WHERE portal_id = :portal AND entity_type_id = 2
""")


@dataclass(slots=True)
class Reckoning:
    """How many of each were checked, and every difference in words."""

    counts: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])

    def same(self, what: str, seen: object, wanted: object) -> None:
        self.counts[what.split(":", maxsplit=1)[0]] += 1
        if seen != wanted:
            self.wrong.append(f"{what}: {seen}, not {wanted}")


async def reckon(desk: Desk) -> Reckoning:
    """Compare the whole quarter."""
    found = Reckoning()
    _shares(desk, found)
    told = _by_card(desk.told)
    for request in desk.requests.values():
        if request.arrival.outcome in _TIMED:
            _handed_on(desk, request, found)
            _notices(desk, request, told, found)
    await _figures(desk.database, desk, found)
    return found


# --- who got what


def _shares(desk: Desk, found: Reckoning) -> None:
    managers = desk.quarter.managers
    pool = Pool(MANAGERS, lambda user, at: managers[user].absent(at))
    cost: dict[int, Cost] = {}
    takers: list[tuple[int, int]] = []
    for request, given in desk.choices:
        had = [one.user for one in request.given[: request.given.index(given)]]
        wanted, paid = pool.next(given.at, had_it=had, knows_client=request.arrival.client_of if not had else None)
        found.same(f"handed over: lead {request.lead_id} at {given.at}", given.user, wanted)
        if had and cost[request.lead_id] is not Cost.NOTHING:
            pool.give_back(had[-1])
        cost[request.lead_id] = paid
        if paid is Cost.TURN:
            takers.append((given.at, given.user))
    for stretch in _all_there(desk, takers):
        found.same("even over any 30 cards: a stretch with nobody away", uneven(stretch, MANAGERS) <= _SLACK, True)
    junk = [one for one in desk.requests.values() if one.arrival.outcome == "junk"]
    found.same("junk is nobody's: leads", sum(bool(one.given) for one in junk), 0)


_SLACK = 2
"""One for the turns, and one since a turn given back moves a card from one window to another."""


def _all_there(desk: Desk, takers: list[tuple[int, int]]) -> list[list[int]]:
    """The cards that cost a turn, in stretches during which nobody was away."""
    stretches: list[list[int]] = [[]]
    for at, user in takers:
        if any(one.absent(at) for one in desk.quarter.managers.values()):
            stretches.append([])
        else:
            stretches[-1].append(user)
    return [one for one in stretches if one]


# --- what was due when


def _due(request: Request, given: Given, manager: Manager, share: float = 1.0) -> float:
    return manager.hours.after(given.at, TARGETS[request.arrival.heat] * 60 * share)


def _handed_on(desk: Desk, request: Request, found: Reckoning) -> None:
    """To the next one at the very second at which the holder's time ran out, unless the client was reached."""
    managers = desk.quarter.managers
    for before, after in zip(request.given, request.given[1:], strict=False):
        due = _due(request, before, managers[before.user])
        found.same(f"passed on: lead {request.lead_id} from {before.user}", after.at, int(due))
    found.same(f"given to nobody twice: lead {request.lead_id}", *_each_once([one.user for one in request.given]))
    if not request.given:
        found.wrong.append(f"given to somebody: lead {request.lead_id} is nobody's")
        return
    last = request.given[-1]
    due = _due(request, last, managers[last.user])
    left = [u for u in MANAGERS if u not in {g.user for g in request.given} and not managers[u].absent(int(due))]
    late = not request.reached or request.reached[0].at > due
    found.same(f"held when nobody is left: lead {request.lead_id}", late and bool(left), False)


def _each_once(users: list[int]) -> tuple[int, int]:
    return len(set(users)), len(users)


def _notices(desk: Desk, request: Request, told: dict[tuple[int, int], list[Told]], found: Reckoning) -> None:
    """A warning to each holder whose time was nearly over, a word to the head at each breach, and nothing else."""
    reached = request.reached[0].at if request.reached else float("inf")
    wanted: list[tuple[int, int]] = []
    for turn, given in enumerate(request.given):
        manager = desk.quarter.managers[given.user]
        if turn:
            wanted.append((given.at, given.user))
        warned, due = _due(request, given, manager, WARN), _due(request, given, manager)
        if reached > warned:
            wanted.append((int(warned), given.user))
        if reached > due:
            wanted.append((int(due), HEAD))
    seen = [(one.at, one.user) for one in told.get(request.card, ())]
    found.same(f"told: lead {request.lead_id}", sorted(seen), sorted(wanted))


def _by_card(told: list[Told]) -> dict[tuple[int, int], list[Told]]:
    by_card: dict[tuple[int, int], list[Told]] = {}
    for one in told:
        by_card.setdefault(one.card, []).append(one)
    return by_card


# --- what was measured


async def _figures(database: Database, desk: Desk, found: Reckoning) -> None:
    async with database.reading() as session:
        leads = {row.card_id: row for row in await session.execute(_ROWS, {"portal": desk.portal_id})}
        deals = {row.card_id: row for row in await session.execute(_DEAL_ROWS, {"portal": desk.portal_id})}
    for request in desk.requests.values():
        if request.arrival.outcome not in _TIMED or not request.given:
            continue
        row = leads.get(request.lead_id) if request.deal_id is None else deals.get(request.deal_id)
        if row is None:
            found.wrong.append(f"measured: lead {request.lead_id} has no row of reactions")
            continue
        first, reached = request.given[0], request.reached[:1]
        due = _due(request, first, desk.quarter.managers[first.user])
        name = f"lead {request.lead_id}"
        found.same(f"answered at: {name}", _stamp(row.responded_at), reached[0].at if reached else None)
        found.same(f"answered by: {name}", row.responded_by, reached[0].user if reached else None)
        met = "yes" if reached and reached[0].at <= due else "no"
        found.same(f"met: {name}", row.met, met)
        found.same(f"target: {name}", row.target, request.arrival.heat)
        if reached:
            # The moment in which the form had the lead, and those in which a clock creeps on, are cut off to seconds.
            off = abs(row.working_seconds - _worked(desk, request, reached[0].at))
            found.same(f"working seconds: {name}", off if off > 1 else 0, 0)


def _worked(desk: Desk, request: Request, until: int) -> int:
    """Each holder's stretch by his own hours."""
    ends = [*(one.at for one in request.given[1:]), until]
    managers = desk.quarter.managers
    return sum(
        managers[one.user].hours.worked(one.at, min(end, until)) for one, end in zip(request.given, ends, strict=True)
    )


def _stamp(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
