"""Makes the portal's custom fields what Ogon needs: creates the missing ones, adds missing list items.

Called by `ogon portal provision` and the demo. Safe to run again and after a crash: it looks before each field and
never changes or removes what is there; a field of another kind is told, not touched.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.bitrix24.client import PortalClient
from app.bitrix24.errors import Permanent
from app.bitrix24.lanes import Lane
from app.domain.messages import Message, message
from app.domain.snapshot import Entity
from app.pipeline.custom_fields import FAMILY, CustomField, read_custom_fields
from app.pipeline.portal_fields import FIELDED, FIELDS, Item, PortalField
from app.pipeline.reads import REFUSALS, number, together


@dataclass(frozen=True, slots=True)
class Created:
    """A field made, or the items added to one (`items` are their codes; empty for a new field)."""

    entity: Entity
    name: str
    items: tuple[str, ...] = ()

    @property
    def said(self) -> Message:
        """The same in words."""
        if self.items:
            return message(
                "{card}: values {items} added to {field}", card=_card(self.entity), items=self.items, field=self.name
            )
        return message("{card}: field {field} created", card=_card(self.entity), field=self.name)


@dataclass(frozen=True, slots=True)
class Problem:
    """A field that is not as needed; `said` says what is wrong, `mendable` whether provisioning may mend it."""

    entity: Entity
    name: str
    said: Message
    mendable: bool = True


Report = Callable[[Created | Problem], None]
"""Told of each thing as it happens, so that a long run shows progress."""


async def provision(client: PortalClient, report: Report) -> list[Created]:
    """Bring all fields of `FIELDS` into being; returns what was made, nothing on a second run.

    Problems go to `report` only. Raises `Bitrix24Error` when the fields cannot be read or the portal is away.
    """
    before = await read_fields(client)
    made: list[Created] = []
    told: set[tuple[Entity, str]] = set()
    # One after another: each new field alters a table, and a batch of them would run into the request's minute.
    for wanted in FIELDS:
        try:
            created = await _bring(client, wanted, before.get((wanted.entity, wanted.name)))
        except REFUSALS as refusal:
            report(Problem(wanted.entity, wanted.name, _refused(wanted, refusal)))
            told.add((wanted.entity, wanted.name))
            continue
        if created is not None:
            made.append(created)
            report(created)
    # The portal ignores what it does not take without a word, so what was written is read back.
    after = await read_fields(client) if made else before
    for problem in problems_of(after):
        if (problem.entity, problem.name) not in told:
            report(problem)
    return made


Fields = Mapping[tuple[Entity, str], CustomField]


async def read_fields(client: PortalClient, *, lane: Lane = Lane.NORMAL) -> Fields:
    """All custom fields of the object types that carry ours."""
    async with together() as group:
        tasks = [group.create_task(read_custom_fields(client, entity, lane=lane)) for entity in FIELDED]
    return {(field.entity, field.name): field for task in tasks for field in task.result()}


def problems_of(fields: Fields) -> list[Problem]:
    """What of `FIELDS` is missing or not as needed."""
    found = ((wanted, fields.get((wanted.entity, wanted.name))) for wanted in FIELDS)
    return [
        Problem(wanted.entity, wanted.name, said, mendable=field is None or not _other_kind(wanted, field))
        for wanted, field in found
        if (said := _wrong(wanted, field))
    ]


def missing_items(wanted: PortalField, field: CustomField) -> tuple[Item, ...]:
    """The items of `wanted` that the portal's field lacks."""
    known = set(field.codes.values())
    return tuple(item for item in wanted.items if item.code not in known)


def field_params(wanted: PortalField) -> dict[str, Any]:
    """The `fields` of `crm.*.userfield.add` (api-reference/crm/leads/userfield/crm-lead-userfield-add)."""
    label = {"ru": wanted.label.ru, "en": wanted.label.en}
    params: dict[str, Any] = {
        "FIELD_NAME": wanted.name,
        "USER_TYPE_ID": wanted.kind,
        "LABEL": wanted.label.ru,
        "EDIT_FORM_LABEL": label,
        "LIST_COLUMN_LABEL": label,
        "LIST_FILTER_LABEL": label,
        "MULTIPLE": "Y" if wanted.multiple else "N",
        "MANDATORY": "N",
        "SHOW_FILTER": "Y",
        "EDIT_IN_LIST": "Y",
        "SHOW_IN_LIST": "Y",
        "SORT": 1000 + 10 * FIELDS.index(wanted),
    }
    if settings := _settings(wanted):
        params["SETTINGS"] = settings
    if wanted.items:
        params["LIST"] = _item_params(wanted, wanted.items)
    return params


