"""An emulated Bitrix24 portal in memory: REST for the service, a UI for people, events for subscribers.

Used by the demo, the tests and the benchmarks; served over HTTP by `server`. Faithful to the official
docs, ignorant of the service that talks to it.
"""

import copy
import random
import time as clocks
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.sandbox import saving
from app.sandbox.dates import Clock, PortalTime, wall_clock
from app.sandbox.errors import RestError
from app.sandbox.events import Delivery, EventCounts, Outbox, Subscription
from app.sandbox.faults import FaultScript
from app.sandbox.limits import Limits
from app.sandbox.methods import activities as activity_methods
from app.sandbox.methods import openlines
from app.sandbox.methods import rows as row_methods
from app.sandbox.rendering import item_view
from app.sandbox.rest import Answer, Rest, Stats
from app.sandbox.schema import OBJECT_TYPES
from app.sandbox.state.store import Item
from app.sandbox.world import ALL_SCOPES, Robot, World

_MOSCOW = timedelta(hours=3)
_MANAGER = 12


@dataclass(frozen=True, slots=True)
class PortalStats:
    """Counts since the last reset; `operating` is seconds per method within the last ten minutes.

    commands: by method, inner commands of a batch among them. failed: commands answered with an error.
    """

    requests: int
    commands: dict[str, int]
    refused_503: int
    refused_429: int
    failed: int
    faults: int
    events_raised: dict[str, int]
    events_sent: int
    events_failed: int
    events_dropped: int
    operating: dict[str, float]

    @property
    def total_commands(self) -> int:
        return sum(self.commands.values())


