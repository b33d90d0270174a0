"""Timeline comments, log messages, stage history, the automation trigger.

Docs: crm/timeline/comments, crm/timeline/logmessage, crm/crm-stage-history-list, crm/automation.
"""

from typing import Any

from app.sandbox import saving
from app.sandbox.errors import RestError
from app.sandbox.methods.base import Call, Method, Reply, missing, page
from app.sandbox.schema import DEAL, INVOICE, LEAD, OBJECT_TYPES
from app.sandbox.tables import Columns
from app.sandbox.wire import as_int, as_list, as_map

_OWNERS = {kind.name.lower(): kind.id for kind in OBJECT_TYPES.values()}
_COMMENT = Columns(("ENTITY_TYPE", "COMMENT"), numbers=("ID", "AUTHOR_ID", "ENTITY_ID"), times=("CREATED",))
_LEAD_HISTORY = Columns(
    ("STATUS_ID", "STATUS_SEMANTIC_ID"), numbers=("ID", "TYPE_ID", "OWNER_ID"), times=("CREATED_TIME",)
)
_HISTORY = Columns(
    ("STAGE_ID", "STAGE_SEMANTIC_ID"),
    numbers=("ID", "TYPE_ID", "OWNER_ID", "CATEGORY_ID"),
    times=("CREATED_TIME",),
)


def comment_add(call: Call) -> Reply:
    """The wrapper must be lower-case `fields`; the author is the caller."""
    fields = call.fields()
    entity_type, entity_id = str(fields.get("ENTITY_TYPE") or ""), as_int(fields.get("ENTITY_ID"))
    if not entity_type or entity_id is None:
        raise missing("fields")
    if not str(fields.get("COMMENT") or "").strip():
        raise RestError("INVALID_ARG_VALUE", "Empty comment message")
    kind = _OWNERS.get(entity_type)
    if kind is None or entity_id not in call.world.stores[kind].rows:
        raise RestError("OWNER_NOT_FOUND", "Owner was not found")
    row: dict[str, Any] = {
        "ENTITY_ID": str(entity_id),
        "ENTITY_TYPE": entity_type,
        "CREATED": call.world.time.text(),
        "COMMENT": str(fields["COMMENT"]),
        "AUTHOR_ID": str(call.user_id),
        "FILES": {},
    }
    comment_id = call.world.timeline.add_comment(entity_type, entity_id, row)
    saving.touch(call.world, kind, entity_id, call.user_id)
    call.world.announce("ONCRMTIMELINECOMMENTADD", {"ID": comment_id})
    return Reply(comment_id)


def comment_get(call: Call) -> Reply:
    comment_id = as_int(call.params.get("id"))
    if comment_id is None:
        raise RestError("", "ID is not defined or invalid.")
    row = call.world.timeline.comments.get(comment_id)
    if row is None:
        raise RestError("", "Not found.")
    return Reply(row)


def comment_list(call: Call) -> Reply:
    params = call.legacy()
    conditions = {key.lstrip("="): value for key, value in as_map(params.get("filter")).items()}
    entity_id = as_int(conditions.get("ENTITY_ID"))
    if entity_id is None or not conditions.get("ENTITY_TYPE"):
        raise RestError("", "Access denied.")
    ids = call.world.timeline.comments_of.get((str(conditions["ENTITY_TYPE"]), entity_id), [])
    rows = [call.world.timeline.comments[one] for one in ids]
    rows = _COMMENT.sort(rows, params.get("order"), strict=False, default=("ID", False))
    shown, total, following = page(rows, params.get("start"))
    select = [str(name) for name in as_list(params.get("select"))]
    if select:
        shown = [{name: row[name] for name in select if name in row} for row in shown]
    return Reply(shown, total, following)


def comment_update(call: Call) -> Reply:
    row = _comment(call)
    text = str(call.fields().get("COMMENT") or "").strip()
    if not text:
        raise RestError("INVALID_ARG_VALUE", "Empty comment message")
    row["COMMENT"] = text
    call.world.announce("ONCRMTIMELINECOMMENTUPDATE", {"ID": int(row["ID"])})
    return Reply(int(row["ID"]))


