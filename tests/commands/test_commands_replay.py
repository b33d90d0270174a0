"""`ogon rules replay`: the document is checked, the replay is carried out here, and the tables tell what it came to."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from app.cli import app
from app.commands import console
from app.domain.ruleset import DEFAULT
from app.store.database import sqlalchemy_url
from app.store.ruleset_document import ruleset_to_document

RUN = {
    "facts": {"steam_tph": {"kind": "number", "value": "3.5", "source": "lead.UF_CRM_OGON_STEAM_TPH"}},
    "verdict": {"stage": "lead_gate", "outcome": "deal", "decision": "deal"},
}


@pytest.fixture
def terminal(database_conninfo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """A portal with one recorded lead, and commands that find its database."""
    with psycopg.connect(database_conninfo, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO portals (name, domain, webhook_url_encrypted, application_tokens_encrypted)"
            " VALUES ('p', 'p.example', '', '')"
        )
        connection.execute(
            "INSERT INTO cards (portal_id, entity_type_id, card_id, stage_id, assigned_by_id, judged_at)"
            " SELECT id, 1, 17, 'NEW', 11, '2026-03-03' FROM portals"
        )
        connection.execute(
            "INSERT INTO runs (portal_id, entity_type_id, card_id, ruleset_version, mode, opened_at, status, seen,"
            " facts, facts_digest, verdict)"
            " SELECT id, 1, 17, 1, 'live', '2026-03-03', 'done', '{}', %s, '', %s FROM portals",
            (json.dumps(RUN["facts"]), json.dumps(RUN["verdict"])),
        )
    url = sqlalchemy_url(database_conninfo).set(drivername="postgresql").render_as_string(hide_password=False)
    for name, value in {"DATABASE_URL": url, "DATA_DIR": str(tmp_path), "UI_LANGUAGE": "en"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console.out, "width", 200)
    return CliRunner()


def replay(terminal: CliRunner, file: Path, document: dict[str, Any], *days: str) -> Any:
    file.write_text(json.dumps(document), encoding="utf-8")
    return terminal.invoke(app, ["rules", "replay", str(file), "--from", days[0], "--to", days[1]])


def test_the_tables_tell_what_would_change(terminal: CliRunner, tmp_path: Path) -> None:
    document = ruleset_to_document(DEFAULT)
    document["client"] = [{"fact": "steam_tph", "operator": "over", "number": "20", "codes": []}]
    told = replay(terminal, tmp_path / "draft.json", document, "2026-03-02", "2026-03-06")
    assert told.exit_code == 0, told.output
    assert "1 of 1 recorded cards would change" in told.output
    assert "needs_data" in told.output
    assert "5 working days" in told.output


@pytest.mark.parametrize(
    ("document", "days", "said"),
    [
        pytest.param({"urgency_days": "soon"}, ("2026-03-02", "2026-03-06"), "urgency_days", id="a wrong document"),
        pytest.param({}, ("2026-03-06", "2026-03-02"), "ends before it begins", id="a wrong period"),
    ],
)
def test_what_is_wrong_is_said(
    terminal: CliRunner, tmp_path: Path, document: dict[str, Any], days: tuple[str, str], said: str
) -> None:
    told = replay(terminal, tmp_path / "draft.json", document, *days)
    assert told.exit_code == 1
    assert said in told.output
