"""`ogon rules show|export|import` at the terminal: out as a document, edited, in again, and what the exit code says."""

import asyncio
import json
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from app.cli import app
from app.commands import console
from app.domain.ruleset import DEFAULT
from app.settings import Settings
from app.store import audit, portals, rulesets
from app.store.audit import AuditFilter
from app.store.database import connected
from app.store.rules_in_force import ensure_first_version, rules_in_force
from app.store.ruleset_document import ruleset_to_document
from app.store.secret_box import secret_box


@pytest.fixture
def ogon(monkeypatch, database_url, tmp_path):
    """Runs a command on a database with one portal and its first rules; gives exit code, output and errors."""
    settings = {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path), "UI_LANGUAGE": "en"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console.out, "width", 250)
    box = secret_box(Settings(_env_file=None, secret_key=SecretStr("a key for commands, long enough")))

    async def prepare() -> None:
        async with connected(database_url) as database, database.writing() as session:
            portal = await portals.add(
                session,
                box,
                webhook=SecretStr("https://acme.bitrix24.ru/rest/7/wh3bh00kc0de/"),
                application_tokens=[SecretStr("t0ken")],
            )
            await ensure_first_version(session, portal.id)

    asyncio.run(prepare())

    def run(*arguments: str, typed: str = ""):
        with console.out.capture() as captured, console.err.capture() as errors:
            result = CliRunner().invoke(app, ["rules", *arguments], input=typed)
        return result.exit_code, captured.get() + result.stdout, errors.get()

    return run


def in_database(database_url, read):
    async def work():
        async with connected(database_url) as database, database.reading() as session:
            return await read(session)

    return asyncio.run(work())


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_export_edit_import(ogon, database_url, tmp_path):
    file = tmp_path / "rules.yaml"
    assert ogon("export", str(file))[0] == 0
    assert "# profit, RUB" in file.read_text(encoding="utf-8")
    edited(file, 'profit: "5000"', "profit: 7000")
    code, said, errors = ogon("import", str(file), "--reason", "prices rose", "--dry-run")
    assert (code, said) == (0, "minimum.profit: Minimum of a deal · profit, RUB: 5,000 → 7,000\n")
    assert "nomenclature: The nomenclature is empty" in errors
    assert ogon("import", str(file), typed="prices rose\n")[0] == 0
    in_force = in_database(database_url, lambda session: rules_in_force(session, 1))
    assert (in_force.version, in_force.minimum.profit) == (2, 7000)
    (noted, _) = in_database(database_url, lambda session: audit.page(session, AuditFilter(what="rules")))
    assert (noted.who, noted.detail["reason"]) == (console.operator(), "prices rose")
    assert "7,000" in ogon("show")[1]
    assert json.loads(ogon("export", "--version", "1")[1]) == ruleset_to_document(DEFAULT)
    assert ogon("export", "--version", "9")[0] == 1


def test_a_document_from_an_older_version_is_told_what_changed(ogon, tmp_path):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    for file, days in ((first, 10), (second, 20)):
        ogon("export", str(file))
        edited(file, '"urgency_days": 30', f'"urgency_days": {days}')
    assert ogon("import", str(first), "--reason", "r")[0] == 0
    code, _, errors = ogon("import", str(second), "--reason", "r")
    assert code == 3
    assert "Version 2 is in force, and the document was made from 1" in errors
    assert "urgency_days: Urgent within, days: 30 → 10" in errors


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("[MANUFACTURING]", "[]", "client.2.codes: The list is empty", id="meaning"),
        pytest.param(
            "urgency_days: 30", "urgency_days: 30\nurgency_days: 3", "“urgency_days” is here", id="a key twice"
        ),
    ],
)
def test_a_wrong_document_is_not_taken(ogon, database_url, tmp_path, old, new, said):
    file = tmp_path / "rules.yml"
    ogon("export", str(file))
    edited(file, old, new)
    code, _, errors = ogon("import", str(file), "--reason", "r")
    assert (code, said in errors) == (1, True), errors
    assert len(in_database(database_url, lambda session: rulesets.history(session, 1))) == 1


def test_nothing_is_published_when_nothing_differs(ogon, tmp_path):
    file = tmp_path / "rules.json"
    ogon("export", str(file))
    code, said, _ = ogon("import", str(file), "--reason", "r")
    assert (code, said) == (0, "Nothing differs from version 1.\n")
    assert ogon("import", str(tmp_path / "none.yaml"), "--reason", "r")[0] == 1
