"""`ogon team`: who works when. `ogon team calendar show|set|remove`, `ogon team absence add|withdraw`.

`ogon team digest list|set|preview` are in `digest.py`.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from app.commands import digest
from app.commands.console import err, fail, language, operator, out, read_settings, run
from app.commands.which_portal import WhichPortal, only_portal
from app.domain.calendars import Calendars, Layer, Why
from app.domain.messages import Message, message
from app.domain.team import Person
from app.domain.working_time import Day
from app.serve import prepared_database
from app.store import people, team
from app.store.calendar_document import examine_calendar, hours_to_json
from app.store.database import ReadSession
from app.store.people import TeamReading
from app.store.ruleset_yaml import RulesUnreadable, rules_from_text
from app.store.team import WHOLE_PORTAL, Absence, Scope
from app.texts import Catalogue

commands = typer.Typer(help="Who works when: people, their hours and absences.")
calendar_commands = typer.Typer(no_args_is_help=True, help="Working hours of the portal, of a desk, of a person.")
absence_commands = typer.Typer(no_args_is_help=True, help="Who is away when.")
commands.add_typer(calendar_commands, name="calendar")
commands.add_typer(absence_commands, name="absence")
commands.add_typer(digest.commands, name="digest")

_SHOWN_DAYS = 14
_MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%z"]

_Person = Annotated[int | None, typer.Option(min=1, help="The person's id in the portal.")]
_Desk = Annotated[int | None, typer.Option(min=1, help="The pool's number.")]
_Document = Annotated[
    Path | None, typer.Option("--file", help="A document, YAML or JSON, as `GET /api/v1/calendars` shows them.")
]


@commands.callback(invoke_without_command=True)
def show_team(context: typer.Context, portal: WhichPortal = None) -> None:
    """Show people with their hours and absences."""
    if context.invoked_subcommand is not None:
        return
    settings = read_settings()
    texts = language(settings)

    async def work() -> tuple[Table, list[TeamReading]]:
        async with prepared_database(settings) as database, database.reading() as session:
            portal_id = await only_portal(session, portal)
            return await _team_table(session, portal_id, texts), await people.readings(session, portal_id)

    table, readings = run(work())
    out.print(table, markup=False)
    if not readings:
        out.print(texts.say(message("The portal was not read yet: `ogon serve` or `ogon worker` does it.")))
    for one in readings:
        if one.refused is not None:
            out.print(one.refused, style="yellow", markup=False, highlight=False)


@calendar_commands.command("show")
def show_calendar(person: _Person = None, desk: _Desk = None, portal: WhichPortal = None) -> None:
    """Show the hours of the coming two weeks, and why a day is free; the portal's without --person and --desk."""
    settings = read_settings()
    texts = language(settings)

    async def work() -> Calendars:
        async with prepared_database(settings) as database, database.reading() as session:
            return await team.calendars(session, await only_portal(session, portal), around=_now())

    calendars = run(work())
    calendar = calendars.of(person, desk)
    today = _now().astimezone(calendar.zone).date()
    zone = message("Hours, {zone}", zone=str(calendar.zone))
    table = Table(texts.gettext("Day"), texts.say(zone), texts.gettext("Why"))
    for number in range(_SHOWN_DAYS):
        day = today + timedelta(days=number)
        told = calendars.day(day, person, desk)
        hours = " ".join(hours_to_json(told.hours)) or "—"
        table.add_row(_named_day(day, texts), hours, told.name or texts.say(_WHY[told.why]))
    out.print(table, markup=False)


_WHY = {
    Why.WEEK: message("by the week"),
    Why.HOLIDAY: message("a holiday"),
    Why.MOVED: message("worked instead of another day"),
    Why.SET: message("this date was set"),
}


@calendar_commands.command("set")
def set_calendar(
    file: _Document = None, person: _Person = None, desk: _Desk = None, portal: WhichPortal = None
) -> None:
    """Set hours from a document in the place of what was set before."""
    if file is None:
        fail("Name the document with --file.")
    settings = read_settings()
    texts = language(settings)
    scope, subject = _subject(person, desk)
    layer = _layer(file, texts)

    async def work() -> None:
        async with prepared_database(settings) as database, database.writing() as session:
            portal_id = await only_portal(session, portal)
            await team.set_calendar(session, portal_id, scope, subject, layer, who=operator(), now=_now())

    run(work())
    out.print(texts.say(message("The hours hold from now on: see `ogon team calendar show`.")), markup=False)


@calendar_commands.command("remove")
def remove_calendar(person: _Person = None, desk: _Desk = None, portal: WhichPortal = None) -> None:
    """Take away the hours that were set: what lies below them holds again."""
    settings = read_settings()
    scope, subject = _subject(person, desk)

    async def work() -> bool:
        async with prepared_database(settings) as database, database.writing() as session:
            portal_id = await only_portal(session, portal)
            return await team.remove_calendar(session, portal_id, scope, subject, who=operator()) is not None

    if not run(work()):
        fail(language(settings).say(message("No such hours were set.")))


