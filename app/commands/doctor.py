"""`ogon doctor`: what keeps this installation from working, in plain words, before anybody reads a log."""

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import typer
from pydantic import SecretStr
from rich.table import Table

from app.bitrix24.client import PortalClient
from app.bitrix24.errors import Bitrix24Error
from app.commands.console import out, read_settings, run
from app.serve import prepared_database
from app.settings import Settings
from app.store import journal, portals
from app.store.database import Database
from app.store.secret_box import secret_box

_LEAST_FREE = 1 << 30
_LONGEST_WAIT = timedelta(minutes=2)
_Line = tuple[bool, str]


def doctor() -> None:
    """Look over the settings, the database, the queue and the way to each portal; exit code 1 if something is wrong."""
    settings = read_settings()

    async def work() -> list[_Line]:
        return [line async for line in _examine(settings)]

    lines = run(work())
    table = Table.grid(padding=(0, 1))
    for good, said in lines:
        table.add_row("[green]✓[/]" if good else "[red]✗[/]", said)
    out.print(table)
    if not all(good for good, _ in lines):
        raise typer.Exit(1)


async def _examine(settings: Settings) -> AsyncIterator[_Line]:
    yield _told(
        settings.admin_token,
        "ADMIN_TOKEN is set",
        "ADMIN_TOKEN is not set: only named tokens open the API and the pages",
    )
    yield (
        (True, f"Bitrix24 reaches this service at {settings.public_url}")
        if settings.public_url
        else (False, "PUBLIC_URL is not set: links on cards and in messages cannot be made")
    )
    free = shutil.disk_usage(settings.data_dir if settings.data_dir.exists() else settings.data_dir.parent).free
    yield free > _LEAST_FREE, f"{free / (1 << 30):.1f} GiB free where the data is kept"
    async with prepared_database(settings) as database:
        yield True, "The database answers and is up to date"
        yield await _queue(database)
        async for line in _portals(settings, database):
            yield line


async def _queue(database: Database) -> _Line:
    async with database.reading() as session:
        waiting = await journal.backlog(session)
    if waiting.oldest is None or datetime.now(UTC) - waiting.oldest < _LONGEST_WAIT:  # noqa: TID251 - a root
        return True, f"{waiting.waiting} hints wait for a worker"
    return False, f"{waiting.waiting} hints wait since {waiting.oldest:%Y-%m-%d %H:%M} UTC: is a worker running?"


async def _portals(settings: Settings, database: Database) -> AsyncIterator[_Line]:
    async with database.reading() as session:
        known = await portals.list_with_secrets(session, secret_box(settings))
    yield bool(known), f"{len(known)} portals" if known else "There is no portal yet: run `ogon portal add`"
    for portal, secrets in known:
        try:
            async with PortalClient(secrets.webhook_url.get_secret_value()) as client:
                await client.call("profile")
            yield True, f"{portal.domain} answers"
        except Bitrix24Error as error:
            yield False, f"{portal.domain}: {error}"
        if portal.trouble is not None and portal.trouble_since is not None:
            yield (
                False,
                f"{portal.domain} took no call since {portal.trouble_since:%Y-%m-%d %H:%M} UTC: {portal.trouble}",
            )
        if portal.member_id is None:
            yield False, f"{portal.domain} has not sent an event yet: check its outgoing webhook"


def _told(secret: SecretStr | None, there: str, missing: str) -> _Line:
    return (True, there) if secret else (False, missing)
