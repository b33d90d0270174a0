"""`ogon team digest list|set|preview`: who gets digests, and what one would say now."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from app.commands.console import fail, language, operator, out, read_settings, run
from app.commands.which_portal import WhichPortal, only_portal
from app.domain.digest import Kind, Led, Pages, Switch, about, text
from app.domain.messages import Message, message
from app.pipeline.digest_figures import gather
from app.serve import prepared_database
from app.store import calendar, digests, portals, team
from app.store.digests import Reader, Sent
from app.texts import Catalogue, catalogue

commands = typer.Typer(no_args_is_help=True, help="Daily and weekly summaries to heads: who gets them, what they say.")

_Person = Annotated[int, typer.Argument(min=1, help="The person's id in the portal, see `ogon team`.")]


@commands.command("list")
def list_(portal: WhichPortal = None) -> None:
    """List everybody who gets digests or leads people, and how the last ones went."""
    settings = read_settings()
    texts = language(settings)

    async def work() -> Table:
        async with prepared_database(settings) as database, database.reading() as session:
            portal_id = await only_portal(session, portal)
            newest = await digests.newest(session, portal_id)
            heads: tuple[Message, ...] = (
                message("Number"),
                message("Person"),
                message("About"),
                message("Daily"),
                message("Weekly"),
            )
            table = Table(*map(texts.say, heads))
            for one in await digests.readers(session, portal_id):
                if one.kinds or one.heads or one.switch != Switch():
                    user = one.person.user_id
                    told = [_state(one, kind, newest.get((user, kind.value)), texts) for kind in Kind]
                    table.add_row(str(user), one.person.name, ", ".join(_called(one, texts)), *told)
            return table

    out.print(run(work()), markup=False)
    if settings.digest_at is None or settings.mode != "live":
        out.print(texts.say(message("Nothing is sent: DIGEST_AT is off, or MODE is shadow.")), markup=False)


@commands.command("set")
def set_(
    person: _Person,
    daily: Annotated[bool | None, typer.Option("--daily/--no-daily", help="As it is if left out.")] = None,
    weekly: Annotated[bool | None, typer.Option("--weekly/--no-weekly", help="As it is if left out.")] = None,
    default: Annotated[
        bool, typer.Option("--default", help="Forget what was chosen: on for who leads people, off for others.")
    ] = False,
    portal: WhichPortal = None,
) -> None:
    """Switch a person's digests on or off."""
    settings = read_settings()
    texts = language(settings)

    async def work() -> Reader:
        async with prepared_database(settings) as database, database.writing() as session:
            portal_id = await only_portal(session, portal)
            before = _found(await digests.readers(session, portal_id), person, texts).switch
            wanted = Switch()
            if not default:
                wanted = Switch(
                    daily=before.daily if daily is None else daily, weekly=before.weekly if weekly is None else weekly
                )
            await digests.switch(session, portal_id, person, wanted, who=operator(), now=_now())
            return _found(await digests.readers(session, portal_id), person, texts)

    now_gets = run(work())
    on = [_KINDS[kind] for kind in now_gets.kinds]
    said = message("{name} gets: {kinds}.", name=now_gets.person.name, kinds=tuple(on) or message("no digests"))
    out.print(texts.say(said), markup=False)


@commands.command("preview")
def preview(
    person: _Person,
    weekly: Annotated[bool, typer.Option("--weekly", help="The weekly one instead of the daily one.")] = False,
    portal: WhichPortal = None,
) -> None:
    """Print what the digest would say if it went out today; nothing is sent."""
    settings = read_settings()
    texts = language(settings)

    async def work() -> str:
        async with prepared_database(settings) as database, database.reading() as session:
            portal_id = await only_portal(session, portal)
            leads = _found(await digests.readers(session, portal_id), person, texts).leads
            calendars = await team.calendars(session, portal_id, around=_now())
            today = calendar.day_of(_now(), await calendar.offset(session, portal_id))
            day = _now().astimezone(calendars.of(person).zone).date()
            due = about(Kind.WEEKLY if weekly else Kind.DAILY, person, calendars, day=day, today=today)
            told = await gather(session, portal_id, due, leads, now=_now())
            say = catalogue((await portals.get(session, portal_id)).language).say
            return text(told, Pages(settings.public_url, portal_id), say)

    out.print(run(work()), markup=False, highlight=False, soft_wrap=True)


_KINDS: dict[Kind, Message] = {Kind.DAILY: message("daily"), Kind.WEEKLY: message("weekly")}


def _found(readers: list[Reader], person: int, texts: Catalogue) -> Reader:
    found = next((one for one in readers if one.person.user_id == person), None)
    if found is None:
        fail(
            texts.say(message("Nobody with the number {user} works in the portal: see `ogon team`.", user=str(person)))
        )
    return found


def _called(one: Reader, texts: Catalogue) -> list[str]:
    def name(led: Led) -> str:
        return led.name if led.manager is None else texts.say(message("own cards"))

    return [name(led) for led in one.leads]


def _state(one: Reader, kind: Kind, last: Sent | None, texts: Catalogue) -> str:
    state = texts.say(message("on") if kind in one.kinds else message("off"))
    if last is None:
        return state
    if last.error is not None:
        why = texts.say(message("not sent: {why}", why=last.error))
        return f"{state}, {why}"
    return f"{state}, {last.day.isoformat()}"


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a root reads the clock and hands it down