@absence_commands.command("add")
def add_absence(
    person: Annotated[int, typer.Argument(min=1, help="The person's id in the portal, see `ogon team`.")],
    since: Annotated[datetime, typer.Option("--from", formats=_MOMENTS, help="A day or a moment.")],
    until: Annotated[datetime, typer.Option("--until", formats=_MOMENTS, help="The last day, or a moment.")],
    note: Annotated[str | None, typer.Option(help="Why, for colleagues.")] = None,
    portal: WhichPortal = None,
) -> None:
    """Note that a person is away. Times are by the clock where the person works."""
    settings = read_settings()
    texts = language(settings)

    async def work() -> Absence:
        async with prepared_database(settings) as database, database.writing() as session:
            portal_id = await only_portal(session, portal)
            zone = (await team.calendars(session, portal_id, around=_now())).of(person).zone
            starts_at, ends_at = _moment(since, zone), _moment(_whole(until), zone)
            known = await people.people(session, portal_id)
            if known and person not in known:
                fail(texts.say(message("The portal has no user {user}: see `ogon team`.", user=str(person))))
            if starts_at >= ends_at:
                fail(texts.say(message("The absence ends before it begins: give a later --until.")))
            return await team.add_absence(
                session,
                portal_id,
                person,
                starts_at=starts_at,
                ends_at=ends_at,
                note=note,
                who=operator(),
                now=_now(),
            )

    added = run(work())
    said = message("Absence {number} is noted; `ogon team absence withdraw` takes it back.", number=str(added.id))
    out.print(texts.say(said), markup=False)


@absence_commands.command("withdraw")
def withdraw_absence(number: Annotated[int, typer.Argument(min=1, help="The absence's number.")]) -> None:
    """The person is not away after all."""
    settings = read_settings()

    async def work() -> None:
        async with prepared_database(settings) as database, database.writing() as session:
            await team.withdraw_absence(session, number, who=operator(), now=_now())

    run(work())
    out.print(language(settings).say(message("Absence {number} counts no more.", number=str(number))), markup=False)


async def _team_table(session: ReadSession, portal_id: int, texts: Catalogue) -> Table:
    known = await people.people(session, portal_id)
    departments = await people.departments(session, portal_id)
    calendars = await team.calendars(session, portal_id, around=_now())
    absences = await team.absences(session, portal_id, since=_now())
    heads: tuple[Message, ...] = (
        message("Number"),
        message("Person"),
        message("Department"),
        message("Hours"),
        message("Zone"),
        message("Away"),
    )
    table = Table(*map(texts.say, heads))
    for one in known.values():
        if one.active:
            calendar = calendars.of(one.user_id)
            away = [_away(absence, calendar.zone) for absence in absences if absence.user_id == one.user_id]
            names = [departments[number].name for number in one.department_ids if number in departments]
            hours = _hours(calendar.week, texts)
            table.add_row(str(one.user_id), _called(one), ", ".join(names), hours, str(calendar.zone), "\n".join(away))
    return table


def _called(person: Person) -> str:
    return person.name or f"#{person.user_id}"


def _away(absence: Absence, zone: tzinfo) -> str:
    start, end = (f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at in (absence.starts_at, absence.ends_at))
    return f"{absence.id}: {start} … {end}" + (f" ({absence.note})" if absence.note else "")


def _hours(week: Sequence[Day], texts: Catalogue) -> str:
    """Days with the same hours together: `Mon-Fri 09:00-18:00`."""
    told: list[str] = []
    for hours, same in groupby(enumerate(week), key=lambda one: one[1]):
        days = [number for number, _ in same]
        if hours:
            names = [_weekday(days[0], texts), _weekday(days[-1], texts)]
            told.append(f"{'-'.join(dict.fromkeys(names))} {' '.join(hours_to_json(hours))}")
    return ", ".join(told) or "—"


def _weekday(number: int, texts: Catalogue) -> str:
    return str(texts.locale.days["format"]["abbreviated"][number])


def _named_day(day: date, texts: Catalogue) -> str:
    return f"{_weekday(day.weekday(), texts)} {day.isoformat()}"


def _layer(file: Path, texts: Catalogue) -> Layer:
    try:
        document: Any = rules_from_text(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        fail(f"The file cannot be read: {error}.")
    except RulesUnreadable as error:
        fail(str(error))
    examined = examine_calendar(document)
    if examined.layer is None:
        for one in examined.wrong:
            line = f"{one.path}: {texts.say(one.said)}" if one.path else texts.say(one.said)
            err.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
        fail(texts.say(message("Nothing was set: correct what is said above and try again.")))
    return examined.layer


def _subject(person: int | None, desk: int | None) -> tuple[Scope, int]:
    if person is not None and desk is not None:
        fail("Name a person or a desk, not both.")
    if person is not None:
        return "person", person
    return ("desk", desk) if desk is not None else ("portal", WHOLE_PORTAL)


def _whole(until: datetime) -> datetime:
    """A day given as the last one is whole."""
    return until + timedelta(days=1) if until.tzinfo is None and until.time() == datetime.min.time() else until


def _moment(at: datetime, zone: tzinfo) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a root reads the clock and hands it down
