"""`ogon token create|list|revoke|link`: who may use the API and the pages."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.table import Table

from app.commands.console import err, fail, operator, out, read_settings, run
from app.commands.which_portal import WhichPortal, only_portal
from app.serve import prepared_database
from app.settings import Settings
from app.store import tokens
from app.store.tokens import Token, TokenUnknown
from app.web.keys import signing_secret
from app.web.sessions import CONSOLE, login_ticket

commands = typer.Typer(no_args_is_help=True, help="Who may use the API and the pages, and in which role.")


class RoleChoice(StrEnum):
    """viewer reads; head also acts on single cards; admin may everything."""

    viewer = "viewer"
    head = "head"
    admin = "admin"


_Name = Annotated[str, typer.Argument(help="What the token is called.")]


@commands.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who or what will use it, e.g. 'head of sales'.")],
    role: Annotated[
        RoleChoice, typer.Option(help="viewer reads; head also acts on single cards; admin may everything.")
    ],
    days: Annotated[
        int | None, typer.Option(min=1, max=tokens.MOST_DAYS, help="After so many days it ends by itself.")
    ] = None,
    person: Annotated[
        int | None, typer.Option(min=1, help="Whose it is, by his id in the portal: he may switch his own digests.")
    ] = None,
    portal: WhichPortal = None,
) -> None:
    """Make a token and print it, this once: only a hash of it is kept."""
    settings = read_settings()
    expires_at = _now() + timedelta(days=days) if days is not None else None

    async def work() -> SecretStr:
        async with prepared_database(settings) as database, database.writing() as session:
            whose = (await only_portal(session, portal), person) if person is not None else None
            _, secret = await tokens.create(
                session, name=name, role=role.value, by=operator(), expires_at=expires_at, person=whose
            )
            return secret

    try:
        secret = run(work())
    except ValueError as error:
        fail(f"The name was not taken: {error}.")
    err.print("Copy the token now, it is not shown again. Send it as `Authorization: Bearer <token>`:", markup=False)
    out.print(secret.get_secret_value(), soft_wrap=True, highlight=False, markup=False)


@commands.command("list")
def list_(
    revoked: Annotated[bool, typer.Option("--revoked", help="Revoked ones too.")] = False,
) -> None:
    """List the tokens."""
    settings = read_settings()

    async def work() -> list[Token]:
        async with prepared_database(settings) as database, database.reading() as session:
            return await tokens.list_tokens(session, revoked_too=revoked)

    table = Table("No.", "Name", "Role", "Made", "By", "Ends", "Last used")
    now = _now()
    for token in run(work()):
        table.add_row(
            str(token.id),
            token.name,
            token.role,
            _minute(token.created_at),
            token.created_by,
            _end(token, now),
            _minute(token.last_used_at) if token.last_used_at else "never",
        )
    out.print(table)


@commands.command("revoke")
def revoke(name: _Name) -> None:
    """End a token at once, with all sessions that were opened with it."""
    settings = read_settings()

    async def work() -> None:
        async with prepared_database(settings) as database, database.writing() as session:
            await tokens.revoke(session, name, by=operator())

    run(work())
    out.print(f"The token {name} opens nothing any more.", markup=False)


@commands.command("link")
def link(
    name: Annotated[str | None, typer.Argument(help="Whose pages; an administrator's if left out.")] = None,
) -> None:
    """Print a link that signs a browser in; good once and for ten minutes."""
    settings = read_settings()
    subject = run(_number_of(settings, name)) if name is not None else CONSOLE
    ticket = login_ticket(signing_secret(settings), now=int(_now().timestamp()), subject=subject)
    base = settings.public_url or f"http://{settings.host}:{settings.port}"
    out.print(f"{base}/login?ticket={ticket}", soft_wrap=True, highlight=False, markup=False)


async def _number_of(settings: Settings, name: str) -> str:
    async with prepared_database(settings) as database, database.reading() as session:
        known = await tokens.list_tokens(session)
    found = next((token for token in known if token.name == name and token.is_live(_now())), None)
    if found is None:
        raise TokenUnknown(f"There is no token {name} in use: see `ogon token list`.")
    return str(found.id)


def _end(token: Token, now: datetime) -> str:
    if token.revoked_at is not None:
        return f"revoked {_minute(token.revoked_at)} by {token.revoked_by}"
    if token.expires_at is None:
        return "never"
    return _minute(token.expires_at) if token.is_live(now) else f"expired {_minute(token.expires_at)}"


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a root reads the clock and hands it down
