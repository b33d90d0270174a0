"""When a sleeping or nurture company is to be spoken to next. Called by `plan_company.py`. Pure."""

from datetime import date, timedelta

from app.domain.ruleset import Segments
from app.domain.segment import Segment


def cadence_of(segment: Segment | None, segments: Segments) -> timedelta | None:
    """Days from one contact to the next; None where nobody is asked to speak to such a company."""
    if not (segments.todos and segments.written):
        return None
    match segment:
        case Segment.SLEEPING:
            return timedelta(days=segments.sleeping_cadence)
        case Segment.NURTURE:
            return timedelta(days=segments.nurture_cadence)
        case _:
            return None


def due_on(segment: Segment | None, segments: Segments, *, since: date, last_contact: date | None) -> date | None:
    """The day of the next contact; None where there is none to come.

    After a contact the cadence decides. Without one, a sleeping company is due at once; one of the nurture group came
    there from a lead that somebody has just dealt with, so the cadence runs from then.
    """
    cadence = cadence_of(segment, segments)
    if cadence is None:
        return None
    if last_contact is not None:
        return last_contact + cadence
    return since if segment is Segment.SLEEPING else since + cadence
