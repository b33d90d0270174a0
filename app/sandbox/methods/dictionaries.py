"""`crm.status.*`, `crm.category.*`, `crm.dealcategory.*`, `crm.currency.*`.

Docs: crm/status, crm/universal/category, crm/currency.
"""

from typing import Any

from app.sandbox.errors import RestError
from app.sandbox.methods.base import Call, Method, Reply
from app.sandbox.schema import DEAL, INVOICE, LEAD, OBJECT_TYPES, QUOTE
from app.sandbox.tables import Columns
from app.sandbox.wire import as_int, as_list, as_map

_STATUS = Columns(
    ("ENTITY_ID", "STATUS_ID", "NAME", "NAME_INIT", "SYSTEM", "COLOR", "SEMANTICS"),
    numbers=("ID", "SORT", "CATEGORY_ID"),
)
_WITH_PIPELINES = {DEAL, 3, 4, INVOICE}
_LIST_NAMES = {
    "SOURCE": "Источники",
    "CONTACT_TYPE": "Тип контакта",
    "COMPANY_TYPE": "Тип компании",
    "EMPLOYEES": "Количество сотрудников",
    "INDUSTRY": "Сфера деятельности",
    "DEAL_TYPE": "Тип сделки",
    "HONORIFIC": "Обращения",
    "CALL_LIST": "Статусы обзвона",
}


def status_list(call: Call) -> Reply:
    params = call.legacy()
    test = _STATUS.filter(params.get("filter"), call.world.time, strict=False)
    rows = [row for row in (one.row() for one in call.world.dictionaries.statuses) if test(row)]
    rows = _STATUS.sort(rows, params.get("order"), strict=False, default=("SORT", False))
    return Reply(rows, len(rows))


def status_add(call: Call) -> Reply:
    if not call.world.owner_is_admin():
        raise RestError("", "Access denied.")
    sent = as_map(call.legacy().get("fields"))
    made = call.world.dictionaries.add_status(
        str(sent.get("ENTITY_ID")),
        str(sent.get("STATUS_ID")),
        str(sent.get("NAME")),
        sort=as_int(sent.get("SORT")) or 100,
        semantics=sent.get("SEMANTICS"),
    )
    return Reply(made.id)


def entity_types(call: Call) -> Reply:
    rows: list[dict[str, Any]] = [_stages(call, LEAD, 0, "STATUS", "Стадии лида")]
    rows += [{"ID": key, "NAME": name} for key, name in _LIST_NAMES.items()]
    for pipeline in call.world.dictionaries.pipelines:
        if pipeline.entity_type_id in {DEAL, INVOICE}:
            entity_id = call.world.dictionaries.stage_list(pipeline.entity_type_id, pipeline.id)
            row = _stages(call, pipeline.entity_type_id, pipeline.id, entity_id, f"Стадии: {pipeline.name}")
            rows.append({**row, "CATEGORY_ID": pipeline.id})
    rows.append(_stages(call, QUOTE, 0, "QUOTE_STATUS", "Стадии предложения"))
    return Reply(rows)


def _stages(call: Call, entity_type_id: int, category_id: int, entity_id: str, name: str) -> dict[str, Any]:
    stages = call.world.dictionaries.of(entity_id)
    prefix = f"C{category_id}:" if entity_type_id == DEAL and category_id else ""
    info: Any = {
        "START_FIELD": stages[0].status_id,
        "FINAL_SUCCESS_FIELD": next(one.status_id for one in stages if one.semantics == "S"),
        "FINAL_UNSUCCESS_FIELD": next(one.status_id for one in stages if one.semantics == "F"),
        "FINAL_SORT": 0,
    }
    row: dict[str, Any] = {
        "ID": entity_id,
        "NAME": name,
        "SEMANTIC_INFO": [] if entity_type_id == INVOICE else info,
        "ENTITY_TYPE_ID": entity_type_id,
    }
    return {**row, "PREFIX": prefix[:-1]} if prefix else row


