"""`crm.{lead,deal,contact,company,quote}.userfield.*` (docs: crm/leads/userfield)."""

from functools import partial
from typing import Any

from app.sandbox.errors import RestError
from app.sandbox.methods.base import Call, Method, Reply
from app.sandbox.schema import OBJECT_TYPES
from app.sandbox.state.userfields import LABELS, label
from app.sandbox.wire import Params, as_int, as_list, as_map

_LANGUAGES = ("de", "en", "ru")


def add(entity_type_id: int, call: Call) -> Reply:
    _admin_only(call)
    field_id = call.world.userfields.add(entity_type_id, _sent(call))
    call.world.fields_changed(entity_type_id)
    _announce(call, entity_type_id, field_id, "ADD")
    return Reply(field_id)


def update(entity_type_id: int, call: Call) -> Reply:
    _admin_only(call)
    sent = _sent(call)
    field_id = int(_row(entity_type_id, call)["ID"])
    call.world.userfields.update(entity_type_id, field_id, sent)
    call.world.fields_changed(entity_type_id)
    _announce(call, entity_type_id, field_id, "SETENUMVALUES" if "LIST" in sent else "UPDATE")
    return Reply(True)


def delete(entity_type_id: int, call: Call) -> Reply:
    _admin_only(call)
    row = _row(entity_type_id, call)
    _announce(call, entity_type_id, int(row["ID"]), "DELETE")
    del call.world.userfields.of(entity_type_id)[int(row["ID"])]
    call.world.fields_changed(entity_type_id)
    return Reply(True)


def get(entity_type_id: int, call: Call) -> Reply:
    """Labels come as a map of languages here."""
    row = dict(_row(entity_type_id, call))
    for key in LABELS:
        value = row[key]
        row[key] = value if isinstance(value, dict) else dict.fromkeys(_LANGUAGES, value or "")
    return Reply(row)


def list_(entity_type_id: int, call: Call) -> Reply:
    """All fields at once; labels only when the filter names LANG."""
    params = call.legacy()
    conditions = as_map(params.get("filter"))
    language = conditions.pop("LANG", None) if conditions else None
    rows = [
        _listed(row, with_labels=language is not None)
        for row in call.world.userfields.of(entity_type_id).values()
        if all(str(row.get(key.lstrip("=@"))) in {str(v) for v in as_list(value)} for key, value in conditions.items())
    ]
    rows.sort(key=lambda row: (int(row["SORT"]), int(row["ID"])))
    for key, direction in reversed(list(as_map(params.get("order")).items())):
        rows.sort(key=lambda row: _sortable(row.get(key)), reverse=str(direction).upper() == "DESC")
    return Reply(rows, len(rows))


def _sortable(value: Any) -> tuple[int, int, str]:
    found = as_int(value)
    return (0, found, "") if found is not None else (1, 0, str(value or ""))


def _listed(row: dict[str, Any], *, with_labels: bool) -> dict[str, Any]:
    shown = {key: value for key, value in row.items() if key not in LABELS}
    if with_labels:
        shown |= {key: label(row[key]) or None for key in LABELS}
    return shown


def _admin_only(call: Call) -> None:
    if not call.world.owner_is_admin():
        raise RestError("", "Access denied.", 403)


def _sent(call: Call) -> Params:
    sent = call.legacy().get("fields")
    if not isinstance(sent, dict):
        raise RestError("", "Parameter 'fields' must be array.")
    return as_map(call.legacy()["fields"])


def _row(entity_type_id: int, call: Call) -> dict[str, Any]:
    field_id = as_int(call.legacy().get("id")) or 0
    if field_id <= 0:
        raise RestError("", "ID is not defined or invalid.")
    row = call.world.userfields.of(entity_type_id).get(field_id)
    if row is None:
        raise RestError("ERROR_NOT_FOUND", f"The entity with ID '{field_id}' is not found.")
    return row


def _announce(call: Call, entity_type_id: int, field_id: int, what: str) -> None:
    row = call.world.userfields.of(entity_type_id)[field_id]
    data = {"ID": field_id, "ENTITY_ID": row["ENTITY_ID"], "FIELD_NAME": row["FIELD_NAME"]}
    call.world.announce(f"ONCRM{OBJECT_TYPES[entity_type_id].event}USERFIELD{what}", data)


METHODS: dict[str, Method] = {}
for _kind in OBJECT_TYPES.values():
    if _kind.segment:
        for _verb, _run in (("add", add), ("update", update), ("delete", delete), ("get", get), ("list", list_)):
            METHODS[f"crm.{_kind.segment}.userfield.{_verb}"] = Method(partial(_run, _kind.id), "crm")
