"""`ogon pools list|set|close`: who shares out which cards."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rich.table import Table

from app.commands.console import fail, language, operator, out, read_settings, run
from app.commands.which_portal import only_portal
from app.domain.messages import Say, message
from app.domain.snapshot import Entity
from app.serve import prepared_database
from app.settings import Settings
from app.store import people, pool_check, pools
from app.store.database import WriteSession
from app.store.pool_document import PoolDocument
from app.store.pools import KeptPool, WantedPool

commands = typer.Typer(no_args_is_help=True, help="Pools: people who share out new leads or deals in equal parts.")

_Portal = Annotated[int | None, typer.Option(help="Number of the portal; may be left out when there is only one.")]
_ENTITIES = {"lead": Entity.LEAD, "deal": Entity.DEAL}


class _Written(PoolDocument):
    """One pool of a file."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["lead", "deal"]
    name: str = Field(min_length=1, max_length=100)
    position: int | None = Field(default=None, ge=0, le=10_000)

    @property
    def wanted(self) -> WantedPool:
        document = PoolDocument(**{name: getattr(self, name) for name in PoolDocument.model_fields})
        return WantedPool(name=self.name, document=document, position=self.position)


class _File(BaseModel):
    """A file of pools."""

    model_config = ConfigDict(extra="forbid")

    pools: list[_Written] = Field(min_length=1)


@commands.command("list")
def list_(portal: _Portal = None) -> None:
    """List open pools in the order in which they are asked, with what each member had."""
    settings = read_settings()
    texts = language(settings)
    known, named = run(_live(settings, portal))
    table = Table("No.", texts.gettext("Cards"), texts.gettext("Pool"), texts.gettext("Members"), texts.gettext("Set"))
    for one in known:
        turns = one.standing
        members = [
            f"{named.get(member.user, member.user)}: {float(turns.of(member.user)):g}" for member in one.pool.members
        ]
        kind = Entity(one.entity_type_id).name.lower()
        set_ = f"{one.set_at.astimezone(UTC):%Y-%m-%d %H:%M} {one.set_by}"
        table.add_row(str(one.id), kind, one.name, "\n".join(members), set_)
    out.print(table, markup=False)


@commands.command("set")
def set_(
    file: Annotated[
        Path, typer.Option("--file", help="YAML or JSON with a list `pools`; each has type, name, members, takes…")
    ],
    portal: _Portal = None,
) -> None:
    """Open or change pools from a file, all or none; those of the same name are changed, others are left alone."""
    settings = read_settings()
    say = language(settings).say
    written = _read(file)

    async def work() -> list[KeptPool]:
        async with prepared_database(settings) as database, database.writing() as session:
            portal_id = await only_portal(session, portal)
            return [await _set(session, portal_id, number, one, say) for number, one in enumerate(written.pools)]

    for one in run(work()):
        out.print(say(message("Pool {id} “{name}” is set.", id=str(one.id), name=one.name)), markup=False)


@commands.command("close")
def close(
    pool: Annotated[int, typer.Argument(help="Number of the pool, see `ogon pools list`.")], portal: _Portal = None
) -> None:
    """Share out nothing more by this pool; cards stay with whom they are."""
    settings = read_settings()

    async def work() -> KeptPool:
        async with prepared_database(settings) as database, database.writing() as session:
            portal_id = await only_portal(session, portal)
            return await pools.close(session, portal_id, pool, by=operator(), at=_now())

    closed = run(work())
    said = message("Pool {id} “{name}” shares out nothing more.", id=str(closed.id), name=closed.name)
    out.print(language(settings).say(said), markup=False)


async def _live(settings: Settings, portal: int | None) -> tuple[list[KeptPool], Mapping[int, str]]:
    async with prepared_database(settings) as database, database.reading() as session:
        portal_id = await only_portal(session, portal)
        named = {user: one.name for user, one in (await people.people(session, portal_id)).items()}
        return await pools.live(session, portal_id), named


async def _set(session: WriteSession, portal_id: int, number: int, written: _Written, say: Say) -> KeptPool:
    entity = _ENTITIES[written.type]
    for fault in await pool_check.faults(session, portal_id, entity, written.wanted.document):
        fail(f"pools.{number}.{fault.path}: {say(fault.said)}")
    known = await pools.live(session, portal_id)
    same = next((one for one in known if (one.entity_type_id, one.name) == (entity, written.name)), None)
    if same is None:
        return await pools.add(session, portal_id, entity, written.wanted, by=operator(), at=_now())
    return await pools.change(session, portal_id, same.id, written.wanted, by=operator(), at=_now())


def _read(file: Path) -> _File:
    try:
        text = file.read_text(encoding="utf-8")
        document: Any = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
        return _File.model_validate(document)
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        if isinstance(error, ValidationError):
            wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5])
            fail(f"The file is no list of pools: {wrong}.")
        fail(f"The file cannot be read: {error}.")


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a root reads the clock and hands it down
