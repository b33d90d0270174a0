"""The state of one portal, all parts together, and how it announces changes.

Built by `SandboxPortal`; passed to saving, rendering and the methods. Holds no rule of behaviour.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.sandbox.dates import PortalTime
from app.sandbox.errors import RestError
from app.sandbox.events import Outbox, Subscription, event_body
from app.sandbox.fields import Field, camel_custom
from app.sandbox.multifields import CommunicationIndex
from app.sandbox.schema import OBJECT_TYPES, ObjectType, standard_fields
from app.sandbox.state import defaults
from app.sandbox.state.activities import Activities
from app.sandbox.state.openlines import OpenLines
from app.sandbox.state.store import Store
from app.sandbox.state.timeline import ProductRows, StageHistory, Timeline
from app.sandbox.state.userfields import UserFields

ALL_SCOPES = ("crm", "user", "department", "catalog", "task", "im", "telephony", "calendar", "imopenlines")


@dataclass(frozen=True, slots=True)
class StageMove:
    """What a robot is told: a card reached a stage."""

    entity_type_id: int
    id: int
    before: str
    after: str
    user_id: int


class FieldSet:
    """All fields of one object type at this moment, found by any of their names."""

    def __init__(self, fields: list[Field]) -> None:
        self.fields = fields
        self.by_name = {one.name: one for one in fields}
        self.by_upper = {one.upper: one for one in fields}
        self.custom = [one for one in fields if one.dynamic]
        self.camel = {one.name: camel_custom(one.name) for one in self.custom}
        self._any = {
            **self.by_upper,
            **self.by_name,
            **{camel_custom(one.name): one for one in self.custom},
        }
        self.template = {one.name: one.empty for one in fields if one.in_item}

    def find(self, name: str) -> Field | None:
        """By crm.item name, by upper-case name, by original or camelCase custom name."""
        return self._any.get(name)


Robot = Callable[[StageMove], None]


@dataclass
class World:
    """Everything a portal knows. `owner_id` is the user the incoming webhook acts as."""

    time: PortalTime
    dice: random.Random
    domain: str
    member_id: str
    application_token: str
    owner_id: int
    scopes: set[str]
    outbox: Outbox
    subscriptions: list[Subscription] = field(default_factory=list[Subscription])
    mandatory: dict[int, dict[str, set[str] | None]] = field(default_factory=dict[int, "dict[str, set[str] | None]"])
    robots: list[Robot] = field(default_factory=list[Robot])
    calls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    notifications: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    notified: int = 0
    tasks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    triggers: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    simple_mode: bool = False

    def __post_init__(self) -> None:
        self.dictionaries = defaults.dictionaries()
        self.people = defaults.people()
        self.catalog = defaults.catalog()
        self.userfields = UserFields()
        self.activities = Activities()
        self.openlines = OpenLines()
        self.timeline = Timeline()
        self.product_rows = ProductRows()
        self.history = StageHistory()
        self.communications = CommunicationIndex()
        self.stores = {entity_type_id: Store() for entity_type_id in OBJECT_TYPES}
        self.company_contacts: dict[int, list[int]] = {}
        self._field_sets: dict[int, FieldSet] = {}
        self._next_multifield = 101

    def kind(self, entity_type_id: int) -> ObjectType:
        found = OBJECT_TYPES.get(entity_type_id)
        if found is None:
            raise RestError("NOT_FOUND", "Smart process not found")
        return found

    def fields(self, entity_type_id: int) -> FieldSet:
        found = self._field_sets.get(entity_type_id)
        if found is None:
            custom = [self.userfields.field(row) for row in self.userfields.of(entity_type_id).values()]
            found = self._field_sets[entity_type_id] = FieldSet(standard_fields(entity_type_id) + custom)
        return found

    def fields_changed(self, entity_type_id: int) -> None:
        self._field_sets.pop(entity_type_id, None)

    def new_multifield_id(self) -> int:
        issued = self._next_multifield
        self._next_multifield += 1
        return issued

    def owner_is_admin(self) -> bool:
        return self.owner_id in self.people.admins

    def announce(self, code: str, data: dict[str, Any]) -> None:
        """Raise an event to everybody who subscribed to it."""
        self.outbox.counts.raised += 1
        by_code = self.outbox.counts.by_code
        by_code[code] = by_code.get(code, 0) + 1
        for one in self.subscriptions:
            if one.wants(code):
                self.outbox.post(
                    one.url,
                    event_body(code, data, auth=self._auth(), handler_id=one.handler_id, stamp=self.time.stamp()),
                )

    def announce_card(self, entity_type_id: int, item_id: int, what: str) -> None:
        """ADD, UPDATE or DELETE of a card: the id only, no old values (docs: crm/leads/events)."""
        kind = OBJECT_TYPES[entity_type_id]
        if kind.event:
            self.announce(f"ONCRM{kind.event}{what}", {"ID": item_id})
        else:
            self.announce(f"ONCRMDYNAMICITEM{what}", {"ID": item_id, "ENTITY_TYPE_ID": entity_type_id})

    def _auth(self) -> dict[str, str]:
        return {
            "domain": self.domain,
            "client_endpoint": f"https://{self.domain}/rest/",
            "server_endpoint": "https://oauth.bitrix.info/rest/",
            "member_id": self.member_id,
            "application_token": self.application_token,
        }
