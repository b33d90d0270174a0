"""What is decided about a run that failed: again, when, and who is to blame; or a person is asked to look."""

from datetime import timedelta

import pytest

from app.bitrix24 import errors
from app.pipeline.apply import WriteIgnored
from app.pipeline.retry import MOST_ATTEMPTS, Park, TryAgain, after
from app.store.claims import Claimed
from app.store.database import DatabaseAway

_TEMPORARY = (errors.ServerFault, errors.Unreachable, errors.OutcomeUnknown, errors.OperatingLimited, errors.Closed)
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


@pytest.mark.parametrize("kind", _TEMPORARY)
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
    assert after(error, 1000) == TryAgain(timedelta(minutes=10), counts=False, trouble=str(error))


@pytest.mark.parametrize("kind", _PERMANENT)
def test_what_nothing_but_a_person_can_mend_is_parked_at_once_with_its_reason(kind) -> None:
    error = kind("no", method="crm.item.update", code="SOME_CODE")
    assert after(error, 1) == Park(str(error))
    assert "SOME_CODE" in str(error)


def test_what_is_ours() -> None:
    assert after(Claimed(), 1000) == TryAgain(timedelta(seconds=5), counts=False), "others of its people come first"
    assert after(DatabaseAway(), 1) == TryAgain(timedelta(seconds=5))
    assert after(DatabaseAway(), MOST_ATTEMPTS) == Park(str(DatabaseAway()), again=timedelta(minutes=30))
    assert after(WriteIgnored("a robot moved it back"), 1) == Park("WriteIgnored: a robot moved it back")
    assert after(ZeroDivisionError("x"), 1) == Park("ZeroDivisionError: x"), "a defect holds back one card"


def test_every_error_of_a_portal_is_decided() -> None:
    known = {*_TEMPORARY, *_WHOLE_PORTAL, *_PERMANENT, errors.RateLimited, errors.BatchRefused}
    there = {*errors.Temporary.__subclasses__(), *errors.Permanent.__subclasses__()}
    assert there == known