def category_list(call: Call) -> Reply:
    entity_type_id = call.number("entityTypeId")
    kind = OBJECT_TYPES.get(entity_type_id)
    if kind is None:
        raise RestError("NOT_FOUND", "Smart process not found")
    if entity_type_id not in _WITH_PIPELINES:
        raise RestError("ENTITY_TYPE_NOT_SUPPORTED", f"Entity type {kind.name} is not supported")
    pipelines = [p for p in call.world.dictionaries.pipelines if p.entity_type_id == entity_type_id]
    pipelines.sort(key=lambda one: one.sort)
    return Reply({"categories": [one.row() for one in pipelines]}, len(pipelines))


def old_category_list(call: Call) -> Reply:
    pipelines = [p for p in call.world.dictionaries.pipelines if p.entity_type_id == DEAL and p.id]
    rows = [
        {"ID": str(p.id), "NAME": p.name, "SORT": str(p.sort), "IS_LOCKED": "N", "CREATED_DATE": ""} for p in pipelines
    ]
    return Reply(rows, len(rows))


def old_stage_list(call: Call) -> Reply:
    category = as_int(call.legacy().get("id")) or 0
    stages = call.world.dictionaries.of(call.world.dictionaries.stage_list(DEAL, category))
    return Reply([{"NAME": one.name, "SORT": str(one.sort), "STATUS_ID": one.status_id} for one in stages])


def currency_list(call: Call) -> Reply:
    """`total` is always 0 here (docs: crm/currency/crm-currency-list)."""
    rows = [
        {
            "CURRENCY": one.code,
            "AMOUNT_CNT": one.count,
            "AMOUNT": one.amount,
            "SORT": str(one.sort),
            "BASE": "Y" if one.base else "N",
            "FULL_NAME": one.full_name,
            "LID": "ru",
            "FORMAT_STRING": one.format_string,
            "DEC_POINT": ".",
            "THOUSANDS_SEP": "&nbsp;",
            "DECIMALS": "2",
            "DATE_UPDATE": call.world.time.text(),
        }
        for one in call.world.dictionaries.currencies
    ]
    return Reply(rows, 0)


def base_currency(call: Call) -> Reply:
    return Reply(next(one.code for one in call.world.dictionaries.currencies if one.base))


def find_duplicates(call: Call) -> Reply:
    """`crm.duplicate.findbycomm`: once one type has 20 hits, the later types are not looked at."""
    params = call.legacy()
    kind = str(params.get("type") or "").upper()
    if not kind:
        raise RestError("Communication type is not defined", "Parameter 'type' is required.")
    if kind not in {"PHONE", "EMAIL"}:
        text = f"Communication type '{kind}' is not supported in current context"
        raise RestError(text, text)
    values = [str(one) for one in as_list(params.get("values"))][:_MOST_VALUES]
    if not values:
        raise RestError("Communication values is not defined", "Parameter 'values' is required.")
    only = str(params.get("entity_type") or "").upper()
    found: dict[str, list[int]] = {}
    for name, entity_type_id in (("LEAD", LEAD), ("CONTACT", 3), ("COMPANY", 4)):
        if only and only != name:
            continue
        ids = sorted({one for v in values for one in call.world.communications.find(kind, v, entity_type_id)})
        if ids:
            found[name] = ids
        if len(ids) >= _ENOUGH:
            break
    return Reply(found or [])


_MOST_VALUES = 20
_ENOUGH = 20

METHODS = {
    "crm.status.list": Method(status_list, "crm"),
    "crm.status.add": Method(status_add, "crm"),
    "crm.status.entity.types": Method(entity_types, "crm"),
    "crm.category.list": Method(category_list, "crm"),
    "crm.dealcategory.list": Method(old_category_list, "crm"),
    "crm.dealcategory.stage.list": Method(old_stage_list, "crm"),
    "crm.currency.list": Method(currency_list, "crm"),
    "crm.currency.base.get": Method(base_currency, "crm"),
    "crm.duplicate.findbycomm": Method(find_duplicates, "crm"),
}
