"""`crm.activity.*`: old activities, to-dos, bindings (docs: crm/timeline/activities).

Also called by `SandboxPortal.ui_*`, so that people and REST leave the same rows and events.
"""

from collections.abc import Sequence
from typing import Any

from app.sandbox import saving
from app.sandbox.errors import RestError
from app.sandbox.methods.base import Call, Method, Reply, missing, page
from app.sandbox.methods.listing import walk_page, within
from app.sandbox.state.activities import FIELDS, NUMBERS, TIMES, Activity
from app.sandbox.tables import Columns
from app.sandbox.wire import as_int, as_list, as_map
from app.sandbox.world import World

_COLUMNS = Columns(FIELDS, numbers=NUMBERS, times=TIMES)
_WAITING, _DONE = "1", "2"
_PROVIDERS = {"1": "CRM_MEETING", "2": "VOXIMPLANT_CALL", "3": "CRM_TASKS_TASK", "4": "CRM_EMAIL"}
_WRITABLE = frozenset(FIELDS) - {"ID", "CREATED", "LAST_UPDATED", "EDITOR_ID", "STATUS"}


def list_(call: Call) -> Reply:
    params = call.legacy()
    conditions = dict(as_map(params.get("filter")))
    bindings = conditions.pop("BINDINGS", None)
    world = call.world
    test = _COLUMNS.filter(conditions, world.time, strict=False)
    rows = _candidates(world, conditions, bindings)
    order, start = params.get("order"), params.get("start")
    walked = walk_page(rows, test, order=order, start=start)
    if walked is None:
        found = [row for row in rows if test(row)]
        walked = page(_COLUMNS.sort(found, order, strict=False, default=("START_TIME", False)), start)
    shown, total, following = walked
    select = [str(name) for name in as_list(params.get("select"))]
    return Reply([_row(world, row, select) for row in shown], total, following)


def get(call: Call) -> Reply:
    return Reply(dict(_existing(call)))


def add(call: Call) -> Reply:
    sent = as_map(call.legacy().get("fields"))
    for name in ("SUBJECT", "RESPONSIBLE_ID", "TYPE_ID"):
        if not sent.get(name):
            word = "empty" if name == "SUBJECT" else "invalid"
            raise RestError("", f"The field {name} is not defined or {word}.")
    owner = (as_int(sent.get("OWNER_TYPE_ID")) or 0, as_int(sent.get("OWNER_ID")) or 0)
    if not _exists(call.world, *owner):
        text = "Could not build binding. Please ensure that owner info and communications are defined correctly."
        raise RestError("", text)
    fields = {key: value for key, value in sent.items() if key in _WRITABLE}
    activity_id = record(call.world, owner, fields, user_id=call.user_id)
    if sent.get("COMMUNICATIONS"):
        call.world.activities.communications[activity_id] = [as_map(c) for c in as_list(sent["COMMUNICATIONS"])]
    return Reply(activity_id)


def update(call: Call) -> Reply:
    row = _existing(call)
    sent = {key: value for key, value in as_map(call.legacy().get("fields")).items() if key in _WRITABLE}
    change(call.world, int(row["ID"]), sent, user_id=call.user_id)
    return Reply(True)


def delete(call: Call) -> Reply:
    row = _existing(call)
    call.world.activities.drop(int(row["ID"]))
    call.world.announce("ONCRMACTIVITYDELETE", {"ID": int(row["ID"])})
    return Reply(True)


def todo_add(call: Call) -> Reply:
    """A deadline is required; without `responsibleId` the caller is responsible."""
    owner = (call.number("ownerTypeId"), call.number("ownerId"))
    if "deadline" not in call.params:
        raise missing("deadline")
    deadline = call.world.time.read(call.params["deadline"])
    if deadline is None:
        raise RestError("WRONG_DATETIME_FORMAT", "Неверный формат даты")
    if not _exists(call.world, *owner):
        raise RestError("OWNER_NOT_FOUND", "Владелец элемента не найден")
    fields = {
        "TYPE_ID": "6",
        "PROVIDER_ID": "CRM_TODO",
        "PROVIDER_TYPE_ID": "TODO",
        "SUBJECT": str(call.params.get("title") or ""),
        "DESCRIPTION": str(call.params.get("description") or ""),
        "DEADLINE": deadline,
        "START_TIME": deadline,
        "END_TIME": deadline,
        "RESPONSIBLE_ID": as_int(call.params.get("responsibleId")) or call.user_id,
    }
    return Reply({"id": record(call.world, owner, fields, user_id=call.user_id)})


