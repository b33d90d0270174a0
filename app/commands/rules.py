"""`ogon rules show|export|import`: the rules in force, as a table and as a document to edit.

Exit codes of `import`: 0 published, or nothing differs; 1 the document was not taken; 3 somebody else published
meanwhile.
"""

import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from app.commands.console import err, fail, language, operator, out, read_settings, run
from app.commands.which_portal import WhichPortal, only_portal
from app.domain.messages import Say, message
from app.domain.ruleset import Ruleset
from app.domain.ruleset_checks.remark import Remark
from app.domain.ruleset_diff import differences
from app.domain.ruleset_words import lines
from app.serve import prepared_database
from app.settings import Settings
from app.store import dictionary, rulesets
from app.store.database import Database
from app.store.rules_in_force import rules_in_force
from app.store.ruleset_document import Examined, examine, kept_ruleset, ruleset_to_document
from app.store.ruleset_yaml import RulesUnreadable, rules_from_text, rules_to_yaml
from app.store.rulesets import RulesetConflict

commands = typer.Typer(no_args_is_help=True, help="The rules by which cards are judged.")

CONFLICT = 3

_Version = Annotated[int | None, typer.Option(min=1, help="An older version instead of the one in force.")]


class Form(StrEnum):
    """How a document is written; YAML says what each key is."""

    yaml = "yaml"
    json = "json"


@commands.command("show")
def show(portal: WhichPortal = None, version: _Version = None) -> None:
    """Show all there is in the rules in force."""
    settings = read_settings()
    texts = language(settings)
    ruleset = run(_rules(settings, portal, version))
    table = Table(
        texts.gettext("Rule"), texts.gettext("Value"), title=texts.say(message("Rules, version {n}", n=ruleset.version))
    )
    for label, value in lines(ruleset):
        table.add_row(texts.say(label), texts.say(message("{value}", value=value)))
    out.print(table, markup=False)


@commands.command("export")
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to write; standard output if left out.")] = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="By the file's name if left out: .yaml or .yml, else JSON.")
    ] = None,
    portal: WhichPortal = None,
    version: _Version = None,
) -> None:
    """Write the rules in force as a document: YAML with a comment on each key, or JSON."""
    settings = read_settings()
    document = ruleset_to_document(run(_rules(settings, portal, version)))
    if (form or _form_of(file)) is Form.yaml:
        text = rules_to_yaml(document, language(settings).say)
    else:
        text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    if file is None:
        out.file.write(text)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"The file cannot be written: {error}.")


@commands.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A document as `ogon rules export` writes it, YAML or JSON.")],
    reason: Annotated[
        str | None, typer.Option(help="Why the rules change; kept with the version. Asked for if left out.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it and show what differs, no more.")] = False,
    portal: WhichPortal = None,
) -> None:
    """Check a document, show what differs, and publish it as the next version.

    It must have been made from the version in force: another one ends with exit code 3, a wrong one with 1.
    """
    settings = read_settings()
    say = language(settings).say
    document = _read(file)

    async def work() -> None:
        async with prepared_database(settings) as database:
            await _import(database, document, say=say, reason=reason, dry_run=dry_run, portal=portal)

    run(work())


async def _import(
    database: Database, document: Any, *, say: Say, reason: str | None, dry_run: bool, portal: int | None
) -> None:
    async with database.reading() as session:
        portal_id = await only_portal(session, portal)
        kept = await dictionary.load(session, portal_id)
        current = await rules_in_force(session, portal_id)
        known = await rulesets.current(session, portal_id)
    edited = _taken(examine(document, kept.dictionary if kept else None), say)
    in_force = known.version if known else 0
    if edited.version != (in_force or current.version):
        await _conflict(database, portal_id, edited=edited.version, current=current, say=say)
    changes = differences(current, edited)
    if not changes:
        out.print(say(message("Nothing differs from version {version}.", version=str(in_force))), markup=False)
        return
    for change in changes:
        out.print(f"{change.path}: {say(change.said)}", markup=False, highlight=False, soft_wrap=True)
    if dry_run:
        return
    why = reason or typer.prompt(say(message("Why do the rules change?")))
    try:
        async with database.writing() as session:
            published = await rulesets.publish(
                session,
                portal_id=portal_id,
                edited_version=in_force,
                document=ruleset_to_document(edited),
                author=operator(),
                reason=why,
            )
    except RulesetConflict:
        async with database.reading() as session:
            current = await rules_in_force(session, portal_id)
        await _conflict(database, portal_id, edited=in_force, current=current, say=say)
    else:
        said = message("Version {version} is in force from the next card on.", version=str(published.version))
        out.print(say(said), markup=False)


def _taken(examined: Examined, say: Say) -> Ruleset:
    """The rules of the document, after what there is to say about it."""
    _tell(examined.warnings, say, "yellow")
    if examined.ruleset is None:
        _tell(examined.wrong, say, "red")
        fail(say(message("Nothing was published: correct what is said above and try again.")))
    return examined.ruleset


def _tell(remarks: Iterable[Remark], say: Say, style: str) -> None:
    for remark in remarks:
        line = f"{remark.path}: {say(remark.said)}" if remark.path else say(remark.said)
        err.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


async def _conflict(database: Database, portal_id: int, *, edited: int, current: Ruleset, say: Say) -> None:
    """Tell what was changed since the version that was edited, and end with the exit code for that."""
    async with database.reading() as session:
        old = await rulesets.get(session, portal_id, edited)
    said = message(
        "Version {current} is in force, and the document was made from {edited}: export the rules anew and "
        "make your change there.",
        current=str(current.version),
        edited=str(edited),
    )
    err.print(say(said), style="red", markup=False, highlight=False)
    for change in differences(kept_ruleset(old.document, old.version), current) if old else ():
        err.print(f"{change.path}: {say(change.said)}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(CONFLICT)


def _read(file: Path) -> Any:
    try:
        return rules_from_text(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        fail(f"The file cannot be read: {error}.")
    except RulesUnreadable as error:
        fail(f"{error} Write it with `ogon rules export`, then edit it.")


def _form_of(file: Path | None) -> Form:
    return Form.yaml if file is not None and file.suffix.lower() in {".yaml", ".yml"} else Form.json


async def _rules(settings: Settings, portal: int | None, version: int | None) -> Ruleset:
    async with prepared_database(settings) as database, database.reading() as session:
        portal_id = await only_portal(session, portal)
        if version is None:
            return await rules_in_force(session, portal_id)
        found = await rulesets.get(session, portal_id, version)
    if found is None:
        raise rulesets.VersionUnknown(version)
    return kept_ruleset(found.document, found.version)
