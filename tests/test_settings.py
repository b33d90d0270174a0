"""Settings: defaults, empty values, one clear sentence per wrong variable, no value repeated."""

from datetime import time
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from app.demo import environment_of
from app.settings import Settings, SettingsError, load_settings, webhook_url

EXAMPLE = Path(__file__).parent.parent / ".env.example"


def test_defaults():
    settings = load_settings(_env_file=None)
    assert settings.database_url is None
    assert settings.data_dir == Path("data").absolute()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.bitrix24_application_token == ()
    assert (settings.bitrix24_requests_per_second, settings.bitrix24_burst) == (2.0, 50)
    assert (settings.mode, settings.log_format, settings.ui_language) == ("live", "text", "ru")


def test_example_explains_every_variable_and_gives_the_defaults(monkeypatch):
    lines = EXAMPLE.read_text().splitlines()
    named = [line.split("=")[0] for line in lines if line and not line.startswith("#")]
    assert named == [name.upper() for name in Settings.model_fields]
    for number, line in enumerate(lines):
        if "=" in line and not line.startswith("#"):
            assert lines[number - 1].startswith("# ")
    assert load_settings(_env_file=EXAMPLE) == load_settings(_env_file=None)


def test_empty_is_not_set(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "")
    assert load_settings(_env_file=None) == Settings.model_construct(data_dir=Path("data").absolute())


def test_environment_wins_over_the_file(monkeypatch, tmp_path):
    file = tmp_path / ".env"
    file.write_text("PORT=9000\nMODE=shadow\n")
    monkeypatch.setenv("PORT", "9001")
    settings = load_settings(_env_file=file)
    assert (settings.port, settings.mode) == (9001, "shadow")


def test_tokens_are_a_set_separated_by_commas(monkeypatch):
    monkeypatch.setenv("BITRIX24_APPLICATION_TOKEN", " one, two ,,")
    settings = load_settings(_env_file=None)
    assert [token.get_secret_value() for token in settings.bitrix24_application_token] == ["one", "two"]


@pytest.mark.parametrize("digest_at", [None, time(9), time(17, 30)])
def test_the_demos_service_gets_the_demos_settings(monkeypatch, digest_at):
    known = load_settings(
        _env_file=None,
        digest_at=digest_at,
        secret_key=SecretStr("a key"),
        bitrix24_application_token=(SecretStr("one"), SecretStr("two")),
        trusted_proxies=("10.0.0.0/8",),
    )
    for name, value in environment_of(known).items():
        monkeypatch.setenv(name, value)
    assert load_settings(_env_file=None) == known


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://user:SECRETpart@host/name"),
        ("PORT", "SECRETpart"),
        ("PORT", "70000"),
        ("PUBLIC_URL", "SECRETpart"),
        ("BITRIX24_WEBHOOK_URL", "https://portal.example/SECRETpart"),
        ("BITRIX24_WEBHOOK_URL", "https://portal.example/rest/x/SECRETpart/"),
        ("BITRIX24_WEBHOOK_URL", "portal.example/rest/1/SECRETpart/"),
        ("BITRIX24_REQUESTS_PER_SECOND", "0"),
        ("BITRIX24_BURST", "many SECRETpart"),
        ("MODE", "SECRETpart"),
        ("LOG_FORMAT", "SECRETpart"),
        ("UI_LANGUAGE", "de"),
        ("WORKER_CONCURRENCY", "0"),
        ("SWEEP_EVERY", "5"),
        ("DIGEST_AT", "25:00"),
        ("DIGEST_AT", "9"),
        ("DIGEST_AT", "SECRETpart"),
        ("SWEEP_SINCE_DAYS", "0"),
        ("JOURNAL_KEEP_DAYS", "-1"),
    ],
)
def test_a_wrong_value_gives_one_sentence_that_says_what_to_do(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings(_env_file=None)
    said = str(caught.value)
    assert said.startswith((f"{name} is wrong: give ", f"{name} is wrong: copy "))
    assert said.count("\n") == 0
    assert "SECRETpart" not in said
    assert caught.value.__cause__ is None


def test_two_wrong_values_give_two_sentences(monkeypatch):
    monkeypatch.setenv("MODE", "dead")
    monkeypatch.setenv("PORT", "x")
    with pytest.raises(SettingsError) as caught:
        load_settings(_env_file=None)
    assert [line.split(" ")[0] for line in str(caught.value).splitlines()] == ["PORT", "MODE"]


def test_settings_are_frozen_and_hide_secrets(monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "SECRETpart-0123456789")
    monkeypatch.setenv("BITRIX24_WEBHOOK_URL", "https://portal.example/rest/1/SECRETpart")
    settings = load_settings(_env_file=None)
    assert "SECRETpart" not in repr(settings)
    with pytest.raises(ValidationError):
        settings.port = 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgres://u:p@h/d", "postgresql://u:p@h/d"),
        ("postgresql+psycopg://u@h/d", "postgresql://u@h/d"),
        ("postgresql://u@/d?host=/run/x", "postgresql://u@/d?host=/run/x"),
    ],
)
def test_database_url_takes_the_usual_forms(monkeypatch, given, expected):
    monkeypatch.setenv("DATABASE_URL", given)
    assert load_settings(_env_file=None).database_url.get_secret_value() == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (" https://a.bitrix24.ru/rest/1/abc ", "https://a.bitrix24.ru/rest/1/abc/"),
        ("http://127.0.0.1:9000/rest/7/abc/", "http://127.0.0.1:9000/rest/7/abc/"),
        ("https://host/portal/rest/1/abc/", "https://host/portal/rest/1/abc/"),
    ],
)
def test_webhook_url_ends_with_one_slash(given, expected):
    assert webhook_url(given) == expected
