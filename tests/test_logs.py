"""Logs: no secret leaves, whatever it is wrapped in; both formats; libraries speak through us."""

import json
import logging

import pytest
import structlog
from pydantic import SecretStr

from app.logs import configure_logs, mask

SECRET = "s3cr3tpart"


@pytest.fixture(autouse=True)
def _restore_logging():
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.parametrize(
    "text",
    [
        f"POST https://a.bitrix24.ru/rest/1/{SECRET}/crm.item.list.json",
        f"https://a.bitrix24.ru/rest/1/{SECRET}",
        f"https://a.bitrix24.ru/rest/api/1/{SECRET}/tasks.task.get",
        f"to=https%3A%2F%2Fa.bitrix24.ru%2Frest%2F1%2F{SECRET}%2Fbatch",
        f"auth[application_token]={SECRET}&event=ONCRMLEADADD",
        f"auth%5Bapplication_token%5D={SECRET}&x=1",
        f"/x?token={SECRET}",
        f"Authorization: Bearer {SECRET}",
        f'{{"application_token": "{SECRET}", "a": 1}}',
        f"{{'access_token': '{SECRET}'}}",
        f"postgresql://ogon:{SECRET}@db/ogon",
    ],
)
def test_mask_hides_the_secret_and_keeps_the_rest(text):
    masked = mask(text)
    assert SECRET not in masked
    assert "***" in masked


@pytest.mark.parametrize(
    "text", ["crm.item.list took 3 s", "/rest/crm.item.list", "lead 17: steam 3.5 t/h > 3", "https://a.b/c?id=1", ""]
)
def test_mask_leaves_plain_text_alone(text):
    assert mask(text) == text


def _fail(url):
    raise ConnectionError(f"cannot reach {url}")


def _log_everything():
    log = structlog.get_logger("ours")
    url = f"https://a.bitrix24.ru/rest/1/{SECRET}/batch"
    log.info("asking %s", url, url=url, key=SecretStr(SECRET), nested={"auth": {"application_token": SECRET}})
    log.info("list", items=[url, {"token": SECRET}], raw=url.encode(), application_token=SECRET, number=3)
    try:
        _fail(url)
    except ConnectionError as error:
        log.exception("failed", error=error)
        logging.getLogger("some.library").exception("failed at %s", url)
    logging.getLogger("httpx").info("HTTP Request: POST %s", url)
    logging.getLogger("uvicorn.access").info(
        '%s - "%s %s HTTP/%s" %d', "1.1.1.1", "GET", f"/x?token={SECRET}", "1.1", 200
    )


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_is_printed(capsys, log_format):
    configure_logs(log_format)
    _log_everything()
    printed = capsys.readouterr().err
    assert SECRET not in printed
    assert "ConnectionError" in printed
    assert "Traceback" in printed
    assert "HTTP Request" not in printed
    assert "/x?token=***" in printed


def test_json_lines_carry_values(capsys):
    configure_logs("json")
    structlog.get_logger("ours").warning("judged", card=17, title="Пар", nested={"a": 1})
    logging.getLogger("other").warning("plain %s", "words")
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["card"], ours["title"], ours["nested"]) == ("judged", 17, "Пар", {"a": 1})
    assert (ours["level"], ours["logger"]) == ("warning", "ours")
    assert (theirs["event"], theirs["logger"]) == ("plain words", "other")
