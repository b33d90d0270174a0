"""Long lists of the portal by id, whatever the method calls its parameters; read by the sweep and the backfill.

Call statistics take `FILTER`, and how they are sorted as two words instead of a map (docs:
telephony/voximplant/voximplant-statistic-get); all else is as other lists.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.bitrix24.protocol import items_of
from app.bitrix24.walk import Row, Walk

CALLS: Final = "voximplant.statistic.get"


def walk(
    client: PortalClient, method: str, params: Mapping[str, Any], *, lane: Lane, id_name: str, few: bool = False
) -> AsyncIterator[Row]:
    """Every row, ids ascending; as `PortalClient.walk`. `few` as `Walk` has it. Raises Bitrix24Error."""

    async def read(question: Mapping[str, Any]) -> Any:
        return await client.call(method, _as_asked(method, question), lane=lane)

    return Walk(read, method, params, id_name, few).rows()


async def last_id(client: PortalClient, method: str, params: Mapping[str, Any], *, lane: Lane, id_name: str) -> int:
    """The highest id of the list, 0 when it is empty; in one page without counting. Raises Bitrix24Error."""
    question = {**params, "order": {id_name: "DESC"}, "start": -1}
    page = items_of(await client.call(method, _as_asked(method, question), lane=lane))
    return max((int(row["id"] if "id" in row else row["ID"]) for row in page), default=0)


def _as_asked(method: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
    if method != CALLS:
        return question
    (column, direction), *_ = question["order"].items()
    rest = {name: value for name, value in question.items() if name not in {"filter", "order"}}
    return {**rest, "FILTER": question.get("filter") or {}, "SORT": column, "ORDER": direction}
