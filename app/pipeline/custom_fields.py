"""Reads the custom fields of one object type: names, kinds and what the items of enumerations stand for.

Called by dictionary, provision and check. `crm.*.userfield.list` names items by XML_ID
(api-reference/crm/leads/userfield/crm-lead-userfield-list); where it is refused, `crm.item.fields` still gives ids
and texts (api-reference/crm/universal/crm-item-fields).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.domain.snapshot import Entity
from app.pipeline.portal_fields import codes_by_text
from app.pipeline.reads import REFUSALS, every_row, mapping, number, rows

FAMILY: Final[Mapping[Entity, str]] = {Entity.LEAD: "lead", Entity.DEAL: "deal", Entity.COMPANY: "company"}
"""The middle of the methods' names: `crm.lead.userfield.list`."""

_MADE_BY_MACHINE: Final = re.compile(r"[0-9a-f]{32}")
"""The XML_ID that the portal gives to an item whose author gave none."""
_PREFIX: Final = "UF_"


@dataclass(frozen=True, slots=True)
class CustomField:
    """One custom field as it is in the portal.

    `codes`: code by item id, for enumerations. `items`: the portal's own rows, empty when only the fallback could
    be read; `id` is 0 then. `directory` is the reference of a crm_status field, None when not told.
    """

    entity: Entity
    name: str
    kind: str
    multiple: bool
    id: int = 0
    directory: str | None = None
    codes: Mapping[str, str] = field(default_factory=dict[str, str])
    items: tuple[Mapping[str, Any], ...] = ()


async def read_custom_fields(
    client: PortalClient, entity: Entity, *, lane: Lane = Lane.NORMAL
) -> tuple[CustomField, ...]:
    """The custom fields of leads, deals or companies, whichever way this webhook may see them."""
    method = f"crm.{FAMILY[entity]}.userfield.list"
    try:
        listed = await every_row(client, method, {}, lane=lane)
    except REFUSALS:
        params = {"entityTypeId": int(entity), "useOriginalUfNames": "Y"}
        return described_fields(entity, await client.call("crm.item.fields", params, lane=lane))
    return tuple(listed_field(entity, row) for row in listed)


def listed_field(entity: Entity, row: Mapping[str, Any]) -> CustomField:
    """From a row of `crm.*.userfield.list`."""
    name = str(row.get("FIELD_NAME") or "")
    items = tuple(rows(row.get("LIST")))
    return CustomField(
        entity=entity,
        name=name,
        kind=str(row.get("USER_TYPE_ID") or ""),
        multiple=row.get("MULTIPLE") == "Y",
        id=number(row.get("ID")),
        directory=mapping(row.get("SETTINGS")).get("ENTITY_TYPE"),
        codes=_codes(entity, name, items),
        items=items,
    )


def described_fields(entity: Entity, described: object) -> tuple[CustomField, ...]:
    """From the answer of `crm.item.fields`, custom fields only."""
    fields = mapping(mapping(described).get("fields"))
    return tuple(
        CustomField(
            entity=entity,
            name=name,
            kind=str(told.get("type") or ""),
            multiple=bool(told.get("isMultiple")),
            directory=told.get("statusType") or mapping(told.get("settings")).get("ENTITY_TYPE"),
            codes=_codes(entity, name, rows(told.get("items"))),
        )
        for key, told in ((key, mapping(value)) for key, value in fields.items())
        if (name := str(told.get("upperName") or key)).startswith(_PREFIX)
    )


def _codes(entity: Entity, name: str, items: tuple[Mapping[str, Any], ...] | list[Mapping[str, Any]]) -> dict[str, str]:
    ours = codes_by_text(entity, name)
    return {str(item.get("ID")): _code(item, ours) for item in items if item.get("ID")}


def _code(item: Mapping[str, Any], ours: Mapping[str, str]) -> str:
    external = str(item.get("XML_ID") or "")
    if external and not _MADE_BY_MACHINE.fullmatch(external):
        return external
    text = str(item.get("VALUE") or "")
    return ours.get(text, text)
