"""What the intake needs of the store: portals with their tokens, counters, gap marks, member ids. Thin wiring.

Made once by `app/main.py`; each function opens its own short transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy.exc import IntegrityError

from app.store import counters, gaps, portals
from app.store.database import Database
from app.store.secret_box import SecretBox
from app.web.admission import Gate, robot_secret

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IntakeStore:
    """The database as the intake sees it. `clock` gives the time of day, with offset."""

    database: Database
    box: SecretBox
    secret_key: str = field(repr=False)
    clock: Callable[[], datetime]

    async def gates(self) -> list[Gate]:
        """The enabled portals. Raises DatabaseAway, SecretUnreadable."""
        async with self.database.reading() as session:
            known = await portals.list_with_secrets(session, self.box)
        return [
            Gate(
                portal_id=portal.id,
                domain=portal.domain,
                member_id=portal.member_id,
                tokens=tuple(token.get_secret_value() for token in secrets.application_tokens),
                robot_secret=robot_secret(self.secret_key, portal.id),
            )
            for portal, secrets in known
        ]

    async def adopt(self, portal_id: int, member_id: str) -> None:
        """Keep the member_id of a portal that had none. Raises DatabaseAway."""
        try:
            async with self.database.writing() as session:
                await portals.learned(session, portal_id, member_id=member_id)
        except IntegrityError:
            # Another portal took it since the gates were read; the next reading shows which.
            _log.warning("member_id belongs to another portal", portal=portal_id)

    async def count(self, counted: dict[tuple[str, int], int]) -> None:
        """Add to today's counters. Raises DatabaseAway."""
        today = self.clock().date()
        async with self.database.writing() as session:
            for (name, portal_id), by in sorted(counted.items()):
                await counters.add(session, name, day=today, portal_id=portal_id, by=by)

    async def note_gap(self, noticed_at: datetime, reason: str) -> None:
        """Ask for a sweep. Raises DatabaseAway."""
        async with self.database.writing() as session:
            await gaps.note(session, noticed_at=noticed_at, reason=reason)
