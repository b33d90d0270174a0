"""What is decided about a run that failed: again, when, and who is to blame; or a person is asked to look."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from app.bitrix24 import errors
from app.pipeline.apply import CardMoved, WriteIgnored
from app.pipeline.retry import MOST_ATTEMPTS, Park, TryAgain, after, blames_the_card
from app.store.claims import Claimed
from app.store.database import DatabaseAway

_TEMPORARY = (
    errors.ServerFault,
    errors.Unreachable,
    errors.OutcomeUnknown,
    errors.OperatingLimited,
    errors.Closed,
    errors.Late,
)
_NOT_SENT = (errors.Late, errors.RateLimited, errors.BatchRefused)
_WHOLE_PORTAL = (errors.InvalidCredentials, errors.PaymentRequired, errors.PortalDeleted, errors.Overloaded)
_PERMANENT = (
    errors.NotFound,
    errors.AccessDenied,
    errors.InsufficientScope,
    errors.WrongAuthType,
    errors.MethodNotFound,
    errors.ValidationFailed,
    errors.Rejected,
)


@pytest.mark.parametrize("kind", [*_TEMPORARY, *_NOT_SENT])
def test_what_is_temporary_is_tried_ever_more_rarely_and_never_given_up(kind) -> None:
    error = kind("broken", method="crm.item.add")
    delays = [after(error, attempts) for attempts in range(1, MOST_ATTEMPTS)]
    assert delays[:3] == [TryAgain(timedelta(seconds=seconds)) for seconds in (5, 10, 20)]
    assert delays[-1] == TryAgain(timedelta(minutes=10))
    assert sum((one.delay for one in delays), timedelta()) > timedelta(minutes=45)
    for attempts in (MOST_ATTEMPTS, 1000):
        assert after(error, attempts) == Park(str(error), again=timedelta(minutes=30)), "a person may look, we go on"


@pytest.mark.parametrize("kind", _WHOLE_PORTAL)
def test_a_portal_that_refuses_us_blames_no_card(kind) -> None:
    error = kind("no", method="profile")
    delays = {0: 5, 4: 5, 60: 60, 599: 599, 86_400: 600}
    for refused, delay in delays.items():
        told = after(error, 1000, refused_for=timedelta(seconds=refused))
        assert told == TryAgain(timedelta(seconds=delay), counts=False, trouble=str(error))
    assert not blames_the_card(error)


@pytest.mark.parametrize("kind", _PERMANENT)
def test_what_nothing_but_a_person_can_mend_is_parked_at_once_with_its_reason(kind) -> None:
    error = kind("no", method="crm.item.update", code="SOME_CODE")
    assert after(error, 1) == Park(str(error))
    assert blames_the_card(error)
    assert "SOME_CODE" in str(error)


def test_what_is_ours() -> None:
    assert after(Claimed(), 1000) == TryAgain(timedelta(seconds=5), counts=False), "others of its people come first"
    assert after(CardMoved(), 1000) == TryAgain(timedelta(seconds=5), counts=False), "it is judged as it stands now"
    assert after(DatabaseAway(), 1) == TryAgain(timedelta(seconds=5))
    assert after(DatabaseAway(), MOST_ATTEMPTS) == Park(str(DatabaseAway()), again=timedelta(minutes=30))
    assert after(ZeroDivisionError("x"), 1) == Park("ZeroDivisionError: x", again=timedelta(minutes=30)), (
        "a defect holds back one card, until the next version may have mended it"
    )


def test_a_move_that_did_not_happen_is_read_anew_before_a_person_is_asked() -> None:
    ignored = WriteIgnored("a robot moved it back")
    assert [after(ignored, attempts) for attempts in (1, 2)] == [
        TryAgain(timedelta(seconds=seconds)) for seconds in (5, 10)
    ]
    assert after(ignored, 3) == Park("a robot moved it back", again=timedelta(minutes=30))


def test_transactions_in_each_others_way_are_nobodys_fault() -> None:
    deadlock = OperationalError("UPDATE cards", {}, Exception("deadlock detected"))
    assert after(deadlock, 1) == TryAgain(timedelta(seconds=5))
    told = after(deadlock, MOST_ATTEMPTS)
    assert isinstance(told, Park)
    assert told.again is not None


def test_every_error_of_a_portal_is_decided() -> None:
    known = {*_TEMPORARY, *_WHOLE_PORTAL, *_PERMANENT, *_NOT_SENT}
    there = {*errors.Temporary.__subclasses__(), *errors.Permanent.__subclasses__()}
    assert there == known
