"""What all commands share: settings once, the reader's language, a console, errors as one sentence and an exit code."""

import asyncio
import getpass
import os
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

from rich.console import Console

from app.bitrix24.errors import Bitrix24Error
from app.errors import OgonError
from app.logs import configure_logs
from app.settings import Settings, SettingsError, load_settings
from app.texts import Catalogue, catalogue

T = TypeVar("T")

out = Console()
err = Console(stderr=True)


def read_settings(**overrides: Any) -> Settings:
    """The settings, with logging set up by them. Ends the process with a sentence per wrong variable."""
    try:
        settings = load_settings(**overrides)
    except SettingsError as error:
        fail(str(error))
    configure_logs(settings.log_format)
    return settings


def language(settings: Settings) -> Catalogue:
    """The reader's language, for what a command prints."""
    return catalogue(settings.ui_language)


def operator() -> str:
    """Who works at this terminal, as the audit log calls it; no token can have such a name."""
    try:
        return f"console:{getpass.getuser()}"
    except (OSError, KeyError):
        # In a container the number of the user may be all there is.
        return f"console:{os.getuid()}"


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; an expected failure becomes its own sentence and exit code 1, without a traceback."""
    try:
        return asyncio.run(work)
    except (OgonError, Bitrix24Error) as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def fail(sentence: str) -> NoReturn:
    """Say what is wrong and what to do, and end with exit code 1."""
    err.print(sentence, style="red", highlight=False, markup=False)
    sys.exit(1)