def binding_list(call: Call) -> Reply:
    activity_id = call.number("activityId")
    bound = call.world.activities.bindings.get(activity_id)
    if bound is None:
        raise RestError("NOT_FOUND", "Element not found")
    return Reply([{"entityTypeId": kind, "entityId": entity_id} for kind, entity_id in bound])


def binding_add(call: Call) -> Reply:
    activity_id, kind, entity_id = (call.number(n) for n in ("activityId", "entityTypeId", "entityId"))
    if activity_id not in call.world.activities.rows:
        raise RestError("NOT_FOUND", "Entity not found")
    if not _exists(call.world, kind, entity_id):
        raise RestError("OWNER_NOT_FOUND", "Owner was not found")
    if not call.world.activities.bind(activity_id, kind, entity_id):
        raise RestError("ACTIVITY_IS_ALREADY_BOUND", "Activity is already bound to this entity")
    return Reply(True)


def record(world: World, owner: tuple[int, int], fields: Activity, *, user_id: int) -> int:
    """Store an activity of a card with everything the portal fills in; raises ONCRMACTIVITYADD."""
    now = world.time.text()
    type_id = str(fields.get("TYPE_ID") or "6")
    completed = "Y" if str(fields.get("COMPLETED") or "N") == "Y" else "N"
    row: Activity = dict.fromkeys(FIELDS)
    row |= {
        "OWNER_TYPE_ID": str(owner[0]),
        "OWNER_ID": str(owner[1]),
        "PROVIDER_ID": _PROVIDERS.get(type_id, "CRM_TODO"),
        "PROVIDER_TYPE_ID": {"2": "CALL", "4": "EMAIL", "1": "MEETING"}.get(type_id, "TODO"),
        "ASSOCIATED_ENTITY_ID": "0",
        "CREATED": now,
        "LAST_UPDATED": now,
        "START_TIME": now,
        "END_TIME": now,
        "DEADLINE": now,
        "RESPONSIBLE_ID": str(user_id),
        "PRIORITY": "2",
        "NOTIFY_TYPE": "0",
        "NOTIFY_VALUE": "0",
        "DESCRIPTION": "",
        "DESCRIPTION_TYPE": "1",
        "DIRECTION": "0",
        "LOCATION": "",
        "SETTINGS": [],
        "AUTHOR_ID": str(user_id),
        "EDITOR_ID": str(user_id),
        "PROVIDER_PARAMS": [],
        "RESULT_MARK": "0",
        "RESULT_STATUS": "0",
        "RESULT_STREAM": "0",
        "AUTOCOMPLETE_RULE": "0",
        "IS_INCOMING_CHANNEL": "N",
    }
    row |= _printed(world, fields)
    row |= {"COMPLETED": completed, "STATUS": _DONE if completed == "Y" else _WAITING}
    activity_id = world.activities.put(row)
    saving.touch(world, *owner, user_id)
    world.announce("ONCRMACTIVITYADD", {"ID": activity_id})
    return activity_id


_TOLD_OF_CALLS = ("CALL_ID", "CALL_TYPE", "PORTAL_USER_ID", "CALL_DURATION", "CALL_FAILED_CODE", "CRM_ACTIVITY_ID")
_CALL_ENTITIES = {1: "LEAD", 3: "CONTACT", 4: "COMPANY"}


