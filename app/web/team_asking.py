"""What the team's endpoints ask alike: is this somebody we know, is this a time anybody means."""

from datetime import date

from app.domain.messages import message
from app.domain.team import Person
from app.store import people
from app.store.database import ReadSession
from app.web.problems import WebProblem

_FIRST_YEAR, _LAST_YEAR = 2000, 2100


async def known_person(session: ReadSession, portal_id: int, user_id: int) -> Person | None:
    """The person; None where the portal lets us read nobody. Raises WebProblem 404 for a number nobody has."""
    known = await people.people(session, portal_id)
    if known and user_id not in known:
        said = message("The portal has no user {user}: see `GET /api/v1/people`.", user=str(user_id))
        raise WebProblem(404, "person_unknown", said, path="user")
    return known.get(user_id)


def within_reason(day: date, path: str) -> None:
    """Raises WebProblem 422 for years nobody has in mind."""
    if not _FIRST_YEAR <= day.year < _LAST_YEAR:
        said = message(
            "Give a day from {first} to {last}.", first=f"{_FIRST_YEAR}-01-01", last=f"{_LAST_YEAR - 1}-12-31"
        )
        raise WebProblem(422, "invalid_value", said, path=path)
