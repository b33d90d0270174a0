"""One shape for every error of the API, and a page for every error of the pages.

`{"error": {"code": "…", "message": "…", "path": "…"}}`: `code` is for programs, `message` says what to do,
`path` names the value that is wrong, where one is. Installed by `app/main.py`.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from app.errors import OgonError
from app.store.database import DatabaseAway
from app.web import rendering

_log = structlog.get_logger(__name__)


class Problem(BaseModel):
    """What went wrong and what to do about it."""

    code: str = Field(examples=["card_unknown"])
    message: str = Field(examples=["There is no lead 17 here: it was never judged. Replay it to have it judged."])
    path: str | None = Field(default=None, description="The value that is wrong, where one is.")


class ProblemAnswer(BaseModel):
    """Every error of the API."""

    error: Problem


class WebProblem(OgonError):  # noqa: N818 - it is a problem to show, not a fault
    """An expected refusal of a page or of the API."""

    def __init__(self, status: int, code: str, message: str, *, path: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.problem = Problem(code=code, message=message, path=path)


_BY_STATUS = {
    404: ("not_found", "There is nothing at this address; /docs lists what there is."),
    405: ("method_not_allowed", "This address does not answer this method; /docs says which it answers."),
}


def install(app: FastAPI) -> None:
    """Give every error of `app` its one shape."""
    app.add_exception_handler(WebProblem, _expected)
    app.add_exception_handler(DatabaseAway, _database_away)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _defect)


def _answer(request: Request, status: int, problem: Problem, headers: dict[str, str] | None = None) -> Response:
    if rendering.is_page(request):
        return rendering.error_page(request, status=status, message=problem.message, headers=headers)
    body = ProblemAnswer(error=problem).model_dump(exclude_none=True)
    return JSONResponse(body, status_code=status, headers=headers)


async def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, WebProblem)
    headers = {"WWW-Authenticate": 'Bearer realm="ogon"'} if error.status == HTTPStatus.UNAUTHORIZED else None
    return _answer(request, error.status, error.problem, headers)


async def _database_away(request: Request, error: Exception) -> Response:
    return _answer(request, 503, Problem(code="database_away", message=str(error)), {"Retry-After": "5"})


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first: Sequence[Any] = error.errors()
    path = ".".join(str(part) for part in first[0]["loc"])
    wrong = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in first[:5])
    return _answer(request, 422, Problem(code="invalid_value", message=f"Correct the request: {wrong}.", path=path))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, message = _BY_STATUS.get(error.status_code, ("http_error", str(error.detail)))
    return _answer(request, error.status_code, Problem(code=code, message=message), dict(error.headers or {}) or None)


async def _defect(request: Request, error: Exception) -> Response:
    _log.error("request failed", path=request.url.path, exc_info=error)
    message = "Something broke on our side; the log of the service says what. Try again."
    return _answer(request, 500, Problem(code="defect", message=message))
