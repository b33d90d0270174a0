"""How often one address may prove wrong before it must wait. Pure: no I/O, and the clock is handed in.

Used by `access.py` for the API and by `sign_in.py` for the login form and login tickets. One per web process, in
memory, bounded: several processes allow so many times as much, which is still far too little to guess a token, and a
flood of guesses costs no write to the database. A restart forgets one minute.
"""

from collections import deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from math import ceil

WINDOW_SECONDS = 60
FAILURES_OF_ONE = 10
FAILURES_OF_ALL = 100
"""In the window; beyond it an address that has failed once must wait too."""
MOST_SOURCES = 10_000


class Throttle:
    """Remembers failed attempts of the last minute.

    An address without a failure is never made to wait, whatever others do: so guessing cannot lock out who has the
    right token. A success takes nothing back: else who has a token of his own could go on guessing another's.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        # In the order of the last failure: what is to be forgotten first stands in front.
        self._sources: dict[str, deque[float]] = {}
        self._all: deque[float] = deque(maxlen=FAILURES_OF_ALL)

    def wait(self, source: str) -> int:
        """Seconds until this address may try again; 0 when it may now."""
        failures = self._sources.get(source)
        if failures is None:
            return 0
        now = self._clock()
        own = _left(failures, FAILURES_OF_ONE, now)
        crowded = min(_left(self._all, FAILURES_OF_ALL, now), _left(failures, 1, now))
        return ceil(max(own, crowded))

    def failed(self, source: str) -> bool:
        """Note one wrong attempt; whether it is the one that closes the door to this address."""
        now = self._clock()
        failures = self._sources.pop(source, None) or deque[float](maxlen=FAILURES_OF_ONE)
        failures.append(now)
        self._sources[source] = failures
        self._all.append(now)
        self._forget(now)
        return _left(failures, FAILURES_OF_ONE, now) > 0

    def failures(self) -> int:
        """Wrong attempts of all addresses in the last minute, as far as they are counted."""
        now = self._clock()
        return sum(now - at < WINDOW_SECONDS for at in self._all)

    def _forget(self, now: float) -> None:
        while self._sources:
            source, failures = next(iter(self._sources.items()))
            if len(self._sources) <= MOST_SOURCES and now - failures[-1] < WINDOW_SECONDS:
                return
            del self._sources[source]


def source(address: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 that one IPv6 subscriber is given."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if isinstance(known, IPv6Address):
        if known.ipv4_mapped is not None:
            return str(known.ipv4_mapped)
        return f"{IPv6Address(int(known) >> 64 << 64)}/64"
    return str(known)


def _left(failures: deque[float], allowed: int, now: float) -> float:
    """Seconds until fewer than `allowed` of the failures lie in the window."""
    if len(failures) < allowed:
        return 0.0
    return max(0.0, failures[-allowed] + WINDOW_SECONDS - now)