class SandboxPortal:
    """One portal. Safe to use from several threads; every method is synchronous.

    clock: aware datetimes, the portal's wall clock. ticks: monotonic seconds, for the request bucket.
    owner_id: the user the incoming webhook acts as; user 1 is an administrator.
    """

    def __init__(
        self,
        *,
        clock: Clock = wall_clock,
        limits: Limits | None = None,
        seed: int = 1,
        offset: timedelta = _MOSCOW,
        domain: str = "sandbox.bitrix24.test",
        owner_id: int = 1,
        ticks: Callable[[], float] = clocks.monotonic,
    ) -> None:
        dice = random.Random(seed)  # noqa: S311 (invented data, not a secret)
        self.member_id = f"{dice.getrandbits(128):032x}"
        self.application_token = f"{dice.getrandbits(128):032x}"
        self.webhook_secret = f"{dice.getrandbits(64):016x}"
        self.domain = domain
        self.seed = seed
        self.faults = FaultScript(dice)
        self._outbox = Outbox(dice)
        self.world = World(
            time=PortalTime(clock, offset),
            dice=dice,
            domain=domain,
            member_id=self.member_id,
            application_token=self.application_token,
            owner_id=owner_id,
            scopes=set(ALL_SCOPES),
            outbox=self._outbox,
        )
        self.rest = Rest(self.world, limits or Limits(), secret=self.webhook_secret, faults=self.faults, ticks=ticks)

    # --- the machine side

    def call(self, method: str, params: dict[str, Any] | None = None) -> Answer:
        """One REST request as the webhook's owner, without HTTP and without waiting."""
        steps = self.rest.request(method, params or {}, user=str(self.world.owner_id), secret=self.webhook_secret)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                answer: Answer = stop.value
                return answer

    def subscribe(self, url: str, events: Iterable[str] | None = None) -> None:
        """Add an outgoing webhook: POST form-encoded events to `url`; all events by default."""
        codes = None if events is None else frozenset(code.upper() for code in events)
        self.world.subscriptions.append(Subscription(url, codes, handler_id=len(self.world.subscriptions) + 1))

    def unsubscribe(self) -> None:
        self.world.subscriptions.clear()

    @property
    def limits(self) -> Limits:
        return self.rest.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self.rest.limits = limits

    @property
    def delivery(self) -> Delivery:
        """How badly events are delivered; set its shares and delay to taste."""
        return self._outbox.delivery

    @property
    def robots(self) -> list[Robot]:
        """Called with a StageMove after each save that changed a stage."""
        return self.world.robots

    @property
    def scopes(self) -> set[str]:
        return self.world.scopes

    @property
    def stats(self) -> PortalStats:
        """A snapshot of everything counted since the last reset."""
        with self.rest.lock:
            counted, events = self.rest.stats, self._outbox.counts
            return PortalStats(
                requests=counted.requests,
                commands=dict(counted.commands),
                refused_503=counted.refused_503,
                refused_429=counted.refused_429,
                failed=counted.failed,
                faults=counted.faults,
                events_raised=dict(events.by_code),
                events_sent=events.sent,
                events_failed=events.failed,
                events_dropped=events.dropped,
                operating=self.rest.ledger.totals(self.world.time.stamp()),
            )

    def reset_stats(self) -> None:
        self.rest.stats = Stats()
        self._outbox.counts = EventCounts()

    def wait_for_events(self, timeout: float = 10.0) -> bool:
        """Block until every queued event left (or failed); False on timeout in seconds."""
        return self._outbox.wait(timeout)

    def close(self) -> None:
        self._outbox.close()

    # --- the human side

    def ui_add(self, entity_type_id: int, fields: dict[str, Any], user_id: int = _MANAGER) -> int:
        """A person creates a card; `fields` as for crm.item.add. Raises FieldError, RequiredError."""
        with self.rest.lock:
            values = saving.read_values(self.world, entity_type_id, fields)
            return saving.add(self.world, entity_type_id, values, user_id=user_id, fm=fields.get("fm"))

    def ui_update(self, entity_type_id: int, item_id: int, fields: dict[str, Any], user_id: int = _MANAGER) -> bool:
        """A person saves a card; False (and no event) where nothing differed. Raises KeyError if gone."""
        with self.rest.lock:
            values = saving.read_values(self.world, entity_type_id, fields)
            return saving.update(self.world, entity_type_id, item_id, values, user_id=user_id, fm=fields.get("fm"))

    def ui_delete(self, entity_type_id: int, item_id: int, user_id: int = _MANAGER) -> None:
        del user_id
        with self.rest.lock:
            saving.delete(self.world, entity_type_id, item_id)

    def ui_set_rows(
        self, owner_type: int | str, owner_id: int, rows: list[dict[str, Any]], user_id: int = _MANAGER
    ) -> None:
        """A person edits the product rows and saves the card: an UPDATE follows."""
        kind = _kind(owner_type)
        with self.rest.lock:
            row_methods.replace(self.world, OBJECT_TYPES[kind].code, owner_id, list(rows))
            if not saving.recount(self.world, kind, owner_id, user_id=user_id):
                saving.update(self.world, kind, owner_id, {}, user_id=user_id, always=True)

    def ui_add_activity(
        self, entity_type_id: int, item_id: int, fields: dict[str, Any], user_id: int = _MANAGER
    ) -> int:
        """A call, letter or to-do appears on a card; `fields` as for crm.activity.add."""
        with self.rest.lock:
            owner = (entity_type_id, item_id)
            return activity_methods.record(self.world, owner, fields, user_id=user_id)

    def ui_call(
        self, entity_type_id: int, item_id: int, *, outgoing: bool = True, seconds: int = 0, user_id: int = _MANAGER
    ) -> int:
        """A call by the portal's telephony, over after so many seconds of talk; 0 is one that nobody took.

        Leaves an activity, whose id comes back, and a row of call statistics.
        """
        with self.rest.lock:
            return activity_methods.record_call(
                self.world, (entity_type_id, item_id), outgoing=outgoing, seconds=seconds, user_id=user_id
            )

    def ui_complete_activity(self, activity_id: int, user_id: int = _MANAGER) -> None:
        with self.rest.lock:
            activity_methods.change(self.world, activity_id, {"COMPLETED": "Y"}, user_id=user_id)

    def ui_chat(
        self,
        entity_type_id: int,
        item_id: int,
        *,
        chat_id: int | None = None,
        told: bool = True,
        user_id: int = _MANAGER,
    ) -> int:
        """A client's chat reaches a card: a session of an open line begins. Its activity's id comes back."""
        with self.rest.lock:
            owner = (entity_type_id, item_id)
            return openlines.begin(self.world, owner, chat_id=chat_id, told=told, user_id=user_id)

    def ui_chat_message(self, activity_id: int, sender: int, text: str = "...") -> None:
        """Somebody writes into a session: a person of the portal, or CLIENT, BOT, SYSTEM of `state.openlines`."""
        with self.rest.lock:
            openlines.write(self.world, activity_id, sender, text)

    def ui_comment(self, entity_type_id: int, item_id: int, text: str, user_id: int = _MANAGER) -> int:
        """A person writes into the timeline."""
        name = OBJECT_TYPES[entity_type_id].name.lower()
        with self.rest.lock:
            row: dict[str, Any] = {
                "ENTITY_ID": str(item_id),
                "ENTITY_TYPE": name,
                "CREATED": self.world.time.text(),
                "COMMENT": text,
                "AUTHOR_ID": str(user_id),
                "FILES": {},
            }
            comment_id = self.world.timeline.add_comment(name, item_id, row)
            saving.touch(self.world, entity_type_id, item_id, user_id)
            self.world.announce("ONCRMTIMELINECOMMENTADD", {"ID": comment_id})
            return comment_id

    def require(self, entity_type_id: int, field: str, stages: Iterable[str] | None = None) -> None:
        """The administrator makes a field mandatory, always or on the given stages."""
        wanted = None if stages is None else set(stages)
        self.world.mandatory.setdefault(entity_type_id, {})[field] = wanted

    # --- looking inside

    def item(self, entity_type_id: int, item_id: int) -> Item:
        """A card as crm.item.get prints it, custom fields by original name. Raises KeyError if gone."""
        with self.rest.lock:
            stored = self.world.stores[entity_type_id].rows[item_id]
            return copy.deepcopy(item_view(self.world, entity_type_id, stored, original_names=True))

    def items(self, entity_type_id: int) -> list[Item]:
        with self.rest.lock:
            return [self.item(entity_type_id, one) for one in self.world.stores[entity_type_id].ids]

    def comments(self, entity_type: int | str, item_id: int) -> list[dict[str, Any]]:
        name = OBJECT_TYPES[_kind(entity_type)].name.lower()
        with self.rest.lock:
            ids = self.world.timeline.comments_of.get((name, item_id), [])
            return [dict(self.world.timeline.comments[one]) for one in ids]

    def activities(self, entity_type_id: int | str, item_id: int) -> list[dict[str, Any]]:
        with self.rest.lock:
            ids = self.world.activities.by_owner.get((_kind(entity_type_id), item_id), [])
            return [dict(self.world.activities.rows[one]) for one in ids]

    def rows(self, owner_type: int | str, owner_id: int) -> list[dict[str, Any]]:
        code = OBJECT_TYPES[_kind(owner_type)].code
        with self.rest.lock:
            return [dict(row) for row in self.world.product_rows.rows.get((code, owner_id), [])]

    def history(self, entity_type_id: int, item_id: int) -> list[dict[str, Any]]:
        """The stage moves of one card, oldest first."""
        with self.rest.lock:
            rows = self.world.history.rows.get(entity_type_id, [])
            return [dict(row) for row in rows if row["OWNER_ID"] == item_id]


def _kind(given: int | str) -> int:
    """An object type by number, short code (L, D…) or name (lead, DEAL…)."""
    for kind in OBJECT_TYPES.values():
        if given in {kind.id, kind.code, kind.name, kind.name.lower()}:
            return kind.id
    raise RestError("NOT_FOUND", f"No such object type: {given}")
