"""`Authorization: Bearer <ADMIN_TOKEN>`: the one proof that the API takes."""

from fastapi import Request
from fastapi.security import HTTPBearer

from app.domain.messages import message
from app.web.problems import WebProblem
from app.web.state import Web

# Only so that the reference says it; `admin_only` decides.
scheme = HTTPBearer(auto_error=False, scheme_name="ADMIN_TOKEN", description="The value of ADMIN_TOKEN.")


def bearer_of(request: Request) -> str | None:
    """The token of the Authorization header, None where there is none."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip() else None


def admin_only(web: Web, request: Request) -> None:
    """A dependency: raises WebProblem unless the request brings ADMIN_TOKEN."""
    if web.settings.admin_token is None:
        said = message(
            "The API is closed because ADMIN_TOKEN is not set: set it in .env to a long random value and restart."
        )
        raise WebProblem(503, "admin_token_not_set", said)
    if not web.doorkeeper.knows_token(bearer_of(request)):
        said = message(
            "Send the header `Authorization: Bearer <ADMIN_TOKEN>` with the value that the service runs with."
        )
        raise WebProblem(401, "not_authorized", said)
