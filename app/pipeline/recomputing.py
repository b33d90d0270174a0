"""Recomputes the reactions of cards from what is kept, without asking the portal, and sets their clocks.

Called in each run of a card, in the transaction that ends it, and by the worker for cards of which something came
(`store/stale_reactions.py`). It tells nobody anything: it sets the timer at which the card's own run looks again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from app.domain.clock_steps import Moment, due, following, moments
from app.domain.reaction import (
    Reaction,
    Rounds,
    TargetChange,
    WorkingTimes,
    reaction,
    split,
    target_in_force,
    target_of,
)
from app.domain.ruleset import Targets
from app.store import histories, portals, reactions, stale_reactions, team, timers
from app.store.cards import CardKey
from app.store.database import Database, ReadSession, WriteSession
from app.store.histories import History
from app.store.portals import Portal
from app.store.reactions import Round
from app.store.requests import KeptRequest, gather
from app.store.rules_in_force import rules_in_force

REASON: Final = timers.CLOCK
_HOT: Final = 0
_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Place:
    """One portal as clocks need it. `live`: whether people are told anything at all."""

    portal: Portal
    targets: Targets
    times: WorkingTimes
    histories: Sequence[History]
    live: bool

    @property
    def machines(self) -> frozenset[int]:
        """Users that are no people: ourselves."""
        return frozenset({self.portal.integration_user_id} - {None})  # type: ignore[arg-type]

    def watched(self, one: Round) -> bool:
        """Whether people are told of the round: its clock runs, here, and it began since clocks are watched."""
        since = self.portal.clocks_since
        began = one.reaction.response.arrived_at
        if since is None or began < since.replace(microsecond=0):  # the portal prints whole seconds
            return False
        return self.live and one.reaction.running and one.deal_id is None


@dataclass(frozen=True, slots=True)
class OfRun:
    """The run that has just judged a card. `looked_at`: it took the step that was due then, and knows of none after."""

    card: CardKey
    run_id: int
    looked_at: datetime


async def place_of(
    session: ReadSession, portal_id: int, *, live: bool, now: datetime, targets: Targets | None = None
) -> Place:
    """The portal's calendars, histories and, unless given, the targets in force. Raises PortalUnknown."""
    portal = await portals.get(session, portal_id)
    return Place(
        portal,
        targets or (await rules_in_force(session, portal_id)).targets,
        await team.calendars(session, portal_id, around=now),
        await histories.of_portal(session, portal_id),
        live,
    )


def rounds_of(card: CardKey, kept: KeptRequest, place: Place, *, now: datetime) -> list[Round]:
    """The card's rounds as they stand, the last one last; none while nobody knows when it was made."""
    known = kept.request.rounds(place.machines)
    if known is None:
        return []
    parts = split(known)
    return [
        Round(
            card=card,
            reaction=_worked_out(kept, part, place, now=now),
            deal_id=kept.request.carried_by if at == len(parts) - 1 else None,
        )
        for at, part in enumerate(parts)
    ]


def _worked_out(kept: KeptRequest, part: Rounds, place: Place, *, now: datetime) -> Reaction:
    arrived = min(part.history.created)
    part = replace(part, history=replace(part.history, missing=histories.missing(place.histories, arrived)))
    request = kept.request
    wanted = target_of(place.targets, outcome=request.outcome, grade=request.card.grade)
    changes = kept.targets.get(arrived) or (TargetChange(arrived, wanted),)
    found = reaction(part, target_in_force(changes, None), place.times, now=now)
    if found.response.responded_at is None or len(changes) == 1:
        return found
    return reaction(part, target_in_force(changes, found.response.responded_at), place.times, now=now)