def record_call(world: World, owner: tuple[int, int], *, outgoing: bool, seconds: int, user_id: int) -> int:
    """A finished call: its activity and its row of statistics, which names no deal (docs: telephony/voximplant)."""
    number = len(world.calls) + 1
    call_id, began = f"{number:08X}.{int(world.time.stamp())}.1", world.time.text(world.time.stamp() - seconds)
    fields: Activity = {
        "TYPE_ID": "2",
        "DIRECTION": "2" if outgoing else "1",
        "SUBJECT": "Call",
        "COMPLETED": "Y" if outgoing or seconds else "N",
        "START_TIME": began,
        "ORIGIN_ID": f"VI_{call_id}",
        "SETTINGS": [] if outgoing or seconds else {"MISSED_CALL": True},
    }
    activity_id = record(world, owner, fields, user_id=user_id)
    world.calls.append(
        {
            "ID": str(number),
            "CALL_ID": call_id,
            "CALL_CATEGORY": "external",
            "PORTAL_USER_ID": str(user_id),
            "PORTAL_NUMBER": "reg1",
            "PHONE_NUMBER": "+74950000000",
            "CALL_TYPE": "1" if outgoing else "2",
            "CALL_DURATION": str(seconds),
            "CALL_START_DATE": began,
            "COST": "0.0000",
            "COST_CURRENCY": "RUR",
            "CALL_FAILED_CODE": "200" if seconds else "304",
            "CALL_FAILED_REASON": "Success call" if seconds else "Skipped call",
            "CRM_ENTITY_TYPE": _CALL_ENTITIES.get(owner[0]),
            "CRM_ENTITY_ID": str(owner[1]) if owner[0] in _CALL_ENTITIES else None,
            "CRM_ACTIVITY_ID": str(activity_id),
        }
    )
    world.announce("ONVOXIMPLANTCALLEND", {name: world.calls[-1][name] for name in _TOLD_OF_CALLS})
    return activity_id


def change(world: World, activity_id: int, fields: Activity, *, user_id: int) -> None:
    """Write fields of an activity; raises ONCRMACTIVITYUPDATE."""
    row = world.activities.rows[activity_id]
    row |= _printed(world, fields)
    row["STATUS"] = _DONE if row["COMPLETED"] == "Y" else _WAITING
    row |= {"LAST_UPDATED": world.time.text(), "EDITOR_ID": str(user_id)}
    owner = (int(row["OWNER_TYPE_ID"]), int(row["OWNER_ID"]))
    if _exists(world, *owner):
        saving.touch(world, *owner, user_id)
    world.announce("ONCRMACTIVITYUPDATE", {"ID": activity_id})


def _printed(world: World, fields: Activity) -> Activity:
    printed: Activity = {}
    for key, value in fields.items():
        if key in TIMES:
            printed[key] = world.time.read(value) or world.time.text()
        elif key in NUMBERS:
            printed[key] = str(as_int(value) or 0)
        elif isinstance(value, (dict, list)):
            printed[key] = value
        elif value is not None:
            printed[key] = str(value)
    return printed


def _candidates(world: World, conditions: Activity, bindings: Any) -> Sequence[Activity]:
    """Rows that may match, ids ascending."""
    stored = world.activities
    owner = (as_int(conditions.get("OWNER_TYPE_ID")), as_int(conditions.get("OWNER_ID")))
    if bindings is not None:
        wanted = [as_map(one) for one in as_list(bindings)]
        ids = [one for one, bound in stored.bindings.items() if any(_bound(bound, want) for want in wanted)]
    elif None not in owner:
        ids = sorted(stored.by_owner.get((owner[0] or 0, owner[1] or 0), []))
    else:
        return within(stored.listed(), conditions)
    return [stored.rows[one] for one in ids]


def _bound(bound: list[tuple[int, int]], want: Activity) -> bool:
    kind, entity_id = as_int(want.get("OWNER_TYPE_ID")), as_int(want.get("OWNER_ID"))
    return any(kind in {None, one} and entity_id in {None, other} for one, other in bound)


def _row(world: World, row: Activity, select: list[str]) -> Activity:
    whole = not select or "*" in select
    shown = dict(row) if whole else {name: row.get(name) for name in select if name in row}
    if "COMMUNICATIONS" in select:
        shown["COMMUNICATIONS"] = world.activities.communications.get(int(row["ID"]), [])
    if "FILES" in select:
        shown["FILES"] = []
    return shown


def _existing(call: Call) -> Activity:
    row = call.world.activities.rows.get(as_int(call.legacy().get("id")) or 0)
    if row is None:
        raise RestError("", "Activity is not found.")
    return row


def _exists(world: World, entity_type_id: int, entity_id: int) -> bool:
    store = world.stores.get(entity_type_id)
    return store is not None and entity_id in store.rows


METHODS = {
    "crm.activity.list": Method(list_, "crm"),
    "crm.activity.get": Method(get, "crm"),
    "crm.activity.add": Method(add, "crm"),
    "crm.activity.update": Method(update, "crm"),
    "crm.activity.delete": Method(delete, "crm"),
    "crm.activity.todo.add": Method(todo_add, "crm"),
    "crm.activity.binding.list": Method(binding_list, "crm"),
    "crm.activity.binding.add": Method(binding_add, "crm"),
}
