"""A write of what people set, too, that had to wait for long: another look comes first, and people win."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from app.bitrix24.client import Lane, PortalClient
from app.domain.actions import Action, AssignItem, MoveItem
from app.domain.snapshot import Entity
from app.pipeline.apply import FRESH_SECONDS, Applied, CardMoved, Sight, apply
from app.sandbox.limits import Limits
from app.sandbox.portal import SandboxPortal
from app.sandbox.server import serve_in_thread
from tests.story.office import LEAD, Office

pytestmark = pytest.mark.anyio
_NOW = datetime(2026, 8, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
async def portal() -> AsyncIterator[tuple[Office, PortalClient]]:
    office = Office(SandboxPortal(limits=Limits(enforced=False, cost=0.0)))
    with serve_in_thread(office.portal) as served:
        async with PortalClient(served.webhook_url, requests_per_second=50, burst=1000) as client:
            yield office, client


async def _written(client: PortalClient, action: Action, seen: object, *, late: bool) -> Applied:
    async def between(_finished: Sequence[object], _starting: Sequence[str]) -> None: ...

    age = timedelta(seconds=FRESH_SECONDS + 1 if late else 1)
    assert isinstance(seen, dict)
    sight = Sight(seen, _NOW - age, lambda: _NOW)
    return await apply(client, [action], between=between, lane=Lane.NORMAL, sight=sight)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("moved", [False, True])
async def test_a_late_move_is_not_made_by_an_old_reading(
    portal: tuple[Office, PortalClient], late: bool, moved: bool
) -> None:
    office, client = portal
    lead = office.add(LEAD, title="x")
    seen = dict(await client.load(LEAD, lead))
    if moved:
        office.edit(LEAD, lead, stageId="IN_PROCESS")
    applied = await _written(client, MoveItem("k", Entity.LEAD, lead, "JUNK"), seen, late=late)
    held = late and moved
    assert isinstance(applied.error, CardMoved) if held else applied.error is None
    assert office.lead(lead)["stageId"] == ("IN_PROCESS" if held else "JUNK")


@pytest.mark.parametrize("given", [False, True])
async def test_a_late_assignment_leaves_a_card_with_whom_a_person_gave_it_to(
    portal: tuple[Office, PortalClient], given: bool
) -> None:
    office, client = portal
    lead = office.add(LEAD, title="x")
    seen = dict(await client.load(LEAD, lead))
    office.edit(LEAD, lead, stageId="IN_PROCESS")  # not what this write is about
    if given:
        office.edit(LEAD, lead, assignedById=13)
    applied = await _written(client, AssignItem("k", Entity.LEAD, lead, 12), seen, late=True)
    assert isinstance(applied.error, CardMoved) is given
    assert office.lead(lead)["assignedById"] == (13 if given else 12)
