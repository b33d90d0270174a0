"""Which stage and pipeline a save leads to, and what a move changes on the card and in the history.

Called by saving. Docs: crm/universal/crm-item-update, crm/crm-stage-history-list.
"""

from app.sandbox.errors import FieldError
from app.sandbox.schema import DEAL, INVOICE, LEAD
from app.sandbox.state.store import Item
from app.sandbox.world import World

_CREATED, _WORKING, _FINAL, _PIPELINE = 1, 2, 3, 5
_WITH_HISTORY = {LEAD, DEAL, INVOICE}


def choose_stage(world: World, entity_type_id: int, item: Item, values: Item) -> None:
    """Settle `categoryId` and `stageId`: into the item being made, or into the values being written.

    A stage must belong to the pipeline the card is in after the save. Raises FieldError.
    """
    kind = world.kind(entity_type_id)
    if not kind.has_stages:
        return
    lists = world.dictionaries
    target = values if "id" in item else item
    category = values.get("categoryId", item.get("categoryId"))
    if category is None:
        category = lists.default_pipeline(entity_type_id) if kind.has_pipelines else 0
    if kind.has_pipelines and not lists.has_pipeline(entity_type_id, category):
        raise FieldError("CATEGORY_ID")
    moving = category != item.get("categoryId", category)
    stage = values.get("stageId") or ("" if moving or "id" not in item else item["stageId"])
    if not stage:
        stage = lists.first_stage(entity_type_id, category)
    if lists.stage(entity_type_id, category, stage) is None:
        raise FieldError(world.fields(entity_type_id).by_name["stageId"].upper)
    if kind.has_pipelines and (target is item or "categoryId" in values):
        target["categoryId"] = category
    if target is item or "stageId" in values or moving:
        target["stageId"] = stage


def moved(world: World, entity_type_id: int, before: Item | None, item: Item, *, user_id: int) -> Item:
    """What the move writes on the card; the history row is added on the way."""
    category = item.get("categoryId") or 0
    semantics = world.dictionaries.semantics(entity_type_id, category, item["stageId"])
    now = world.time.text()
    written: Item = {} if entity_type_id == INVOICE else {"stageSemanticId": semantics}
    if entity_type_id in _WITH_HISTORY:
        written |= {"movedTime": now, "movedBy": user_id}
        _record(world, entity_type_id, before, item, semantics=semantics, now=now)
    final = semantics != "P"
    if entity_type_id == LEAD:
        written["dateClosed"] = now if final else None
    if entity_type_id == DEAL:
        written["closed"] = "Y" if final else "N"
        first = world.dictionaries.first_stage(DEAL, category)
        written["isNew"] = "Y" if item["stageId"] == first else "N"
    if entity_type_id == INVOICE and before is not None:
        written["previousStageId"] = before["stageId"]
    return written


def _record(world: World, entity_type_id: int, before: Item | None, item: Item, *, semantics: str, now: str) -> None:
    if before is None:
        type_id = _CREATED
    elif before.get("categoryId") != item.get("categoryId"):
        type_id = _PIPELINE
    else:
        type_id = _WORKING if semantics == "P" else _FINAL
    row: Item = {"TYPE_ID": type_id, "OWNER_ID": item["id"], "CREATED_TIME": now}
    if entity_type_id == LEAD:
        row |= {"STATUS_SEMANTIC_ID": semantics, "STATUS_ID": item["stageId"]}
    else:
        row |= {
            "CATEGORY_ID": item.get("categoryId") or 0,
            "STAGE_SEMANTIC_ID": semantics,
            "STAGE_ID": item["stageId"],
        }
    world.history.add(entity_type_id, row)