def comment_delete(call: Call) -> Reply:
    row = _comment(call)
    call.world.timeline.drop_comment(int(row["ID"]))
    call.world.announce("ONCRMTIMELINECOMMENTDELETE", {"ID": int(row["ID"])})
    return Reply(None)


def _comment(call: Call) -> dict[str, Any]:
    row = call.world.timeline.comments.get(call.number("id"))
    if row is None:
        raise RestError("NOT_FOUND", "Not found.")
    return row


def log_message_add(call: Call) -> Reply:
    fields = call.fields()
    for name in ("entityTypeId", "entityId", "title", "text", "iconCode"):
        if not fields.get(name):
            raise missing(name)
    kind, entity_id = as_int(fields["entityTypeId"]), as_int(fields["entityId"])
    store = call.world.stores.get(kind or 0)
    if store is None or entity_id not in store.rows:
        raise RestError("OWNER_NOT_FOUND", "Owner was not found")
    message = {
        "id": call.world.timeline.new_id(),
        "created": call.world.time.text(),
        "authorId": call.user_id,
        "title": str(fields["title"]),
        "text": str(fields["text"]),
        "iconCode": str(fields["iconCode"]),
    }
    call.world.timeline.log_messages.append({**message, "entityTypeId": kind, "entityId": entity_id})
    return Reply({"logMessage": message})


def stage_history(call: Call) -> Reply:
    entity_type_id = as_int(call.params.get("entityTypeId"))
    if entity_type_id not in {LEAD, DEAL, INVOICE}:
        kind = OBJECT_TYPES.get(entity_type_id or 0)
        name = kind.name if kind else str(call.params.get("entityTypeId"))
        raise RestError("ENTITY_TYPE_NOT_SUPPORTED", f"Entity type {name} is not supported")
    columns = _LEAD_HISTORY if entity_type_id == LEAD else _HISTORY
    raw = call.params.get("filter")
    test = columns.filter(raw, call.world.time, strict=True)
    rows = call.world.history.rows.get(entity_type_id, [])
    above = as_int(as_map(raw).get(">ID"))
    if above is not None:
        rows = rows[_first_after(rows, above) :]
    found = columns.sort(
        [row for row in rows if test(row)], call.params.get("order"), strict=True, default=("ID", False)
    )
    shown, total, following = page(found, call.params.get("start"))
    select = [str(name) for name in as_list(call.params.get("select")) if name != "*"]
    if select:
        shown = [{name: row[name] for name in select if name in row} for row in shown]
    return Reply({"items": shown}, total, following)


def _first_after(rows: list[dict[str, Any]], above: int) -> int:
    """Ids only grow, so the walk by `>ID` starts by bisection."""
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if rows[middle]["ID"] <= above else (low, middle)
    return low


def trigger(call: Call) -> Reply:
    target = str(call.legacy().get("target") or "")
    if not target:
        raise RestError("", "Target is not set.")
    name, _, number = target.rpartition("_")
    if not name or as_int(number) is None:
        raise RestError("", "Incorrect target format.")
    kind = _OWNERS.get(name.lower())
    if kind is None or as_int(number) not in call.world.stores[kind].rows:
        raise RestError("", "Target is not found.")
    call.world.triggers.append({"target": target, "code": str(call.legacy().get("code") or "")})
    return Reply(True)


METHODS = {
    "crm.timeline.comment.add": Method(comment_add, "crm"),
    "crm.timeline.comment.get": Method(comment_get, "crm"),
    "crm.timeline.comment.list": Method(comment_list, "crm"),
    "crm.timeline.comment.update": Method(comment_update, "crm"),
    "crm.timeline.comment.delete": Method(comment_delete, "crm"),
    "crm.timeline.logmessage.add": Method(log_message_add, "crm"),
    "crm.stagehistory.list": Method(stage_history, "crm"),
    "crm.automation.trigger": Method(trigger, "crm"),
}
