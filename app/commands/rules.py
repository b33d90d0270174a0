"""`ogon rules show|export|import`: the rules in force, as a document."""

import getpass
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from app.commands.console import fail, out, read_settings, run
from app.domain.ruleset import Criterion, Ruleset
from app.serve import prepared_database
from app.settings import Settings
from app.store import portals, rulesets
from app.store.database import ReadSession
from app.store.rules_in_force import rules_in_force
from app.store.ruleset_document import ruleset_from_document, ruleset_to_document

commands = typer.Typer(no_args_is_help=True, help="The rules by which cards are judged.")

_Portal = Annotated[int | None, typer.Option(help="Number of the portal; may be left out when there is only one.")]


@commands.command("show")
def show(portal: _Portal = None) -> None:
    """Show the thresholds in force."""
    ruleset = run(_in_force(read_settings(), portal))
    table = Table("Rule", "Value", title=f"Rules, version {ruleset.version}")
    for name, value in _lines(ruleset):
        table.add_row(name, value)
    out.print(table)


@commands.command("export")
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to write; standard output if left out.")] = None,
    portal: _Portal = None,
) -> None:
    """Write the rules in force as a JSON document."""
    document = ruleset_to_document(run(_in_force(read_settings(), portal)))
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    if file is None:
        out.file.write(text)
    else:
        file.write_text(text, encoding="utf-8")


@commands.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A document as `ogon rules export` writes it.")],
    reason: Annotated[str, typer.Option(prompt="Reason", help="Why the rules change; kept with the version.")],
    portal: _Portal = None,
) -> None:
    """Publish a document as the next version; it must have been made from the version in force."""
    settings = read_settings()
    try:
        document: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        fail(f"The file cannot be read: {error}.")
    except json.JSONDecodeError as error:
        fail(f"The file is not JSON: {error}. Write it with `ogon rules export`, then edit it.")

    async def work() -> int:
        ruleset = ruleset_from_document(document)
        async with prepared_database(settings) as database, database.writing() as session:
            published = await rulesets.publish(
                session,
                portal_id=await _only(session, portal),
                edited_version=ruleset.version,
                document=ruleset_to_document(ruleset),
                author=getpass.getuser(),
                reason=reason,
            )
            return published.version

    out.print(f"Version {run(work())} is in force from the next card on.")


async def _in_force(settings: Settings, portal: int | None) -> Ruleset:
    async with prepared_database(settings) as database, database.reading() as session:
        return await rules_in_force(session, await _only(session, portal))


async def _only(session: ReadSession, portal: int | None) -> int:
    known = [one.id for one in await portals.list_portals(session)]
    if portal is None and len(known) == 1:
        return known[0]
    if portal in known:
        return portal
    raise portals.PortalUnknown("Name the portal by its number with --portal, see `ogon portal list`.")


def _lines(ruleset: Ruleset) -> list[tuple[str, str]]:
    minimum = ruleset.minimum
    return [
        *((f"client: {criterion.fact}", _condition(criterion)) for criterion in ruleset.client),
        ("nomenclature: catalog sections", _listed(ruleset.nomenclature.sections, "any")),
        ("nomenclature: products", _listed(ruleset.nomenclature.products, "any")),
        ("nomenclature: terms", _listed(ruleset.nomenclature.terms, "none")),
        ("fitting request of no target client", ruleset.fitting_request_of_no_client),
        *(
            (f"grade: need {cell.need:d}, budget {cell.budget:d}, urgency {cell.urgency:d}", cell.grade.value)
            for cell in ruleset.grades
        ),
        ("urgent within, days", str(ruleset.urgency_days)),
        ("minimum profit of a deal, RUB", str(minimum.profit if minimum.profit is not None else "off")),
        ("minimum amount of a deal, RUB", str(minimum.amount if minimum.amount is not None else "off")),
        (
            "exception: regular buyer",
            f"{minimum.regular_won_deals} won deals in {minimum.regular_months} months"
            if minimum.regular_exempt
            else "off",
        ),
        ("exception: trial delivery", "on" if minimum.trial_exempt else "off"),
        ("deals go to pipeline", f"{ruleset.deal_route.pipeline}, stage {ruleset.deal_route.stage or 'first'}"),
    ]


def _condition(criterion: Criterion) -> str:
    value = _listed(criterion.codes, "nothing") if criterion.number is None else f"{criterion.number:,f}"
    return f"{criterion.operator.value} {value}"


def _listed(values: tuple[Any, ...], nothing: str) -> str:
    return ", ".join(str(value) for value in values) or nothing
