"""How sure a share seen in a sample is: the Wilson score interval.

Called by the figures of the second look. Chosen over the textbook's `p ± z·s` because samples here are small and
shares near 0, where that one gives intervals below zero, or of no width at all.
"""

from dataclasses import dataclass
from math import sqrt

Z95 = 1.959963984540054
"""The two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `of`, as a share from 0 to 1, and the interval in which the true one lies in 95 cases of 100."""

    hits: int
    of: int
    value: float
    low: float
    high: float


def share(hits: int, of: int, *, z: float = Z95) -> Share | None:
    """The share with its interval; None where there is nothing to take a share of. `0 <= hits <= of`."""
    if not of:
        return None
    seen = hits / of
    weight = z * z / of
    middle = (seen + weight / 2) / (1 + weight)
    reach = z * sqrt(seen * (1 - seen) / of + weight / (4 * of)) / (1 + weight)
    # Rounding alone can take an end past the share itself, where that is 0 or 1.
    return Share(hits, of, seen, low=min(seen, max(0.0, middle - reach)), high=max(seen, min(1.0, middle + reach)))
