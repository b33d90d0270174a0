"""Reads what a portal calls things: stages, enumerations, currencies, industries, sources, its clock's zone.

Called by `connections.py` hourly and on an unknown code, with `team_reading.py`. Must not judge anything.
What an optional scope hides (currencies) is left out; what every judgement needs (stages, the
integration's own user) is an error.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.domain.snapshot import Entity, PortalDictionary, Semantics, Stage
from app.errors import OgonError
from app.pipeline.custom_fields import CustomField, read_custom_fields
from app.pipeline.portal_fields import FIELDED
from app.pipeline.reads import every_row, mapping, number, optional, rows, together

ROUBLE: Final = "RUB"
INDUSTRY: Final = "INDUSTRY"
SOURCE: Final = "SOURCE"
_LEAD_STAGES: Final = "STATUS"
_DEAL_STAGES: Final = "DEAL_STAGE"
_QUOTE_STAGES: Final = "QUOTE_STATUS"
_INVOICE_STAGES: Final = "SMART_INVOICE_STAGE_"
_SEMANTICS: Final[Mapping[str, Semantics]] = {
    "S": "success",
    "F": "failure",
    "success": "success",
    "failure": "failure",
    "apology": "failure",
}


class OwnerInactive(OgonError):  # noqa: N818 - says what is the case
    """The webhook's owner is dismissed: the portal no longer says who we are."""

    def __init__(self) -> None:
        super().__init__("The webhook's owner is not an active user. Make a webhook as a user who works in the portal.")


async def read_dictionary(client: PortalClient, *, lane: Lane = Lane.NORMAL) -> PortalDictionary:
    """The whole dictionary but the heads in one round of reads, further pages apart.

    Raises `OwnerInactive`, and `Bitrix24Error` when statuses or fields cannot be read at all.
    """
    async with together() as group:
        profile = group.create_task(client.answer("profile", {}, lane=lane))
        clock = group.create_task(optional(client.call("server.time", {}, lane=lane)))
        statuses = group.create_task(read_statuses(client, lane=lane))
        currencies = group.create_task(optional(read_currencies(client, lane=lane)))
        pipelines = group.create_task(
            optional(client.call("crm.category.list", {"entityTypeId": int(Entity.DEAL)}, lane=lane))
        )
        fields = [group.create_task(read_custom_fields(client, entity, lane=lane)) for entity in FIELDED]
    owner = number(mapping(profile.result().result).get("ID"))
    if not owner:
        raise OwnerInactive
    custom = [field for task in fields for field in task.result()]
    return PortalDictionary(
        integration_user_id=owner,
        zone=zone_of(str(clock.result() or profile.result().time.date_start)),
        stages=stages_of(statuses.result()),
        enumerations=enumerations_of(custom),
        fields=frozenset((field.entity, field.name) for field in custom),
        rates=rates_of(currencies.result() or []),
        industries=names_of(statuses.result(), INDUSTRY),
        sources=names_of(statuses.result(), SOURCE),
        paper_stages=paper_stages_of(statuses.result()),
        pipelines=pipelines_of(rows(pipelines.result(), "categories")),
    )


