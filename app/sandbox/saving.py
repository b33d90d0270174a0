"""Saving a card: defaults, checks, links, stages, history, events. The rules both API families and the
people in the UI share.

Called by methods and by `SandboxPortal.ui_*`. Docs: crm/universal/crm-item-add, crm-item-update.
"""

from typing import Any

from app.sandbox import multifields
from app.sandbox.errors import RequiredError
from app.sandbox.fields import EMPTY, normalise, same
from app.sandbox.links import linked, set_contacts
from app.sandbox.schema import COMPANY, CONTACT, DEAL, INVOICE, LEAD, QUOTE
from app.sandbox.stages import choose_stage, moved
from app.sandbox.state.store import Item
from app.sandbox.world import StageMove, World

_TITLES = {LEAD: "Лид", DEAL: "Сделка", COMPANY: "Компания", QUOTE: "Предложение", INVOICE: "Счёт"}
_SECONDS_PER_DAY = 86400
_DEAL_DAYS = 7


def read_values(world: World, entity_type_id: int, sent: dict[str, Any]) -> Item:
    """The writable known fields of a request in stored form; the others are dropped without a word."""
    fields = world.fields(entity_type_id)
    values: Item = {}
    for name, value in sent.items():
        field = fields.find(name)
        if field is not None and not field.read_only:
            values[field.name] = normalise(field, value, world.time)
    return values


def add(world: World, entity_type_id: int, values: Item, *, user_id: int, fm: Any = None) -> int:
    """Create a card from stored forms. Raises RequiredError, FieldError (unknown stage)."""
    store = world.stores[entity_type_id]
    now = world.time.text()
    item = _defaults(world, entity_type_id, user_id)
    item.update(linked(world, entity_type_id, {}, values))
    choose_stage(world, entity_type_id, item, values)
    _check_required(world, entity_type_id, item, stage_changed=True)
    item["id"] = item_id = store.new_id()
    item |= {"createdTime": now, "createdBy": user_id, "lastActivityTime": now, "lastActivityBy": user_id}
    if world.kind(entity_type_id).has_stages:
        item |= moved(world, entity_type_id, None, item, user_id=user_id)
    if not item.get("title") and entity_type_id in _TITLES:
        item["title"] = f"{_TITLES[entity_type_id]} #{item_id}"
    _save(world, entity_type_id, item, fm=fm, user_id=user_id)
    if entity_type_id == COMPANY and values.get("contactIds"):
        set_contacts(world, item_id, values["contactIds"])
    world.announce_card(entity_type_id, item_id, "ADD")
    _robots(world, entity_type_id, {}, item, user_id)
    return item_id


def update(
    world: World,
    entity_type_id: int,
    item_id: int,
    values: Item,
    *,
    user_id: int,
    fm: Any = None,
    always: bool = False,
) -> bool:
    """Change a card; False where nothing differed and so nothing was saved.

    `always` saves and announces all the same, as the legacy family does.
    """
    before = world.stores[entity_type_id].rows[item_id]
    values = linked(world, entity_type_id, before, values)
    choose_stage(world, entity_type_id, before, values)
    template = world.fields(entity_type_id).template
    changes = {name: value for name, value in values.items() if not same(before.get(name, template.get(name)), value)}
    rows = multifields.changed_rows(before.get("fm", []), fm, world.new_multifield_id)
    if not changes and rows == before.get("fm", []) and not always:
        return False
    item = {**before, **changes}
    pipeline_changed = "categoryId" in changes
    stage_changed = "stageId" in changes
    if stage_changed and not pipeline_changed:
        _check_required(world, entity_type_id, item, stage_changed=True)
    if stage_changed or pipeline_changed:
        item |= moved(world, entity_type_id, before, item, user_id=user_id)
    item["fm"] = rows
    _save(world, entity_type_id, item, fm=None, user_id=user_id)
    if pipeline_changed:
        data = {"ID": item_id, "CATEGORY_ID": item["categoryId"], "STAGE_ID": item["stageId"]}
        world.announce("ONCRMDEALMOVETOCATEGORY", data)
    else:
        world.announce_card(entity_type_id, item_id, "UPDATE")
    if stage_changed:
        _robots(world, entity_type_id, before, item, user_id)
    return True


def delete(world: World, entity_type_id: int, item_id: int) -> None:
    store = world.stores[entity_type_id]
    item = store.rows[item_id]
    world.communications.replace((entity_type_id, item_id), item.get("fm", []), [])
    store.drop(item_id)
    kind = world.kind(entity_type_id)
    world.product_rows.rows.pop((kind.code, item_id), None)
    world.activities.forget_owner(entity_type_id, item_id)
    history = world.history.rows.get(entity_type_id, [])
    world.history.rows[entity_type_id] = [row for row in history if row["OWNER_ID"] != item_id]
    world.announce_card(entity_type_id, item_id, "DELETE")


def recount(world: World, entity_type_id: int, item_id: int, *, user_id: int) -> bool:
    """After a change of product rows: the sum follows them unless it is kept by hand."""
    item = world.stores[entity_type_id].rows[item_id]
    total = _rows_total(world, entity_type_id, item_id)
    if item.get("isManualOpportunity") == "Y" or same(item.get("opportunity"), total):
        return False
    return update(world, entity_type_id, item_id, {"opportunity": total}, user_id=user_id)


