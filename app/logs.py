"""Logging: structlog for us, the same output for the libraries' own loggers, no secret in either.

Called once by each root (`configure_logs`). Every event passes `mask_secrets` after exceptions were
rendered, so a webhook address in a traceback is masked as well. It must not import anything from app,
which is why the pattern of a webhook's path stands here a second time.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Literal, cast

import structlog
from structlog.typing import Processor

HIDDEN = "***"

_HIDDEN_NAME = (
    r"(?:application_?token|auth_?token|access_?token|refresh_?token|admin_?token|token|auth|secret_?key"
    r"|client_secret|secret|password|authorization|cookie|webhook_url)"
)
_HIDDEN_KEY = re.compile(rf"(?:^|[_.\-]){_HIDDEN_NAME}s?$", re.IGNORECASE)

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # /rest/<user id>/<code>/ of an inbound webhook, plain or percent-encoded.
    (re.compile(r"(/rest/(?:api/)?\d+/)[^/\s\"'<>?&#]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(%2Frest%2F\d+%2F)[^%\s\"'<>?&#]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    # scheme://user:password@host
    (re.compile(r"(://[^/\s:@\"']+:)[^/\s@\"']+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"\b(Bearer\s+)[^\s\"',;]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    # token=…, auth[application_token]=…, percent-encoded or not.
    (re.compile(rf"(\b\w*{_HIDDEN_NAME}(?:\]|%5D)?=)[^&\s\"',;)]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    # "application_token": "…" in JSON or in a dict's repr.
    (re.compile(rf"([\"']\w*{_HIDDEN_NAME}[\"']\s*:\s*)([\"'])(?:(?!\2).)*\2", re.IGNORECASE), rf"\1\2{HIDDEN}\2"),
)


def mask(text: str) -> str:
    """`text` with webhook codes, tokens, passwords and Bearer credentials replaced by `***`."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def mask_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: mask every value of the event at any depth; keep underscore-keys as they are."""
    for key, value in event.items():
        if not key.startswith("_"):
            event[key] = _masked(key, value)
    return event


def _masked(key: str, value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            pairs = cast("Mapping[Any, Any]", value).items()
            return {str(name): _masked(str(name), item) for name, item in pairs}
        case _ if _HIDDEN_KEY.search(key):
            return HIDDEN
        case str():
            return mask(value)
        case bytes():
            return mask(value.decode("utf-8", "replace"))
        case Sequence():
            return [_masked("", item) for item in cast("Sequence[Any]", value)]
        case _:
            # SecretStr, exceptions, URLs and anything else: what would be printed, masked.
            return mask(str(value))


def configure_logs(log_format: Literal["text", "json"], *, level: int = logging.INFO) -> None:
    """Send all logging of this process to stderr in one format: `text` for people, `json` for collectors."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        mask_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            # The second pass catches what a library's record carried beside its message.
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                mask_secrets,
                _renderer(log_format),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    _tame_libraries()


def _renderer(log_format: Literal["text", "json"]) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def _tame_libraries() -> None:
    """Libraries speak through our handler; those that print addresses speak only when something is wrong."""
    for name in ("httpx", "httpcore", "procrastinate", "alembic", "sqlalchemy.engine"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
