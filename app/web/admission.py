"""Which portal a delivery comes from, and whether its token proves it. All in memory.

Used by `intake.py`. Portals and tokens are read every few seconds, and once more when a delivery finds no match;
that second reading is shared and at most one a second, so hostile traffic can't hammer the database.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from app.errors import OgonError
from app.web.signing import SigningKey, same

REFRESH_SECONDS = 5.0
MISS_SECONDS = 1.0
# 32 hexadecimal digits as far as anybody has seen. It is kept for good, so nothing long or strange is taken for one.
_MEMBER_ID = re.compile(r"[0-9A-Za-z]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Gate:
    """What the intake knows of one portal. `tokens` and `robot_secret` are secrets."""

    portal_id: int
    domain: str
    member_id: str | None
    tokens: tuple[str, ...]
    robot_secret: str

    def __repr__(self) -> str:
        return f"Gate(portal_id={self.portal_id}, domain={self.domain!r})"

    def opens_to(self, token: str) -> bool:
        """Whether `token` is one of ours; compares with each of them, whichever fits."""
        fits = 0
        for known in self.tokens:
            fits |= same(token, known)
        return bool(fits)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who a delivery says it is; empty texts where it says nothing."""

    token: str
    member_id: str
    domain: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """A valid token, but of another portal than the one the delivery names."""

    gate: Gate


def robot_secret(secret_key: str, portal_id: int) -> str:
    """The unguessable part of a portal's robot address; follows from SECRET_KEY, so nothing is stored."""
    return SigningKey.derive(secret_key, "robot").tag(str(portal_id))


def robot_path(secret_key: str, portal_id: int) -> str:
    """Path for a robot's "Outgoing webhook": the calls carry no token, so the path is the secret.

    Show it to the administrator only; after PUBLIC_URL it makes the address to paste into the robot.
    """
    return f"/webhooks/bitrix24/robot/{robot_secret(secret_key, portal_id)}"


class Admission:
    """The cached gates and the decision who may pass."""

    def __init__(self, load: Callable[[], Awaitable[Sequence[Gate]]], *, clock: Callable[[], float]) -> None:
        """`load` reads all enabled portals; `clock` is monotonic, in seconds."""
        self._load = load
        self._clock = clock
        self._gates: Sequence[Gate] | None = None
        self._by_member: dict[str, Gate] = {}
        self._by_domain: dict[str, Gate] = {}
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def admit(self, claim: Claim) -> Gate | Foreign | None:
        """The portal whose token this is; Foreign; None for no valid token. A cold start raises what `load` raises."""
        found = self._match(claim)
        if not isinstance(found, Gate) and await self._read_again():
            found = self._match(claim)
        return found

    async def admit_robot(self, secret: str) -> Gate | None:
        """The portal whose robot address this is. A cold start raises what `load` raises."""
        found = self._match_robot(secret)
        if found is None and await self._read_again():
            found = self._match_robot(secret)
        return found

    async def refresh(self) -> None:
        """Read the portals now. Callers share one reading. Raises what `load` raises; the old gates stay."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="read-portals")
        await asyncio.shield(self._reading)

    async def close(self) -> None:
        """Wait for a reading that is under way: it holds a connection."""
        if self._reading is not None:
            await asyncio.wait([self._reading])

    async def _read(self) -> None:
        try:
            gates = await self._load()
            self._gates = gates
            self._by_member = {gate.member_id: gate for gate in gates if gate.member_id}
            self._by_domain = {gate.domain.lower(): gate for gate in gates}
        finally:
            self._read_at = self._clock()
            self._reading = None

    async def _read_again(self) -> bool:
        if self._gates is None:
            await self.refresh()
            return True
        if self._reading is None and self._clock() - self._read_at < MISS_SECONDS:
            return False
        try:
            await self.refresh()
        except OgonError:
            return False
        return True

    def _match(self, claim: Claim) -> Gate | Foreign | None:
        if claim.member_id:
            named = self._by_member.get(claim.member_id)
            if named is not None:
                return named if named.opens_to(claim.token) else None
            return self._match_unnamed(claim)
        if claim.domain and (by_domain := self._by_domain.get(claim.domain.lower())):
            return by_domain if by_domain.opens_to(claim.token) else None
        return next(iter(self._holders(claim.token)), None)

    def _match_unnamed(self, claim: Claim) -> Gate | Foreign | None:
        """The delivery names a member_id that no portal has: one that has none yet may take it."""
        holders = self._holders(claim.token)
        nameless = [gate for gate in holders if gate.member_id is None and _MEMBER_ID.fullmatch(claim.member_id)]
        nameless.sort(key=lambda gate: gate.domain.lower() != claim.domain.lower())
        if nameless:
            return nameless[0]
        return Foreign(holders[0]) if holders else None

    def _holders(self, token: str) -> list[Gate]:
        # No early end: the time taken does not tell which portal's token came close.
        return [gate for gate in self._gates or () if gate.opens_to(token)]

    def _match_robot(self, secret: str) -> Gate | None:
        found = [gate for gate in self._gates or () if same(secret, gate.robot_secret)]
        return found[0] if found else None
