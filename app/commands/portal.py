"""`ogon portal add|list|check|provision`: the Bitrix24 accounts we serve."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from rich.markup import escape
from rich.table import Table

from app.commands.console import fail, language, operator, out, read_settings, run
from app.domain.ruleset_checks.routes import routes_of
from app.pipeline.check import Check, Mark, check
from app.pipeline.connections import Connection, Connections
from app.pipeline.provision import Created, Problem, provision
from app.serve import prepared_database
from app.settings import Settings
from app.store import audit, portals
from app.store.database import Database, WriteSession
from app.store.rules_in_force import ensure_first_version
from app.store.secret_box import secret_box
from app.web.admission import robot_path
from app.web.keys import signing_secret

commands = typer.Typer(no_args_is_help=True, help="The Bitrix24 portals that are served.")

_MARKS = {Mark.OK: "[green]✓[/]", Mark.WARNING: "[yellow]![/]", Mark.PROBLEM: "[red]✗[/]"}
_Which = Annotated[str | None, typer.Argument(help="Number, domain or name; may be left out when there is only one.")]


@commands.command("add")
def add(
    webhook_url: Annotated[str, typer.Option(prompt="Incoming webhook URL", hide_input=True)],
    application_token: Annotated[
        str, typer.Option(prompt="Application token(s) of the outgoing webhooks", hide_input=True)
    ],
    name: Annotated[str | None, typer.Option(help="What to call the portal; its domain if left out.")] = None,
) -> None:
    """Add a portal. The secrets are asked for, so that they stay out of the shell's history."""
    settings = read_settings()
    tokens = [SecretStr(token.strip()) for token in application_token.split(",") if token.strip()]

    async def work() -> portals.Portal:
        async with prepared_database(settings) as database, database.writing() as session:
            portal = await portals.add(
                session,
                secret_box(settings),
                webhook=SecretStr(webhook_url),
                application_tokens=tokens,
                name=name,
                language=settings.ui_language,
            )
            await ensure_first_version(session, portal.id)
            await _note(session, "portal.added", portal, {"name": portal.name})
            return portal

    try:
        portal = run(work())
    except ValueError as error:
        fail(f"The webhook URL was not taken: {error}.")
    out.print(f"Portal {portal.id} ({portal.domain}) is added. Next: ogon portal provision {portal.id}")


@commands.command("list")
def list_(
    robots: Annotated[
        bool, typer.Option("--robots", help="Also show the secret address for automation rules.")
    ] = False,
) -> None:
    """List the portals."""
    settings = read_settings()

    async def work() -> list[portals.Portal]:
        async with prepared_database(settings) as database, database.reading() as session:
            return await portals.list_portals(session)

    known = run(work())
    table = Table("No.", "Name", "Domain", "Heard from", "Limit", "State")
    for portal in known:
        table.add_row(
            str(portal.id),
            portal.name,
            portal.domain,
            "yes" if portal.member_id else "not yet",
            f"{portal.requests_per_second:g}/s, burst {portal.burst}",
            _state(portal),
        )
    out.print(table)
    if robots:
        # The calls of automation rules carry no token: the address itself is the secret.
        base = settings.public_url or f"http://{settings.host}:{settings.port}"
        for portal in known:
            out.print(f"{portal.id}: {base}{robot_path(signing_secret(settings), portal.id)}", soft_wrap=True)


def _state(portal: portals.Portal) -> str:
    if not portal.enabled:
        return "off"
    if portal.trouble is None or portal.trouble_since is None:
        return "on"
    return f"refuses us since {portal.trouble_since:%Y-%m-%d %H:%M} UTC: {escape(portal.trouble)}"


@commands.command("check")
def check_(which: _Which = None) -> None:
    """Say in plain words what the portal lacks; exit code 1 if something must be mended."""
    settings = read_settings()
    say = language(settings).say

    async def work() -> list[Check]:
        async with _connected(settings, which) as (_, connection):
            routes = routes_of(await connection.ruleset()).values()
            pipelines = sorted({route.pipeline for route in routes if route.pipeline is not None})
            return await check(connection.client, pipelines=pipelines)

    checks = run(work())
    table = Table.grid(padding=(0, 1))
    for item in checks:
        table.add_row(_MARKS[item.mark], say(item.said))
    out.print(table)
    if any(item.mark is Mark.PROBLEM for item in checks):
        raise typer.Exit(1)


@commands.command("provision")
def provision_(which: _Which = None) -> None:
    """Create the custom fields that are missing; running it again changes nothing."""
    settings = read_settings()
    say = language(settings).say
    problems: list[Problem] = []

    def report(done: Created | Problem) -> None:
        if isinstance(done, Problem):
            problems.append(done)
        mark = Mark.PROBLEM if isinstance(done, Problem) else Mark.OK
        out.print(_MARKS[mark], say(done.said), highlight=False)

    async def work() -> list[Created]:
        async with _connected(settings, which) as (database, connection):
            made = await provision(connection.client, report)
            if made:
                fields = [f"{one.entity}.{one.name}" for one in made]
                async with database.writing() as session:
                    await _note(session, "portal.provisioned", connection.portal, {"fields": fields})
            return made

    made = run(work())
    if not made and not problems:
        out.print(_MARKS[Mark.OK], language(settings).gettext("All fields are there already."))
    if problems:
        raise typer.Exit(1)


@asynccontextmanager
async def _connected(settings: Settings, which: str | None) -> AsyncGenerator[tuple[Database, Connection]]:
    """The portal with its client on the bucket that a running service shares, so that neither provokes a refusal."""
    async with (
        prepared_database(settings) as database,
        Connections(database, secret_box(settings), clock=lambda: datetime.now(UTC)) as connections,  # noqa: TID251
    ):
        yield database, await connections.only(which)


async def _note(session: WriteSession, what: str, portal: portals.Portal, detail: Mapping[str, Any]) -> None:
    await audit.note(session, who=operator(), what=what, subject=portal.domain, detail=detail, portal_id=portal.id)
