"""The console script `ogon`: each command reads the settings once and hands them down.

What the commands do is in `app/commands`, `app/serve.py` and `app/demo.py`; here they only get their names.
"""

from collections.abc import Coroutine
from typing import Annotated, Any

import typer

from app import demo as demonstration
from app import serve as serving
from app.commands import backfill, doctor, pools, portal, rejudging, replay, rules, sweep, team, token
from app.commands.console import fail, out, read_settings, run
from app.errors import OgonError
from app.sandbox.portal import SandboxPortal
from app.sandbox.server import serve_in_thread

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Ogon judges the leads and deals of a Bitrix24 portal and says why.",
)
app.add_typer(portal.commands, name="portal")
rules.commands.command("rejudging")(rejudging.rejudging)
rules.commands.command("replay")(replay.replay)
app.add_typer(rules.commands, name="rules")
app.add_typer(token.commands, name="token")
app.add_typer(team.commands, name="team")
app.add_typer(pools.commands, name="pools")
app.command("doctor")(doctor.doctor)
app.command("sweep")(sweep.sweep)
app.command("backfill")(backfill.fill)


def main() -> None:
    """Entry point."""
    app()


@app.command()
def serve(
    worker: Annotated[bool, typer.Option(help="Judge cards in this process too.")] = True,
) -> None:
    """Take webhooks, show pages, judge cards: all in one process."""
    settings = read_settings()
    _run_service(serving.serve(settings, with_worker=worker))


@app.command()
def worker() -> None:
    """Judge cards only; run as many as you like on one database."""
    settings = read_settings()
    _run_service(serving.work(settings))


@app.command()
def migrate() -> None:
    """Bring the database to the present schema; the other commands do it by themselves."""
    settings = read_settings()

    async def work() -> None:
        async with serving.prepared_database(settings):
            out.print("The database is up to date.")

    run(work())


@app.command()
def demo(
    leads: Annotated[int, typer.Option(min=1, max=5000, help="How many leads arrive.")] = 200,
    exit_: Annotated[
        bool, typer.Option("--exit", help="End when all leads are judged, instead of serving on.")
    ] = False,
) -> None:
    """Let varied leads arrive at an emulated portal and watch what becomes of them."""
    settings = read_settings()
    raise typer.Exit(demonstration.run(settings, leads=leads, stay=not exit_))


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="Port on loopback.")] = 8010,
    events_to: Annotated[
        str | None, typer.Option(help="Where to send events, e.g. a running Ogon's webhook address.")
    ] = None,
) -> None:
    """Serve the emulated portal alone, for trying things out."""
    emulated = SandboxPortal()
    if events_to:
        emulated.subscribe(events_to)
    with serve_in_thread(emulated, port) as served:
        out.print(f"Portal: {served.url}")
        out.print(f"BITRIX24_WEBHOOK_URL={served.webhook_url}")
        out.print(f"BITRIX24_APPLICATION_TOKEN={emulated.application_token}")
        out.print("Ctrl-C ends it.")
        demonstration.wait_for_interrupt()


def _run_service(work: Coroutine[Any, Any, None]) -> None:
    try:
        serving.run(work)
    except OgonError as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
