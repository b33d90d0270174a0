"""Settings from the environment: read once by the roots (cli, main, worker), frozen, handed down.

Nothing else reads the environment, and nobody keeps settings in a module global. `.env` in the working
directory is read when present; the real environment wins over it. An empty value counts as not set.
This module must not import anything from app.
"""

import re
from datetime import time
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Mode = Literal["live", "shadow"]
LogFormat = Literal["text", "json"]
Language = Literal["ru", "en"]

_WEBHOOK_PATH = re.compile(r"(/[^?#]*)?/rest/\d+/[^/?#\s]+/?")

_TIME_OF_DAY = re.compile(r"\d{2}:\d{2}")

# What to do about a wrong value, by variable. The value itself is never repeated: it may be a secret.
_ADVICE = {
    "DATABASE_URL": "give postgresql://user:password@host:5432/name, or leave it empty for the embedded server",
    "DATA_DIR": "give a directory that the service may write to, e.g. ./data",
    "PORT": "give a port number from 1 to 65535",
    "PUBLIC_URL": "give the address under which browsers and Bitrix24 reach this service, e.g. https://ogon.example",
    "TRUSTED_PROXIES": "give addresses or networks of your reverse proxies, separated by commas, e.g. 127.0.0.1",
    "BITRIX24_WEBHOOK_URL": "copy the inbound webhook's address: https://<portal>/rest/<user id>/<code>/",
    "BITRIX24_APPLICATION_TOKEN": "give the token of the outbound webhook, or several separated by commas",
    "BITRIX24_REQUESTS_PER_SECOND": "give a number above 0, at most 50; 2 unless the portal's plan allows more",
    "BITRIX24_BURST": "give a whole number from 5 to 1000; 50 unless the portal's plan allows more",
    "MODE": "give live, or shadow to judge without writing to the portal",
    "LOG_FORMAT": "give text or json",
    "UI_LANGUAGE": "give ru or en",
    "WORKER_CONCURRENCY": "give a whole number from 1 to 1000",
    "SWEEP_EVERY": "give a whole number of seconds from 10 to 86400, or 0 to sweep only by `ogon sweep`",
    "SWEEP_SINCE_DAYS": "give a whole number of days, 1 or more",
    "JOURNAL_KEEP_DAYS": "give a whole number of days, 1 or more",
    "SECOND_LOOKS_PER_WEEK": "give a whole number from 0 to 200; 0 asks nobody",
    "DIGEST_AT": "give a time of day, e.g. 09:00, or off to send no digests",
}


class SettingsError(Exception):
    """The environment is wrong. The text holds one sentence per variable and no value; show it as it is."""


class Settings(BaseSettings):
    """All that can be set from outside. Field `x_y` is the variable `X_Y`; see `.env.example`."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    database_url: SecretStr | None = None
    data_dir: Path = Path("data")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    public_url: str | None = None
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    bitrix24_webhook_url: SecretStr | None = None
    bitrix24_application_token: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    bitrix24_requests_per_second: float = Field(default=2.0, gt=0, le=50)
    bitrix24_burst: int = Field(default=50, ge=5, le=1000)
    admin_token: SecretStr | None = None
    secret_key: SecretStr | None = None
    mode: Mode = "live"
    log_format: LogFormat = "text"
    ui_language: Language = "ru"
    worker_concurrency: int = Field(default=200, ge=1, le=1000)
    sweep_every: int = Field(default=300, ge=0, le=86400)
    sweep_since_days: int = Field(default=30, ge=1, le=3650)
    journal_keep_days: int = Field(default=90, ge=1)
    second_looks_per_week: int = Field(default=10, ge=0, le=200)
    digest_at: time | None = time(9)

    @field_validator("bitrix24_application_token", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(part, strict=False)) for part in value)

    @field_validator("sweep_every")
    @classmethod
    def _not_all_the_time(cls, value: int) -> int:
        if 0 < value < 10:
            raise ValueError("too often")
        return value

    @field_validator("digest_at", mode="before")
    @classmethod
    def _time_of_day(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        given = value.strip()
        if given.lower() == "off":
            return None
        if not _TIME_OF_DAY.fullmatch(given):
            raise ValueError("not a time of day")
        return time.fromisoformat(given)

    @field_validator("database_url")
    @classmethod
    def _postgres_only(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        url = value.get_secret_value().strip()
        scheme, _, rest = url.partition("://")
        if scheme.split("+")[0] not in {"postgres", "postgresql"} or not rest:
            raise ValueError("not a PostgreSQL URL")
        return SecretStr(f"postgresql://{rest}")

    @field_validator("bitrix24_webhook_url")
    @classmethod
    def _inbound_webhook(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else SecretStr(webhook_url(value.get_secret_value()))

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value.strip())
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError("not a web address")
        return value.strip().rstrip("/")

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        # Absolute once and for all: a later chdir must not move the data.
        return value.expanduser().absolute()


def webhook_url(text: str) -> str:
    """The inbound webhook's address with one trailing slash.

    Raises ValueError, without repeating the address, unless it looks like `https://host/rest/<id>/<code>/`.
    """
    url = text.strip()
    parts = urlsplit(url)
    wrong = parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment
    if wrong or not _WEBHOOK_PATH.fullmatch(parts.path):
        raise ValueError("not an inbound webhook's address")
    return url.rstrip("/") + "/"


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment and `.env`; `overrides` (by field name) win over both.

    Raises SettingsError with one sentence per wrong variable.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        names = dict.fromkeys(str(item["loc"][0]).upper() for item in error.errors(include_input=False))
        raise SettingsError("\n".join(_sentence(name) for name in names)) from None


def _sentence(name: str) -> str:
    return f"{name} is wrong: {_ADVICE.get(name, 'see .env.example')}."
