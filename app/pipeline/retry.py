"""What to do after a failed run, as data: try again at a time, or park the card with its reason.

Called by `process.py`. There is no retry loop here and none around it: the client has the one loop for single calls;
this decides about whole runs, minutes apart, through timers in the database.
"""

from dataclasses import dataclass
from datetime import timedelta

from app.bitrix24.errors import (
    Bitrix24Error,
    InvalidCredentials,
    Overloaded,
    PaymentRequired,
    PortalDeleted,
    Temporary,
)
from app.store.claims import Claimed
from app.store.database import DatabaseAway

_FIRST = timedelta(seconds=5)
_LONGEST = timedelta(minutes=10)
_PORTAL_CLOSED = timedelta(minutes=10)
_PARKED = timedelta(minutes=30)
MOST_ATTEMPTS = 12
"""About an hour of temporary faults before a person is asked to look."""


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


def after(error: Exception, attempts: int) -> TryAgain | Park:
    """Decide after `attempts` failed runs in a row, this one counted."""
    match error:
        case InvalidCredentials() | PaymentRequired() | PortalDeleted() | Overloaded():
            # The whole portal refuses us: no card is at fault, and all of them go on when somebody has mended it.
            return TryAgain(_PORTAL_CLOSED, counts=False, trouble=str(error))
        case Claimed():
            return TryAgain(_FIRST, counts=False)
        case Temporary() | DatabaseAway():
            if attempts < MOST_ATTEMPTS:
                return TryAgain(min(_FIRST * 2 ** (attempts - 1), _LONGEST))
            return Park(str(error), again=_PARKED)
        case Bitrix24Error():
            return Park(str(error))
        case _:
            return Park(f"{type(error).__name__}: {error}")
