"""A real client on a real loopback connection to the emulated portal, at a fixed moment, with generous limits."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from app.bitrix24.client import PortalClient
from app.domain.snapshot import PortalDictionary
from app.pipeline.custom_fields import FAMILY
from app.pipeline.dictionary import read_dictionary
from app.pipeline.portal_fields import FIELDS
from app.pipeline.provision import field_params
from app.sandbox.portal import SandboxPortal
from app.sandbox.server import RunningSandbox, serve_in_thread

NOW = datetime(2026, 8, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with serve_in_thread(SandboxPortal(clock=lambda: NOW)) as served:
        yield served


@pytest.fixture
def portal(sandbox: RunningSandbox) -> SandboxPortal:
    return sandbox.portal


@pytest.fixture
async def client(sandbox: RunningSandbox) -> AsyncIterator[PortalClient]:
    async with PortalClient(sandbox.webhook_url) as made:
        yield made


@pytest.fixture
async def dictionary(portal: SandboxPortal, client: PortalClient) -> PortalDictionary:
    """The dictionary of a portal that has our fields."""
    for field in FIELDS:
        answer = portal.call(f"crm.{FAMILY[field.entity]}.userfield.add", {"fields": field_params(field)})
        assert answer.status == 200, answer.body
    return await read_dictionary(client)