async def recompute(
    session: WriteSession,
    place: Place,
    cards: Iterable[CardKey],
    *,
    now: datetime,
    run: OfRun | None = None,
) -> None:
    """Keep the reactions of these cards and set their timers.

    `run`: the run at whose end this is; only it changes a target, that of its card.
    """
    asked = list(cards)
    kept = await gather(session, place.portal.id, asked)
    if run is not None:
        kept[run.card] = await _judged(session, kept[run.card], place, run, now=now)
    found = {card: rounds_of(card, kept[card], place, now=now) for card in asked}
    every = [one for rounds in found.values() for one in rounds]
    changed = await reactions.keep(session, place.portal.id, asked, every, now=now)
    for card, rounds in found.items():
        steps = steps_of(rounds[-1], place) if rounds and place.watched(rounds[-1]) else ()
        if run is not None and run.card == card:
            await _set_after_run(session, card, steps, looked_at=run.looked_at, now=now)
        elif rounds:
            await _set_anew(session, card, steps, now=now)
    relatives = [
        (int(one.entity), one.card_id)
        for card in changed
        for one in (kept[card].request.lead, *kept[card].request.deals)
        if one is not None and CardKey(place.portal.id, int(one.entity), one.card_id) not in found
    ]
    if run is not None:
        # What shares the card's clock is worked out after it; nothing goes back and forth, since only changes ask.
        await stale_reactions.ask(session, place.portal.id, relatives)
    elif relatives:
        await recompute(session, place, [CardKey(place.portal.id, *one) for one in sorted(set(relatives))], now=now)


async def _judged(session: WriteSession, kept: KeptRequest, place: Place, run: OfRun, *, now: datetime) -> KeptRequest:
    """With the target that the verdict asks for, written down where it is another than before."""
    known = kept.request.rounds(place.machines)
    if known is None:
        return kept
    arrived = min(split(known)[-1].history.created)
    changes = kept.targets.get(arrived, ())
    before = changes[-1].allowance if changes else None
    wanted = target_of(place.targets, outcome=kept.request.outcome, grade=kept.request.card.grade)
    if wanted == before:
        return kept
    change = TargetChange(now, wanted, run.run_id)
    await reactions.change_target(session, run.card, arrived, change, before=before)
    return replace(kept, targets={**kept.targets, arrived: (*changes, change)})


async def _set_after_run(
    session: WriteSession, card: CardKey, steps: Sequence[Moment], *, looked_at: datetime, now: datetime
) -> None:
    """The one timer of the card's clock: the next step after the run's look, even if its moment has come meanwhile."""
    ahead, came = following(steps, now=looked_at), due(steps, now=looked_at)
    if ahead is not None:
        await timers.set_timer(session, card, reason=REASON, due_at=ahead, lane=_HOT)
    elif came is not None:
        await timers.set_fired(session, card, reason=REASON, due_at=came.at, lane=_HOT, now=now)
    else:
        await timers.cancel(session, card, reason=REASON)


async def _set_anew(session: WriteSession, card: CardKey, steps: Sequence[Moment], *, now: datetime) -> None:
    """The same beside a run: a step that is due belongs to a run that is still to come, and must not get lost."""
    ahead, came = following(steps, now=now), due(steps, now=now)
    if ahead is not None:
        await timers.set_timer(session, card, reason=REASON, due_at=ahead, lane=_HOT, unless_due=now)
    elif came is not None:
        await timers.set_overdue(session, card, reason=REASON, due_at=came.at, lane=_HOT)
    else:
        await timers.cancel(session, card, reason=REASON)


def steps_of(one: Round, place: Place) -> tuple[Moment, ...]:
    """The steps of the round's present stretch, by the calendar of whoever has the card."""
    holder = one.reaction.holder
    calendar = place.times.of(holder.user if holder else None, one.reaction.desk)
    return moments(one.reaction, place.targets, calendar)


@dataclass(slots=True)
class Recomputing:
    """The background of all portals; `step` is called again and again by the worker."""

    database: Database
    live: bool

    async def step(self, *, now: datetime) -> None:
        """Work off what is asked for; then ask for what has run out of time. Raises DatabaseAway."""
        async with self.database.writing() as session:
            if self.live:
                # The portal prints whole seconds: a card of this very second is not from before.
                await portals.watch_clocks(session, now=now.replace(microsecond=0))
            await stale_reactions.ask_overdue(session, now=now)
        after = 0
        while True:
            async with self.database.writing() as session:
                cards = await stale_reactions.take(session, after=after, limit=_BATCH)
                if cards:
                    place = await place_of(session, cards[0].portal_id, live=self.live, now=now)
                    await recompute(session, place, cards, now=now)
            if not cards:
                return