def touch(world: World, entity_type_id: int, item_id: int, user_id: int) -> None:
    """Something happened in the timeline: moves the last activity, not the time of change (undocumented)."""
    item = world.stores[entity_type_id].rows[item_id]
    item["lastActivityTime"] = world.time.text()
    item["lastActivityBy"] = user_id


def _defaults(world: World, entity_type_id: int, user_id: int) -> Item:
    template = world.fields(entity_type_id).template
    item: Item = {name: empty for name, empty in template.items() if empty is not None and empty != []}
    item |= {"assignedById": user_id, "opened": "Y" if entity_type_id == LEAD else "N"}
    if entity_type_id in {LEAD, DEAL, QUOTE, INVOICE}:
        item |= {"opportunity": 0, "currencyId": _base_currency(world), "isManualOpportunity": "N"}
    if entity_type_id == COMPANY:
        item |= {"currencyId": _base_currency(world), "typeId": "CUSTOMER", "categoryId": 0}
    if entity_type_id == CONTACT:
        item |= {"typeId": "CLIENT", "categoryId": 0}
    if entity_type_id == DEAL:
        stamp = world.time.stamp()
        item |= {
            "typeId": "SALE",
            "begindate": world.time.read_date(world.time.text(stamp)),
            "closedate": world.time.read_date(world.time.text(stamp + _DEAL_DAYS * _SECONDS_PER_DAY)),
        }
    for field in world.fields(entity_type_id).custom:
        if field.type == "boolean":
            item[field.name] = "N"
    return item


def _base_currency(world: World) -> str:
    return next(one.code for one in world.dictionaries.currencies if one.base)


def _save(world: World, entity_type_id: int, item: Item, *, fm: Any, user_id: int) -> None:
    owner = (entity_type_id, item["id"])
    before = world.stores[entity_type_id].rows.get(item["id"], {})
    kind = world.kind(entity_type_id)
    if kind.has_phones:
        item["fm"] = multifields.changed_rows(item.get("fm", []), fm, world.new_multifield_id)
        item |= multifields.aliases(item["fm"])
        world.communications.replace(owner, before.get("fm", []), item["fm"])
    else:
        item.pop("fm", None)
    if kind.has_rows and item.get("isManualOpportunity") != "Y" and (kind.code, item["id"]) in world.product_rows.rows:
        item["opportunity"] = _rows_total(world, entity_type_id, item["id"])
    if entity_type_id in {LEAD, DEAL}:
        item["isReturnCustomer"] = _returning(world, entity_type_id, item)
    item |= {"updatedTime": world.time.text(), "updatedBy": user_id}
    world.stores[entity_type_id].put(item)
    if entity_type_id == CONTACT:
        _link_companies(world, item["id"], before.get("companyIds", []), item.get("companyIds", []))


def _rows_total(world: World, entity_type_id: int, item_id: int) -> int | float:
    rows = world.product_rows.rows.get((world.kind(entity_type_id).code, item_id), [])
    total = round(sum(row["price"] * row["quantity"] for row in rows), 2)
    return int(total) if total == int(total) else total


def _returning(world: World, entity_type_id: int, item: Item) -> str:
    """A lead is a returning one as soon as a client is linked (docs: crm/leads/crm-lead-fields); a deal,
    when its company has won one before."""
    if entity_type_id == LEAD:
        return "Y" if item.get("companyId") or item.get("contactId") else "N"
    if not item.get("companyId"):
        return "N"
    store = world.stores[DEAL]
    others = (store.rows[one] for one in store.with_value("companyId", [item["companyId"]]) if one != item["id"])
    return "Y" if any(other.get("stageSemanticId") == "S" for other in others) else "N"


def _link_companies(world: World, contact_id: int, before: list[int], after: list[int]) -> None:
    for company_id in set(before) - set(after):
        world.company_contacts[company_id].remove(contact_id)
    for company_id in after:
        contacts = world.company_contacts.setdefault(company_id, [])
        if contact_id not in contacts:
            contacts.append(contact_id)


def _check_required(world: World, entity_type_id: int, item: Item, *, stage_changed: bool) -> None:
    required = world.mandatory.get(entity_type_id, {})
    names = [name for name, stages in required.items() if stages is None or item.get("stageId") in stages]
    custom = world.userfields.of(entity_type_id).values()
    names += [row["FIELD_NAME"] for row in custom if row["MANDATORY"] == "Y"]
    missing = [name for name in names if item.get(name) in EMPTY or item.get(name) == []]
    if missing and stage_changed:
        fields = world.fields(entity_type_id).by_name
        raise RequiredError([fields[name].upper for name in missing])


def _robots(world: World, entity_type_id: int, before: Item, item: Item, user_id: int) -> None:
    if not world.kind(entity_type_id).has_stages:
        return
    move = StageMove(entity_type_id, item["id"], before.get("stageId", ""), item["stageId"], user_id)
    for robot in list(world.robots):
        robot(move)
