"""`ogon rules replay`: a document tried on recorded cards before it is published."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from app.commands.console import fail, language, operator, out, read_settings, run
from app.domain.rejudge import Gap, gap_said
from app.domain.replay import Duty, Tally, Truth, working_days
from app.domain.snapshot import PortalDictionary
from app.pipeline.replay import Replayer
from app.serve import prepared_database
from app.settings import Settings
from app.store import dictionary, portals, replays
from app.store.database import Database, ReadSession
from app.store.replays import Replay
from app.store.ruleset_document import RulesetInvalid, examine, ruleset_to_document
from app.store.ruleset_yaml import RulesUnreadable, rules_from_text
from app.texts import Catalogue

_LOOK_SECONDS = 0.2
_UNFINISHED = frozenset({"waiting", "running"})
_TYPES = {1: "lead", 2: "deal"}
_ENDS: tuple[Truth, ...] = ("won", "lost", "junk", "junk_by_us", "converted", "open", "gone")


def replay(
    file: Annotated[Path, typer.Argument(help="A document as `ogon rules export` writes it, YAML or JSON.")],
    since: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, YYYY-MM-DD.")],
    until: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, counted in.")],
    portal: Annotated[int | None, typer.Option(help="Number of the portal; may be left out if it is alone.")] = None,
) -> None:
    """Try a document on the cards recorded in a period: which would change, how they ended, who would do more."""
    settings = read_settings()
    if until < since:
        fail("The period ends before it begins.")
    try:
        document = rules_from_text(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, RulesUnreadable) as error:
        fail(f"The file cannot be read: {error}")
    carried_out, called = run(_replay(settings, document, since=since, until=until, portal=portal))
    tally = Tally.from_json(carried_out.tally)
    if carried_out.state != "done":
        fail(f"The replay was {carried_out.state}. {carried_out.error or ''}".strip())
    out.print(_cells(tally))
    if tally.gaps:
        out.print(_gaps(tally, language(settings)))
    out.print(_load(tally, working_days(carried_out.since, carried_out.until, called)))
    out.print(f"Ids of the cards: GET /api/v1/replays/{carried_out.id}/cards")


async def _replay(
    settings: Settings, document: Any, *, since: datetime, until: datetime, portal: int | None
) -> tuple[Replay, PortalDictionary]:
    async with prepared_database(settings) as database:
        async with database.writing() as session:
            portal_id = await _only(session, portal)
            kept = await dictionary.load(session, portal_id)
            called = kept.dictionary if kept else PortalDictionary(0, UTC)
            examined = examine(document, kept.dictionary if kept else None)
            if examined.ruleset is None:
                raise RulesetInvalid(examined.wrong)
            first, last = (datetime.combine(day.date(), time(), called.zone) for day in (since, until))
            asked = await replays.ask(
                session,
                portal_id=portal_id,
                draft=ruleset_to_document(examined.ruleset),
                since=first,
                until=last + timedelta(days=1),
                by=operator(),
            )
        async with _carried_out(database, asked.id):
            return await _watched(database, asked.id), called


async def _only(session: ReadSession, portal: int | None) -> int:
    known = [one.id for one in await portals.list_portals(session)]
    wanted = known if portal is None else [one for one in known if one == portal]
    if len(wanted) != 1:
        raise portals.PortalUnknown("Name the portal by its number with --portal, see `ogon portal list`.")
    return wanted[0]


@contextlib.asynccontextmanager
async def _carried_out(database: Database, replay_id: int) -> AsyncGenerator[None]:
    """Do the work here, unless a worker was first; cancel the replay when we are stopped before its end."""
    work = asyncio.create_task(Replayer(database).step(only=replay_id))
    try:
        yield
    finally:
        async with database.writing() as session:
            await replays.cancel(session, replay_id)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def _watched(database: Database, replay_id: int) -> Replay:
    columns = (TextColumn("cards"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=out, transient=True) as progress:
        bar = progress.add_task("cards", total=None)
        while True:
            async with database.reading() as session:
                replay = await replays.get(session, replay_id)
            assert replay is not None
            progress.update(bar, total=replay.total, completed=replay.looked)
            if replay.state not in _UNFINISHED:
                return replay
            await asyncio.sleep(_LOOK_SECONDS)


def _cells(tally: Tally) -> Table:
    """From what to what, and how those that change have ended."""
    told = f"{tally.changed} of {tally.compared} recorded cards would change"
    table = Table("", "From", "To", "Cards", *(end.replace("_", " ") for end in _ENDS), title=told)
    for change, count in sorted(tally.cells.items(), key=lambda item: (item[0].before == item[0].after, -item[1])):
        ended = (tally.truths[change, end] for end in _ENDS)
        style = "dim" if change.before == change.after else None
        table.add_row(
            _TYPES[change.entity_type_id],
            change.before,
            "=" if change.before == change.after else change.after,
            str(count),
            *(str(number or "") for number in ended),
            style=style,
        )
    return table


def _gaps(tally: Tally, texts: Catalogue) -> Table:
    table = Table("Not comparable", "Cards")
    for gap, count in sorted(tally.gaps.items()):
        table.add_row(escape(texts.say(gap_said(Gap(gap)))), str(count))
    return table


def _load(tally: Tally, days: int) -> Table:
    """What each person would get a working day, before and after."""
    table = Table("User", "Deals a day", "To-dos a day", "Declined deals a day", title=f"Load, {days} working days")
    for user in sorted({duty.user_id for duty in (*tally.before, *tally.after)}):
        whats: tuple[Any, ...] = ("deals", "todos", "declined")
        table.add_row(str(user), *(_both(tally, user, what, days or 1) for what in whats))
    return table


def _both(tally: Tally, user: int, what: Any, days: int) -> str:
    before, after = (counted[Duty(user, what)] / days for counted in (tally.before, tally.after))
    return f"{before:.1f} → {after:.1f}" if before != after else f"{before:.1f}"
