"""`Authorization: Bearer <token>`: the one proof that the API takes. What it opens is decided in `access.py`."""

from fastapi import Request
from fastapi.security import HTTPBearer

# Only so that the reference says it.
scheme = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="A token made by `ogon token create`, or the value of ADMIN_TOKEN.",
)


def bearer_of(request: Request) -> str | None:
    """The token of the Authorization header, None where there is none."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip() else None
