"""Pages as HTML: templates, the reader's language, and the page for an error. Used by the pages and `problems.py`.

Everything that reaches a template is escaped there. No page has a script; styles come from one file of ours.
"""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, tzinfo
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.domain.messages import Message, message_from_json
from app.domain.wording import percent as in_percent
from app.texts import Catalogue, catalogue
from app.web import words
from app.web.sessions import COOKIE
from app.web.shapes import TYPE_NAMES
from app.web.state import web_state

LANGUAGE_COOKIE = "ogon_lang"
LANGUAGES = ("ru", "en")
_TEMPLATES = Path(__file__).parent / "templates"
_STATIC = Path(__file__).parent / "static"
_MACHINES = ("/api/", "/webhooks/", "/healthz", "/readyz", "/metrics", "/openapi.json")
_YEAR = 365 * 24 * 3600


def is_page(request: Request) -> bool:
    """Whether a person with a browser asks, so that an error should be a page."""
    return not request.url.path.startswith(_MACHINES)


def language_of(request: Request) -> str:
    """`?lang=`, else the cookie that it left, else the language of the installation."""
    for asked in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if asked in LANGUAGES:
            return cast("str", asked)
    return web_state(request).settings.ui_language


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """The template as an answer. Its context also has what every page needs: language, session, CSRF token."""
    language = language_of(request)
    doorkeeper = web_state(request).doorkeeper
    cookie = request.cookies.get(COOKIE)
    signed_in = doorkeeper.session_of(cookie) is not None
    caller = getattr(request.state, "caller", None)
    html = (
        _environment(language)
        .get_template(template)
        .render(
            request=request,
            language=language,
            signed_in=signed_in,
            caller=caller,
            may=caller.may if caller else _nobody_may,
            csrf=doorkeeper.csrf_token(cookie) if cookie and signed_in else "",
            with_query=_with_query(request),
            address=address,
            style=_style(),
            **context,
        )
    )
    answer = HTMLResponse(html, status_code=status, headers=dict(headers or {}))
    answer.headers["Cache-Control"] = "no-store"
    if request.query_params.get("lang") in LANGUAGES:
        answer.set_cookie(LANGUAGE_COOKIE, language, max_age=_YEAR, httponly=True, samesite="lax")
    return answer


def error_page(
    request: Request, *, status: int, said: Message, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """What went wrong and what to do, as a page."""
    text = catalogue(language_of(request)).say(said)
    return page(request, "error.html", status=status, headers=headers, code=status, text=text)


def _with_query(request: Request) -> Callable[..., str]:
    """For links on a page: the present address with some parameters changed; None takes one away."""

    def link(**changes: str | int | None) -> str:
        url = request.url.remove_query_params([name for name in (*changes, "lang") if name in request.query_params])
        kept = {name: value for name, value in changes.items() if value is not None}
        url = url.include_query_params(**kept)
        return url.path + (f"?{url.query}" if url.query else "")

    return link


def _nobody_may(_role: str) -> bool:
    return False


def address(path: str, **query: str | int | None) -> str:
    """A page of ours with these parameters; None leaves one out."""
    kept = {name: value for name, value in query.items() if value is not None}
    return path + (f"?{urlencode(kept)}" if kept else "")


@cache
def _style() -> str:
    """The address of the style sheet; another content has another address, so browsers may keep it."""
    content = (_STATIC / "ogon.css").read_bytes()
    return f"/static/ogon.css?{sha256(content).hexdigest()[:8]}"


@cache
def _environment(language: str) -> Environment:
    texts = catalogue(language)
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    untyped = cast("Any", environment)
    untyped.install_gettext_callables(texts.gettext, texts.ngettext, newstyle=True)
    untyped.filters["said"] = partial(said, texts)
    untyped.filters["moment"] = partial(moment, texts)
    untyped.filters["day_or_moment"] = partial(day_or_moment, texts)
    untyped.filters["card_type"] = TYPE_NAMES.get
    untyped.filters["pretty"] = pretty
    untyped.filters["percent"] = partial(percent, texts)
    # `_()` of a variable would hand its text out unescaped; these give plain text, which the template escapes.
    untyped.filters["named"] = partial(named, texts)
    untyped.filters["translated"] = texts.gettext
    return environment


def said(texts: Catalogue, stored: Any) -> str:
    """A stored message in the reader's language; plain text as it is. Never raises."""
    match stored:
        case {"template": str() as template}:
            try:
                return texts.say(message_from_json(cast("Mapping[str, Any]", stored)))
            except (KeyError, TypeError, ValueError):
                # Written by another version: better the bare template than no page.
                return template
        case None:
            return ""
        case _:
            return str(stored)


def named(texts: Catalogue, code: str | None, group: str) -> str:
    """The short name of a code, or the code itself where it has none."""
    return texts.gettext(words.ALL[group].get(code or "", code or ""))


def moment(texts: Catalogue, at: datetime | None, zone: tzinfo) -> str:
    """A time of day on the clocks of `zone`, nothing for none."""
    return "" if at is None else texts.moment(at.astimezone(zone))


def day_or_moment(texts: Catalogue, at: date | datetime | None, zone: tzinfo) -> str:
    """A calendar day as it is, a moment on the clocks of `zone`."""
    return moment(texts, at, zone) if at is None or isinstance(at, datetime) else texts.day(at)


def percent(texts: Catalogue, share: float) -> str:
    """A share of 0 to 1 as `68 %`, below ten with a decimal place."""
    return f"{texts.number(in_percent(share))}\xa0%"


def pretty(value: Any) -> str:
    """Stored JSON for people: a text as it is, the rest indented."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, default=str)
