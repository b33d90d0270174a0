"""How busy the machine was with other things while something was measured: said beside a figure, changing none.

Linux tells it in `/proc`; elsewhere nothing is said. Used by `benchmarks.client`.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

_PRESSURE = Path("/proc/pressure/cpu")
_STAT = Path("/proc/stat")
_STEAL = 8


@dataclass(frozen=True, slots=True)
class Busy:
    """Seconds since the machine started: somebody waited for a core; the host gave our cores to others."""

    at: float
    waited: float
    stolen: float

    def since(self, before: "Busy") -> str:
        """What happened in between, in shares of the time."""
        passed = max(self.at - before.at, 1e-3)
        waited, stolen = (self.waited - before.waited) / passed, (self.stolen - before.stolen) / passed
        return f"a core was waited for {waited:.0%} of the time, stolen {stolen:.0%}"


def busy() -> Busy | None:
    """Now; None where the system does not tell."""
    try:
        some = _PRESSURE.read_text().splitlines()[0]
        ticks = int(_STAT.read_text().split(maxsplit=_STEAL + 1)[_STEAL])
    except (OSError, IndexError, ValueError):
        return None
    return Busy(time.monotonic(), int(some.rsplit("total=", 1)[1]) / 1e6, ticks / os.sysconf("SC_CLK_TCK"))
