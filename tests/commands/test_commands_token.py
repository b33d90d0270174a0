"""`ogon token` at the terminal: the token is printed once, the list never shows it, a link signs in."""

import re
import time

import psycopg
import pytest
from typer.testing import CliRunner

from app.cli import app
from app.commands import console
from app.web.sessions import Doorkeeper
from app.web.signing import SigningKey

KEY = "a key for commands, long enough"


@pytest.fixture
def ogon(monkeypatch, database_url, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console.out, "width", 200)
    monkeypatch.setattr(console.err, "width", 200)
    for name, value in {
        "DATABASE_URL": database_url,
        "DATA_DIR": str(tmp_path),
        "SECRET_KEY": KEY,
        "PUBLIC_URL": "https://ogon.example",
        "LOGNAME": "anna",
    }.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str, str]:
        with console.out.capture() as out, console.err.capture() as err:
            result = CliRunner().invoke(app, ["token", *arguments])
        return result.exit_code, out.get(), err.get()

    return run


def test_a_token_from_its_making_to_its_end(ogon, database_conninfo) -> None:
    code, token, said = ogon("create", "head of sales", "--role", "head", "--days", "30")
    assert code == 0
    assert re.fullmatch(r"ogon_1_[A-Za-z0-9_-]{43}\n", token), "nothing but the token goes to standard output"
    assert "not shown again" in said

    code, _, said = ogon("create", "head of sales", "--role", "viewer")
    assert (code, "revoke it first" in said) == (1, True)
    code, _, said = ogon("create", "console:root", "--role", "admin")
    assert (code, "The name was not taken" in said) == (1, True)

    code, listed, _ = ogon("list")
    row = [cell.strip() for cell in next(line for line in listed.splitlines() if "head of sales" in line).split("│")]
    assert (row[1:4], row[5], row[7]) == (["1", "head of sales", "head"], "console:anna", "never")
    assert token.strip()[-43:] not in listed

    assert ogon("revoke", "head of sales")[0] == 0
    code, _, said = ogon("revoke", "head of sales")
    assert (code, "ogon token list" in said) == (1, True)
    assert "head of sales" not in ogon("list")[1]
    assert "by console:anna" in ogon("list", "--revoked")[1]
    with psycopg.connect(database_conninfo) as connection:
        rows = connection.execute("SELECT who, what, subject, detail FROM audit_log ORDER BY id").fetchall()
    assert [row[:3] for row in rows] == [
        ("console:anna", "token.created", "head of sales"),
        ("console:anna", "token.revoked", "head of sales"),
    ]
    assert token.strip()[-43:] not in str(rows)


def test_a_link_stands_for_the_token_or_for_the_console(ogon) -> None:
    ogon("create", "desk", "--role", "viewer")
    door = Doorkeeper(secret_key=KEY, admin_token=None, clock=time.time)
    for arguments, subject in ((["link"], "console"), (["link", "desk"], "1")):
        code, link, _ = ogon(*arguments)
        assert code == 0
        address, ticket = link.strip().split("?ticket=")
        assert address == "https://ogon.example/login"
        assert door.takes_ticket(ticket) == subject
        assert SigningKey.derive(KEY, "session:").open(ticket, now=0) is None
    code, _, said = ogon("link", "nobody")
    assert (code, "no token nobody" in said) == (1, True)
