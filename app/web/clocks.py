"""The clocks of a card for its story, in people's words: what was due, who had it, what counted and what did not.

Called by the API and the page. What nobody could read is said here and never told as "no reaction".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.activity_kind import Activity, contact_of
from app.domain.first_response import Contact
from app.domain.messages import message
from app.store import activities, owner_changes, people, reactions
from app.store.cards import CardKey
from app.store.database import ReadSession
from app.store.owner_changes import OwnerChange
from app.store.portals import Portal
from app.store.reactions import KeptHolder, KeptReaction, KeptTarget
from app.texts import Catalogue
from app.web.clock_shapes import (
    ClocksView,
    HolderView,
    OwnerView,
    PassedContact,
    ResponseView,
    RoundView,
    TargetView,
)
from app.web.figures import Writer
from app.web.rendering import named

_MOST = 200
"""Activities that are looked at for contacts that did not count; a card has some dozens."""


@dataclass(frozen=True, slots=True)
class CardClocks:
    """What the store keeps of a card's clocks, with what people are called. `machine`: our own user."""

    story: reactions.Story
    owners: Sequence[OwnerChange]
    contacts: Sequence[tuple[Contact, Activity]]
    people: Mapping[int, str]
    machine: int | None


async def clocks_of(session: ReadSession, portal: Portal, card: CardKey) -> CardClocks:
    """Read them."""
    story = await reactions.of_card(session, card)
    owners = await owner_changes.of_card(session, card)
    found = await activities.of_card(session, card, limit=_MOST) if story.rounds else []
    contacts = [(contact, one) for one in found if (contact := contact_of(one)) is not None]
    everybody = await people.people(session, card.portal_id)
    called = {user: person.name for user, person in everybody.items() if person.name}
    ordered = sorted(contacts, key=lambda pair: pair[0].at)
    return CardClocks(story, owners, ordered, called, portal.integration_user_id)


def clocks_told(texts: Catalogue, what: CardClocks) -> ClocksView:
    """The same in the reader's language."""
    return _Telling(texts, Writer(texts), what).view()


@dataclass(frozen=True, slots=True)
class _Telling:
    texts: Catalogue
    writer: Writer
    what: CardClocks

    def view(self) -> ClocksView:
        rounds = self.what.story.rounds
        later = (None, *(one.arrived_at for one in rounds))
        return ClocksView(
            rounds=[
                self._round(one, until=until, first=one is rounds[-1])
                for one, until in zip(rounds, later, strict=False)
            ],
            owners=[
                OwnerView(user=one.user_id, name=self._called(one.user_id), since=one.since) for one in self.what.owners
            ],
        )

    def _round(self, one: KeptReaction, *, until: datetime | None, first: bool) -> RoundView:
        holders = [holder for holder in self.what.story.holders if holder.arrived_at == one.arrived_at]
        targets = [target for target in self.what.story.targets if target.arrived_at == one.arrived_at]
        system = _system(one, holders)
        return RoundView(
            state=one.state,
            text=named(self.texts, one.state, "reaction"),
            arrived_at=one.arrived_at,
            due_at=one.due_at,
            closed_at=one.closed_at,
            warned_at=one.warned_at,
            breached_at=one.breached_at,
            deal=one.deal_id,
            system_seconds=system,
            system_took=self._took(system),
            person_seconds=one.person_seconds,
            person_took=self._took(one.person_seconds),
            response=self._response(one),
            targets=[self._target(target) for target in targets] or [self._present(one)],
            holders=[self._holder(holder) for holder in holders],
            not_counted=list(self._not_counted(one, until=until, first=first)),
            unread=[named(self.texts, source, "unread") for source in one.missing],
        )

    def _called(self, user: int | None) -> str | None:
        if user is None:
            return None
        return self.what.people.get(user) or self.texts.say(message("user {user}", user=str(user)))

    def _took(self, seconds: int | None) -> str | None:
        return None if seconds is None else self.writer.duration(seconds)

    def _response(self, one: KeptReaction) -> ResponseView | None:
        if one.responded_at is None:
            return None
        return ResponseView(
            at=one.responded_at,
            user=one.responded_by,
            name=self._called(one.responded_by),
            kind=one.kind,
            text=named(self.texts, one.kind, "contact"),
            source=one.source_id,
            made_from_call=one.made_from_call,
        )

    def _target(self, one: KeptTarget) -> TargetView:
        return TargetView.model_validate(
            {
                "since": one.since,
                "target": one.target,
                "minutes": one.minutes,
                "text": self._allowed(one.target, one.minutes),
                "run": one.run_id,
            }
        )

    def _present(self, one: KeptReaction) -> TargetView:
        """The target of a round that no run has judged, e.g. one that a backfill brought."""
        text = self._allowed(one.target, one.minutes)
        return TargetView.model_validate(
            {"since": one.arrived_at, "target": one.target, "minutes": one.minutes, "text": text, "run": None}
        )

    def _allowed(self, target: str, minutes: int) -> str:
        how_long = self.writer.duration(minutes * 60)
        return self.texts.say(
            message("{target}, {time} of working time", target=named(self.texts, target, "target"), time=how_long)
        )

    def _holder(self, one: KeptHolder) -> HolderView:
        return HolderView(
            user=one.user_id,
            name=self._called(one.user_id),
            since=one.since,
            until=one.until,
            due_at=one.due_at,
            seconds=one.working_seconds,
            took=self._took(one.working_seconds),
        )

    def _not_counted(self, one: KeptReaction, *, until: datetime | None, first: bool) -> Iterator[PassedContact]:
        """Up to the response or the end; for the first round what came before the card as well."""
        ends = [moment for moment in (one.responded_at, one.closed_at, until) if moment is not None]
        end = min(ends, default=None)
        seen: set[str] = set()
        for contact, activity in self.what.contacts:
            before = contact.at < one.arrived_at
            over = end is not None and contact.at >= end
            if contact.source_id == one.source_id or (before and not first) or (over and not before):
                continue
            seen.add(contact.source_id)
            why = self._why(contact, activity, before=before)
            yield PassedContact(
                at=contact.at,
                kind=contact.kind.value,
                text=named(self.texts, contact.kind.value, "contact"),
                user=contact.by,
                name=self._called(contact.by),
                source=contact.source_id,
                doubtful=contact.source_id in one.doubtful,
                why=named(self.texts, why, "not_counted"),
            )
        for source in one.doubtful:
            if source not in seen:
                # Of the lead or the deal that shares the clock.
                why = named(self.texts, "unknown", "not_counted")
                yield PassedContact(
                    at=None, kind=None, text=None, user=None, name=None, source=source, doubtful=True, why=why
                )

    def _why(self, contact: Contact, activity: Activity, *, before: bool) -> str:
        if contact.by is not None and contact.by == self.what.machine:
            return "machine"
        if contact.happened is False:
            return f"no_{contact.kind}"
        if before:
            return "before"
        if contact.happened is None:
            return activity.why_unknown.value if activity.why_unknown else "unknown"
        return "not_yet"


def _system(one: KeptReaction, holders: Sequence[KeptHolder]) -> int | None:
    """Known as soon as a person has the card, before the clock stops."""
    if one.system_seconds is not None or one.assigned_at is None:
        return one.system_seconds
    return sum(holder.working_seconds or 0 for holder in holders if holder.user_id is None)
