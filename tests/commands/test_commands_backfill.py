"""`ogon backfill` at the terminal: a table of what was read, and a word where it can't be."""

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.commands import console
from app.sandbox.limits import Limits
from app.sandbox.portal import SandboxPortal
from app.sandbox.server import serve_in_thread


@pytest.fixture
def portal():
    emulated = SandboxPortal(limits=Limits(enforced=False, cost=0.0))
    with serve_in_thread(emulated) as served:
        yield served


@pytest.fixture
def ogon(monkeypatch, portal, database_url, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console.out, "width", 200)
    for name, value in {
        "DATABASE_URL": database_url,
        "DATA_DIR": str(tmp_path),
        "SECRET_KEY": "a key for commands, long enough",
        "BITRIX24_WEBHOOK_URL": portal.webhook_url,
        "BITRIX24_APPLICATION_TOKEN": portal.portal.application_token,
    }.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str):
        with console.out.capture() as captured:
            result = CliRunner().invoke(app, list(arguments))
        return result.exit_code, captured.get() + result.output

    return run


def test_it_tells_what_was_read_and_what_may_not_be(portal, ogon, monkeypatch) -> None:
    monkeypatch.setattr(console.err, "width", 200)
    lead = portal.portal.ui_add(1, {"title": "busy"})
    for _ in range(3):
        portal.portal.ui_call(1, lead, seconds=5)
    code, said = ogon("backfill", "--from", "2024-01-31")
    assert code == 0
    read = {line.split("│")[1].strip(): line.split("│")[2].strip() for line in said.splitlines() if "│" in line}
    assert (read["activity.new"], read["call.new"], read["lead.owners"], read["deal.moves"]) == ("3", "3", "1", "0")

    portal.portal.scopes.discard("telephony")
    code, said = ogon("backfill", "--from", "2024-01-31")
    assert code == 0, "what the portal refuses is told, and no failure of ours"
    assert "telephony" in said or "scope" in said.lower()


def test_a_day_to_come_is_refused(ogon) -> None:
    code, _ = ogon("backfill", "--from", "2999-01-01")
    assert code == 1
    code, _ = ogon("backfill")
    assert code == 2
