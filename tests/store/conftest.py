"""What most store tests need: a portal to hang rows on, and a box for its secrets."""

import pytest
from pydantic import SecretStr

from app.store import portals
from app.store.cards import CardKey
from app.store.secret_box import SecretBox

WEBHOOK = SecretStr("https://acme.bitrix24.ru/rest/7/wh3bh00kc0de/")


@pytest.fixture
def box() -> SecretBox:
    return SecretBox(SecretStr("a key for tests, long enough"))


@pytest.fixture
async def portal(database, box):
    async with database.writing() as session:
        return await portals.add(session, box, webhook=WEBHOOK, application_tokens=[SecretStr("app-t0ken")])


@pytest.fixture
def lead(portal) -> CardKey:
    return CardKey(portal.id, 1, 17)


@pytest.fixture
def portal_id(portal) -> int:
    return portal.id