def pipelines_of(categories: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Names of the pipelines of deals by number (api-reference/crm/universal/category/crm-category-list)."""
    return {number(row.get("id")): str(row["name"]) for row in categories if row.get("name")}


async def read_statuses(client: PortalClient, *, lane: Lane = Lane.NORMAL) -> list[Mapping[str, Any]]:
    """All directory items, the stages of every pipeline among them (api-reference/crm/status/crm-status-list)."""
    return await every_row(client, "crm.status.list", {"order": {"ID": "ASC"}}, lane=lane)


async def read_currencies(client: PortalClient, *, lane: Lane = Lane.NORMAL) -> list[Mapping[str, Any]]:
    """All currencies; the answer's `total` is always 0 (api-reference/crm/currency/crm-currency-list)."""
    return await every_row(client, "crm.currency.list", {}, lane=lane)


def stages_of(statuses: Iterable[Mapping[str, Any]]) -> tuple[Stage, ...]:
    """Stages of leads and deals among all directory items, in the portal's order."""
    found = (_stage(row) for row in statuses)
    return tuple(sorted((stage for stage in found if stage), key=lambda s: (s.entity, s.pipeline, s.sort)))


def paper_stages_of(statuses: Iterable[Mapping[str, Any]]) -> dict[str, Semantics]:
    """What stages of quotes and smart invoices mean, by code; invoices' codes name their pipeline."""
    return {
        str(row.get("STATUS_ID") or ""): _semantics(row)
        for row in statuses
        if str(row.get("ENTITY_ID")) == _QUOTE_STAGES or str(row.get("ENTITY_ID")).startswith(_INVOICE_STAGES)
    }


def names_of(statuses: Iterable[Mapping[str, Any]], directory: str) -> dict[str, str]:
    """Names of a directory's items by code: of industries, of sources."""
    return {str(row["STATUS_ID"]): str(row.get("NAME") or "") for row in statuses if row.get("ENTITY_ID") == directory}


def enumerations_of(fields: Iterable[CustomField]) -> dict[tuple[Entity, str], Mapping[str, str]]:
    """Codes by item id, for each custom enumeration."""
    return {(field.entity, field.name): field.codes for field in fields if field.kind == "enumeration"}


def rates_of(currencies: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
    """Roubles for one unit of each currency with a rate.

    The portal gives AMOUNT units of its base currency, which need not be the rouble, for AMOUNT_CNT units
    (api-reference/crm/data-types#crm_currency). A rouble is a rouble on every portal.
    """
    in_base: dict[str, Decimal] = {}
    # The base goes last: it is 1 whatever another row under the same code says.
    for row in sorted(currencies, key=lambda row: row.get("BASE") == "Y"):
        rate = Decimal(1) if row.get("BASE") == "Y" else _ratio(row.get("AMOUNT"), row.get("AMOUNT_CNT"))
        if rate is not None:
            in_base[str(row.get("CURRENCY") or "")] = rate
    rouble = in_base.get(ROUBLE)
    rates = {code: rate / rouble for code, rate in in_base.items() if code} if rouble else {}
    return {**rates, ROUBLE: Decimal(1)}


def zone_of(server_time: str) -> tzinfo:
    """The portal's zone from `server.time`, a fixed offset (api-reference/common/system/server-time); else UTC."""
    try:
        offset = datetime.fromisoformat(server_time).utcoffset()
    except ValueError:
        return UTC
    return timezone(offset) if offset else UTC


def _stage(row: Mapping[str, Any]) -> Stage | None:
    list_id = str(row.get("ENTITY_ID") or "")
    base, _, tail = list_id.rpartition("_")
    if list_id == _LEAD_STAGES:
        entity, pipeline = Entity.LEAD, 0
    elif list_id == _DEAL_STAGES:
        entity, pipeline = Entity.DEAL, 0
    elif base == _DEAL_STAGES and tail.isdigit():
        entity, pipeline = Entity.DEAL, int(tail)
    else:
        return None
    return Stage(
        entity=entity,
        pipeline=pipeline,
        code=str(row.get("STATUS_ID") or ""),
        name=str(row.get("NAME") or ""),
        sort=number(row.get("SORT")),
        semantics=_semantics(row),
        # EXTRA alone tells an analysed failure from a plain one.
        apology=_extra(row) == "apology",
    )


def _semantics(row: Mapping[str, Any]) -> Semantics:
    """SEMANTICS is null for work in progress, and missing where only EXTRA tells."""
    return _SEMANTICS.get(str(row.get("SEMANTICS") or _extra(row)), "process")


def _extra(row: Mapping[str, Any]) -> str:
    return str(mapping(row.get("EXTRA")).get("SEMANTICS") or "")


def _ratio(amount: object, count: object) -> Decimal | None:
    try:
        rate = Decimal(str(amount)) / Decimal(str(count or 1))
    except (InvalidOperation, ZeroDivisionError):
        return None
    return rate if rate.is_finite() and rate > 0 else None
