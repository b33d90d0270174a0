"""Commands at the terminal, run on a real database beside an emulated portal that the environment names."""

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
        """The exit code, and all that was said."""
        with console.out.capture() as captured:
            result = CliRunner().invoke(app, list(arguments))
        return result.exit_code, captured.get() + result.output

    return run


@pytest.fixture
def terminal(monkeypatch, database_url, tmp_path):
    """Runs a command beside a portal that nobody calls; gives the exit code and all that was said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console.out, "width", 200)
    monkeypatch.setattr(console.err, "width", 200)
    for name, value in {
        "DATABASE_URL": database_url,
        "DATA_DIR": str(tmp_path),
        "SECRET_KEY": "a key for commands, long enough",
        "BITRIX24_WEBHOOK_URL": "https://portal.example/rest/1/webhookcode0001/",
        "BITRIX24_APPLICATION_TOKEN": "t0ken",
        "LOGNAME": "anna",
    }.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str]:
        with console.out.capture() as out, console.err.capture() as err:
            result = CliRunner().invoke(app, list(arguments))
        return result.exit_code, out.get() + err.get()

    return run
