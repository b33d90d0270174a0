"""Virtual time for the client's tests: minutes of a portal's life in a blink."""

import asyncio

import pytest
from portal_model import URL, Portal, VirtualLoop

from app.bitrix24.client import PortalClient


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture
async def portal():
    return Portal()


@pytest.fixture
async def connect(portal):
    """Makes clients of the portal whose clock is the virtual one; closes them at the end."""
    made = []

    def make(**given):
        loop = asyncio.get_running_loop()
        client = PortalClient(URL, transport=portal.transport(), clock=loop.time, wall=loop.time, **given)
        made.append(client)
        return client

    yield make
    for client in made:
        await client.aclose()
