"""Scripted misfortune: what goes wrong, for which method, how often.

Called by `rest` (to decide) and by the server (to break the wire). Deterministic by the portal's seed.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["503", "429", "html502", "drop_after_write", "truncated", "hang", "error"]

# These hit the HTTP request as a whole, before anything ran.
BEFORE: frozenset[Kind] = frozenset({"503", "html502"})
# These hit the answer, after everything ran: the writes are there, the client does not know.
AFTER: frozenset[Kind] = frozenset({"drop_after_write", "truncated", "hang"})
# These refuse one command, also inside a batch.
COMMAND: frozenset[Kind] = frozenset({"429", "error"})


@dataclass(slots=True)
class Fault:
    """One fault. `method` None matches every method, `batch` the batch request itself.

    times: how often it still strikes (None for ever); probability: chance per match.
    code, description, status: the refusal of kind `error`; seconds: the wait of kind `hang`.
    """

    kind: Kind
    method: str | None = None
    code: str = "INTERNAL_SERVER_ERROR"
    description: str = "Internal server error"
    status: int = 500
    times: int | None = 1
    probability: float = 1.0
    seconds: float = 65.0


class FaultScript:
    """The list a test fills; `strike` consumes it."""

    def __init__(self, dice: random.Random) -> None:
        self.faults: list[Fault] = []
        self._dice = dice

    def append(self, fault: Fault) -> None:
        self.faults.append(fault)

    def clear(self) -> None:
        self.faults.clear()

    def strike(self, kinds: frozenset[Kind], methods: Iterable[str]) -> Fault | None:
        """The first fault of these kinds that hits one of the methods now, its count reduced."""
        if not self.faults:
            return None
        named = {name.lower() for name in methods}
        for fault in self.faults:
            if fault.kind not in kinds or fault.times == 0:
                continue
            if fault.method is not None and fault.method.lower() not in named:
                continue
            if fault.probability < 1 and self._dice.random() >= fault.probability:
                continue
            if fault.times is not None:
                fault.times -= 1
            return fault
        return None
