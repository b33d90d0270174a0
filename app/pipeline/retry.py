"""What to do after a failed run, as data: try again at a time, or park the card with its reason.

Called by `process.py`. There is no retry loop here and none around it: the client has the one loop for single calls;
this decides about whole runs, minutes apart, through timers in the database.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import DBAPIError

from app.bitrix24.errors import (
    Bitrix24Error,
    InvalidCredentials,
    Overloaded,
    PaymentRequired,
    PortalDeleted,
    Temporary,
)
from app.pipeline.apply import CardMoved, WriteIgnored
from app.store.claims import Claimed
from app.store.database import DatabaseAway

_FIRST = timedelta(seconds=5)
_LONGEST = timedelta(minutes=10)
_WHOLE_PORTAL = (InvalidCredentials, PaymentRequired, PortalDeleted, Overloaded)
_PARKED = timedelta(minutes=30)
MOST_ATTEMPTS = 12
"""About an hour of temporary faults before a person is asked to look."""
_FEW_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Judge the card again after `delay`. `counts` is False when the card itself is not to blame.

    `trouble` says what is the matter where the whole portal refuses us.
    """

    delay: timedelta
    counts: bool = True
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Park:
    """Leave the card to a person; the reason stands on the page beside a replay button.

    `again`: still look now and then whether what was temporary is over, e.g. after a night without the portal.
    """

    reason: str
    again: timedelta | None = None


def after(error: Exception, attempts: int, *, refused_for: timedelta = timedelta(0)) -> TryAgain | Park:
    """Decide after `attempts` failed runs in a row, this one counted.

    `refused_for`: how long the portal has taken no call at all, where that is what is wrong.
    """
    match error:
        case InvalidCredentials() | PaymentRequired() | PortalDeleted() | Overloaded():
            # No card is at fault, and all of them go on when somebody has mended it. One that was mended soon is
            # found out soon; one that stays away for a night is asked rarely.
            return TryAgain(min(max(_FIRST, refused_for), _LONGEST), counts=False, trouble=str(error))
        case Claimed() | CardMoved():
            return TryAgain(_FIRST, counts=False)
        case Temporary() | DatabaseAway():
            return _patiently(attempts, MOST_ATTEMPTS, str(error))
        case Bitrix24Error():
            return Park(str(error))
        case WriteIgnored():
            # A robot or a person may just have moved it on: the next reading tells.
            return _patiently(attempts, _FEW_ATTEMPTS, str(error))
        case DBAPIError():
            # Two transactions in each other's way, mostly.
            return _patiently(attempts, MOST_ATTEMPTS, _named(error))
        case _:
            # A defect of ours: it may be mended by the next version.
            return Park(_named(error), again=_PARKED)


def blames_the_card(error: Exception) -> bool:
    """Whether a refusal is of this one card, not of all our calls."""
    return not isinstance(error, _WHOLE_PORTAL)


def _patiently(attempts: int, most: int, reason: str) -> TryAgain | Park:
    if attempts < most:
        return TryAgain(min(_FIRST * 2 ** (attempts - 1), _LONGEST))
    return Park(reason, again=_PARKED)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
