"""A real client on a real loopback connection to the emulated portal, at a fixed moment, with generous limits."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from app.bitrix24.client import PortalClient
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
