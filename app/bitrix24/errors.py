"""What can go wrong between us and a portal.

    Bitrix24Error
    ├── Temporary              the same call may work later
    │   ├── RateLimited        503 QUERY_LIMIT_EXCEEDED; was not executed
    │   ├── OperatingLimited   429 OPERATION_TIME_LIMIT; was not executed, only this method waits
    │   ├── BatchRefused       too long for a batch, or not allowed inside one; was not executed
    │   ├── ServerFault        5xx, an HTML page, JSON cut short, a command without an answer
    │   ├── Unreachable        no connection, a connection that broke, a timeout
    │   ├── Closed             our side: the client was closed first
    │   ├── Late               our side: it waited for so long that it was not sent
    │   └── OutcomeUnknown     a creating call that may or may not have happened: look before repeating
    └── Permanent              repeating changes nothing
        ├── NotFound           the card, or its type, is not there (or not visible to us)
        ├── AccessDenied       the webhook's owner lacks a right
        ├── InvalidCredentials the webhook or token is no longer accepted
        ├── WrongAuthType      the method needs another kind of authorization
        ├── InsufficientScope  the webhook was made without this scope
        ├── PaymentRequired    the portal's plan or subscription ended
        ├── MethodNotFound     the portal does not know the method
        ├── ValidationFailed   a parameter or field value was refused; `fields` names the fields
        ├── Overloaded         OVERLOAD_LIMIT: blocked by the vendor's staff; alert a person
        ├── PortalDeleted      the portal is gone or closed
        └── Rejected           any other refusal

Every message says what happened and what to do, and never holds the webhook's secret. Codes: docs
`error-codes` and `_includes/system-errors`. Raised by the protocol and the client; caught by callers.
"""

import copy
from typing import ClassVar, Self

from app.bitrix24.masking import mask

_LONGEST_DETAIL = 500


class Bitrix24Error(Exception):
    """Any failure of a call. `code` and `status` are the portal's own, empty or None when it gave none."""

    advice: ClassVar[str] = "See the code and text."

    def __init__(self, detail: str, *, method: str = "", code: str = "", status: int | None = None) -> None:
        self.detail = mask(detail)[:_LONGEST_DETAIL]
        self.method = method
        self.code = code
        self.status = status
        super().__init__(self.detail)

    def __str__(self) -> str:
        where = f"{self.method}: " if self.method else ""
        marks = [self.code] if self.code else []
        if self.status is not None:
            marks.append(f"HTTP {self.status}")
        said = f" [{', '.join(marks)}]" if marks else ""
        return f"{where}{self.detail}{said}. {self.advice}"

    def again(self) -> Self:
        """A copy for another waiter: one exception raised in many tasks would gather all their tracebacks."""
        twin = copy.copy(self)
        twin.__traceback__ = None
        return twin


class Temporary(Bitrix24Error):  # noqa: N818 - a branch of the tree, read as an adjective
    """The same call may work later. `may_have_run` tells whether the portal may have executed it."""

    advice = "Try again later."
    may_have_run: bool = False


class RateLimited(Temporary):
    """More requests than the portal's bucket holds (docs: limits). The call was not executed."""

    advice = "Wait for the bucket to drain; other programs on this address share it."


class OperatingLimited(Temporary):
    """The method used up its run time (480 s in 10 min); other methods work. `reset_in` seconds, if told."""

    advice = "Wait until the portal frees the method; write less or at quieter hours."
    reset_in: float | None = None


class BatchRefused(Temporary):
    """The portal did not take the call inside a batch; it is sent in another way."""

    advice = "It is sent alone or in a shorter batch."


class ServerFault(Temporary):
    """The portal or something before it failed to answer properly."""

    advice = "Try again later; if it lasts, look at the portal's status."
    may_have_run = True


class Unreachable(Temporary):
    """The connection failed. `may_have_run` is False when nothing was sent."""

    advice = "Check the network and the portal's address; then try again."


class Closed(Temporary):
    """The client was closed before the call was answered."""

    advice = "Start the client again."


class Late(Temporary):
    """The call waited for longer than its caller would have it sent after; it was not sent."""

    advice = "Look whether it is still right, then call again."


class OutcomeUnknown(Temporary):
    """A call that must not be repeated blindly was sent and no answer came back: it may have happened."""

    advice = "Look for the created object first, repeat only if it is not there."
    may_have_run = True


class Permanent(Bitrix24Error):  # noqa: N818 - as above
    """Repeating the call changes nothing."""

    advice = "Somebody has to change something first."


class NotFound(Permanent):
    """The card or its type is not there, or not visible to the webhook's owner."""

    advice = "It was deleted, or the webhook's owner may not see it."


class AccessDenied(Permanent):
    """The webhook's owner lacks a right, or REST is not part of the portal's plan."""

    advice = "Give the webhook's owner the right to do this in the portal."


class InvalidCredentials(Permanent):
    """The webhook was deleted, regenerated, expired, or its owner was dismissed."""

    advice = "Make a new incoming webhook and put its URL into the settings."


class WrongAuthType(Permanent):
    """The method cannot be called by an incoming webhook."""

    advice = "Only an installed application can call it."


class InsufficientScope(Permanent):
    """The webhook was made without the scope this method needs."""

    advice = "Tick the missing scope in the webhook's settings."


class PaymentRequired(Permanent):
    """The portal's plan or subscription ended."""

    advice = "Renew the portal's plan or subscription."


class MethodNotFound(Permanent):
    """The portal does not know the method."""

    advice = "Check the spelling and the portal's version."


class ValidationFailed(Permanent):
    """A parameter or a field value was refused. `fields` are the names the portal quoted, if any."""

    advice = "Correct the value, or fill the field the portal requires."
    fields: tuple[str, ...] = ()


class Overloaded(Permanent):
    """The vendor blocked the portal's REST by hand."""

    advice = "Stop calling and ask Bitrix24 support to lift the block."


class PortalDeleted(Permanent):
    """The portal was deleted, or its public part is closed."""

    advice = "Check that the portal still exists and is open."


class Rejected(Permanent):
    """Any other refusal."""

    advice = "Look the code up in the REST documentation."
