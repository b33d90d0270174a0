"""Turns what a portal said (code, text, HTTP status) into one error of `app.bitrix24.errors`.

Called by the protocol for a whole answer and for each entry of `result_error`. Codes come first, texts only
where legacy methods give nothing else (docs: error-codes; CRM/leads/crm-lead-get answers "Not found" with an
empty code). Pure.
"""

import re
from typing import Any, Final, cast

from app.bitrix24 import errors
from app.bitrix24.errors import Bitrix24Error

_BY_CODE: Final[dict[str, type[Bitrix24Error]]] = {
    "QUERY_LIMIT_EXCEEDED": errors.RateLimited,
    "OPERATION_TIME_LIMIT": errors.OperatingLimited,
    "OVERLOAD_LIMIT": errors.Overloaded,
    "INTERNAL_SERVER_ERROR": errors.ServerFault,
    "ERROR_UNEXPECTED_ANSWER": errors.ServerFault,
    "ERROR_BATCH_LENGTH_EXCEEDED": errors.BatchRefused,
    "ERROR_BATCH_METHOD_NOT_ALLOWED": errors.BatchRefused,
    "NO_AUTH_FOUND": errors.InvalidCredentials,
    "EXPIRED_TOKEN": errors.InvalidCredentials,
    "INVALID_TOKEN": errors.InvalidCredentials,
    "AUTHORIZATION_ERROR": errors.InvalidCredentials,
    "APPLICATION_NOT_FOUND": errors.InvalidCredentials,
    "ERROR_OAUTH": errors.InvalidCredentials,
    "NOT_INSTALLED": errors.InvalidCredentials,
    "PAYMENT_REQUIRED": errors.PaymentRequired,
    "METHOD_CONFIRM_WAITING": errors.AccessDenied,
    "METHOD_CONFIRM_DENIED": errors.AccessDenied,
    "ACCESS_DENIED": errors.AccessDenied,
    "ACCESS_ERROR": errors.AccessDenied,
    "INVALID_CREDENTIALS": errors.AccessDenied,
    "USER_ACCESS_ERROR": errors.AccessDenied,
    "ALLOWED_ONLY_INTRANET_USER": errors.AccessDenied,
    "INSUFFICIENT_SCOPE": errors.InsufficientScope,
    "WRONG_AUTH_TYPE": errors.WrongAuthType,
    "ERROR_METHOD_NOT_FOUND": errors.MethodNotFound,
    "NOT_FOUND": errors.NotFound,
    "ERROR_NOT_FOUND": errors.NotFound,
    "OWNER_NOT_FOUND": errors.NotFound,
    "PORTAL_DELETED": errors.PortalDeleted,
    "INVALID_ARG_VALUE": errors.ValidationFailed,
    "WRONG_DATETIME_FORMAT": errors.ValidationFailed,
    "100": errors.ValidationFailed,
}
_FIELD_ERRORS: Final = "CRM_FIELD_ERROR_"
_BY_TEXT: Final[tuple[tuple[str, type[Bitrix24Error]], ...]] = (
    ("not found", errors.NotFound),
    ("access denied", errors.AccessDenied),
    ("id is not defined or invalid", errors.ValidationFailed),
)
_BY_STATUS: Final[dict[int, type[Bitrix24Error]]] = {
    401: errors.InvalidCredentials,
    402: errors.PaymentRequired,
    403: errors.AccessDenied,
    429: errors.OperatingLimited,
}
_QUOTED: Final = re.compile(r"[\"«{'“]([^\"»}'”]{1,100})[\"»}'”]")
_TAG: Final = re.compile(r"<[^>]{0,200}>")
_SERVER_ERROR: Final = 500
_UNAUTHORIZED: Final = 401


def fault(code: object, description: object, *, method: str, status: int | None = None) -> Bitrix24Error:
    """The error for one refusal. `code` may be a string, a number, empty, or a REST 3.0 object."""
    if isinstance(code, dict):
        said = cast("dict[str, Any]", code)
        code, description = said.get("code", ""), description or said.get("message", "")
    name = "" if code in (None, 0, "0") else str(code)
    text = _TAG.sub(" ", str(description or "")).strip() or "The portal refused the call without a reason"
    kind = _kind(name.upper(), text.lower(), status)
    error = kind(text.rstrip("."), method=method, code=name, status=status)
    if isinstance(error, errors.ValidationFailed):
        error.fields = tuple(dict.fromkeys(_QUOTED.findall(text)))
    return error


def _kind(code: str, text: str, status: int | None) -> type[Bitrix24Error]:
    if code == "INVALID_CREDENTIALS" and status == _UNAUTHORIZED:
        return errors.InvalidCredentials  # 403 by the docs is a missing right; 401 is a wrong webhook code
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code.startswith(_FIELD_ERRORS):
        return errors.ValidationFailed
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status is not None and status >= _SERVER_ERROR:
        return errors.ServerFault
    if not code:
        for words, kind in _BY_TEXT:
            if words in text:
                return kind
    return errors.Rejected
