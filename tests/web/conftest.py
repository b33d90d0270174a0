"""A web app on a real database, with one portal, asked over its ASGI interface."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr
from web_delivery import DOMAIN, MEMBER, OTHER_TOKEN, TOKEN

from app.main import create_app
from app.settings import Settings
from app.store import portals
from app.store.database import Database
from app.store.portals import Portal
from app.store.secret_box import secret_box

ADMIN = "admin-token-of-the-tests"
WEBHOOK_CODE = "webhookcode0001"


@pytest.fixture
def web_settings(settings_with_database: Settings) -> Settings:
    return settings_with_database.model_copy(
        update={
            "admin_token": SecretStr(ADMIN),
            "secret_key": SecretStr("a secret key of the tests"),
            "ui_language": "en",
        }
    )


@pytest.fixture
async def portal(database: Database, web_settings: Settings) -> Portal:
    async with database.writing() as session:
        return await portals.add(
            session,
            secret_box(web_settings),
            webhook=SecretStr(f"https://{DOMAIN}/rest/1/{WEBHOOK_CODE}/"),
            application_tokens=[SecretStr(TOKEN), SecretStr(OTHER_TOKEN)],
            member_id=MEMBER,
        )


@pytest.fixture
async def app(database: Database, web_settings: Settings, portal: Portal):
    app = create_app(web_settings, database)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("203.0.113.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url="https://ogon.example") as client:
        yield client