def _settings(wanted: PortalField) -> dict[str, Any]:
    match wanted.kind:
        case "double":
            return {"PRECISION": wanted.precision}
        case "crm_status":
            return {"ENTITY_TYPE": wanted.directory}
        case "boolean":
            return {"DEFAULT_VALUE": 0, "DISPLAY": "CHECKBOX"}
        case "enumeration":
            return {"DISPLAY": "LIST", "LIST_HEIGHT": max(1, len(wanted.items)) if wanted.multiple else 1}
        case "string":
            return {"ROWS": 1}
        case "date":
            return {}


async def _bring(client: PortalClient, wanted: PortalField, field: CustomField | None) -> Created | None:
    if field is None:
        await _create(client, wanted)
        return Created(wanted.entity, wanted.name)
    missing = missing_items(wanted, field)
    if not missing or _other_kind(wanted, field) or not field.id:
        return None
    await _add_items(client, wanted, field, missing)
    return Created(wanted.entity, wanted.name, tuple(item.code for item in missing))


async def _create(client: PortalClient, wanted: PortalField) -> None:
    async def look() -> int | None:
        fields = await read_custom_fields(client, wanted.entity)
        return next((field.id for field in fields if field.name == wanted.name), None)

    await client.call(f"crm.{FAMILY[wanted.entity]}.userfield.add", {"fields": field_params(wanted)}, look=look)


async def _add_items(client: PortalClient, wanted: PortalField, field: CustomField, missing: Iterable[Item]) -> None:
    """Existing items go along with their ids, so that no reading of "the list" can lose them."""
    names = ("ID", "VALUE", "SORT", "DEF", "XML_ID")
    kept = [{name: row[name] for name in names if row.get(name) not in (None, "")} for row in field.items]
    last = max((number(row.get("SORT")) for row in field.items), default=0)
    params = {"id": field.id, "fields": {"LIST": [*kept, *_item_params(wanted, missing, after=last)]}}
    await client.call(f"crm.{FAMILY[wanted.entity]}.userfield.update", params)


def _item_params(wanted: PortalField, items: Iterable[Item], *, after: int = 0) -> list[dict[str, Any]]:
    return [
        {"VALUE": item.text, "XML_ID": item.code, "SORT": after + 10 * (wanted.items.index(item) + 1), "DEF": "N"}
        for item in items
    ]


def _other_kind(wanted: PortalField, field: CustomField) -> bool:
    other_directory = field.directory is not None and wanted.directory not in (None, field.directory)
    return field.kind != wanted.kind or field.multiple != wanted.multiple or other_directory


def _wrong(wanted: PortalField, field: CustomField | None) -> Message | None:
    card = _card(wanted.entity)
    if field is None:
        return message("{card}: field {field} is missing", card=card, field=wanted.name)
    if _other_kind(wanted, field):
        return message(
            "{card}: field {field} exists but is of kind {found}, not {wanted}",
            card=card,
            field=wanted.name,
            found=_kind_said(field.kind, multiple=field.multiple, directory=field.directory),
            wanted=_kind_said(wanted.kind, multiple=wanted.multiple, directory=wanted.directory),
        )
    if missing := missing_items(wanted, field):
        codes = tuple(item.code for item in missing)
        return message("{card}: field {field} lacks the values {items}", card=card, field=wanted.name, items=codes)
    return None


def _kind_said(kind: str, *, multiple: bool, directory: object) -> str:
    return " ".join(filter(None, (kind, str(directory or ""), "(multiple)" if multiple else "")))


def _refused(wanted: PortalField, refusal: Permanent) -> Message:
    return message(
        "{card}: field {field} could not be made: {reason}",
        card=_card(wanted.entity),
        field=wanted.name,
        reason=str(refusal),
    )


def _card(entity: Entity) -> Message:
    match entity:
        case Entity.LEAD:
            return message("Lead")
        case Entity.DEAL:
            return message("Deal")
        case Entity.COMPANY:
            return message("Company")
        case Entity.CONTACT:
            return message("Contact")
