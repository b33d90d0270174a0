"""The three queues of calls to one portal: who goes first when request slots are scarce.

Used by callers to say how urgent a call is and by the lineup to choose. Holds no behaviour.
"""

from enum import IntEnum


class Lane(IntEnum):
    """How urgent a call is; lower goes first."""

    HOT = 0
    """A card somebody is waiting for. A few slots of the bucket and one place in flight are kept for it."""
    NORMAL = 1
    """Everyday work: updates that follow a decision."""
    BACKGROUND = 2
    """Sweeps, backfills, reports. Slower under load, never starved."""
