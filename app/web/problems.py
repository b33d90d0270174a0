"""One shape for every error of the API, and a page for every error of the pages.

`{"error": {"code": "…", "message": "…", "path": "…"}}`: `code` is for programs, `message` says what to do,
`path` names the value that is wrong, where one is. Installed by `app/main.py`.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from app.domain.messages import Message, in_english, message
from app.errors import OgonError
from app.store.database import DatabaseAway
from app.web import rendering

_log = structlog.get_logger(__name__)


class Wrong(BaseModel):
    """One of several wrong values."""

    path: str = Field(examples=["client.0.number"])
    message: str


class Problem(BaseModel):
    """What went wrong and what to do about it."""

    code: str = Field(examples=["card_unknown"])
    message: str = Field(examples=["There is no lead 17 here: it was never judged. Replay it to have it judged."])
    path: str | None = Field(default=None, description="The value that is wrong, where one is.")
    wrong: list[Wrong] | None = Field(default=None, description="Every wrong value, where there may be several.")
    current: int | None = Field(default=None, description="The version of the rules in force, where it is another.")
    changes: list[Any] | None = Field(default=None, description="What that version changed, as a difference tells it.")


class ProblemAnswer(BaseModel):
    """Every error of the API."""

    error: Problem


class WebProblem(OgonError):  # noqa: N818 - it is a problem to show, not a fault
    """An expected refusal of a page or of the API; programs read it in English, people in their language."""

    def __init__(
        self,
        status: int,
        code: str,
        said: Message,
        *,
        path: str | None = None,
        retry_after: int | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(in_english(said))
        self.status = status
        self.code = code
        self.said = said
        self.path = path
        self.retry_after = retry_after
        self.more = more or {}


_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_BY_STATUS = {
    400: ("invalid_body", message("The body of the request cannot be read: check that it is whole and in UTF-8.")),
    404: ("not_found", message("There is nothing at this address.")),
    405: ("method_not_allowed", message("This address does not answer this method; /docs says which it answers.")),
    413: ("too_large", message("The body of the request is larger than 1 MiB: send less at once.")),
}
_INVALID = message("The address or the form has a value that cannot be: go back and correct it.")
_DEFECT = message("Something broke on our side; the log of the service says what. Try again.")
_AWAY = message("The database does not answer: check that PostgreSQL runs and DATABASE_URL is right.")


def install(app: FastAPI) -> None:
    """Give every error of `app` its one shape."""
    app.add_exception_handler(WebProblem, _expected)
    app.add_exception_handler(DatabaseAway, _database_away)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _defect)


def _answer(
    request: Request,
    problem: WebProblem,
    *,
    english: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    if rendering.is_page(request):
        return rendering.error_page(request, status=problem.status, said=problem.said, headers=headers)
    told = Problem(code=problem.code, message=english or str(problem), path=problem.path, **problem.more)
    body = ProblemAnswer(error=told).model_dump(exclude_none=True)
    return JSONResponse(body, status_code=problem.status, headers=headers)


async def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, WebProblem)
    headers: dict[str, str] = {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="ogon"'
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return _answer(request, error, headers=headers)


async def _database_away(request: Request, _error: Exception) -> Response:
    return _answer(request, WebProblem(503, "database_away", _AWAY), headers={"Retry-After": "5"})


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong: Sequence[Any] = error.errors()
    listed = "; ".join(f"{_path(item)}: {item['msg']}" for item in wrong[:5])
    problem = WebProblem(422, "invalid_value", _INVALID, path=_path(wrong[0]))
    return _answer(request, problem, english=f"Correct the request: {listed}.")


def _path(item: Any) -> str:
    return ".".join(str(part) for part in item["loc"])


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, said = _BY_STATUS.get(error.status_code, ("http_error", message("{detail}", detail=str(error.detail))))
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request))
    return _answer(request, WebProblem(error.status_code, code, said), headers=headers or None)


def _allowed(request: Request) -> list[str]:
    """The methods that the address answers: the framework names those of the first route only."""
    routes: Sequence[Any] = request.app.routes

    def answered(method: str) -> bool:
        asked = {**request.scope, "method": method}
        return any(route.matches(asked)[0] is Match.FULL for route in routes)

    return [method for method in _METHODS if answered(method)]


async def _defect(request: Request, error: Exception) -> Response:
    _log.error("request failed", path=request.url.path, exc_info=error)
    return _answer(request, WebProblem(500, "defect", _DEFECT))
