"""The Wilson interval: against published figures, and its laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.interval import share


# Newcombe (1998), Statistics in Medicine 17, table I, method 3: the score interval without continuity correction.
@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        pytest.param(81, 263, 0.2553, 0.3662, id="large"),
        pytest.param(15, 148, 0.0624, 0.1605, id="middling"),
        pytest.param(0, 20, 0.0000, 0.1611, id="none of 20"),
        pytest.param(1, 29, 0.0061, 0.1718, id="one of 29"),
    ],
)
def test_published_intervals(hits: int, of: int, low: float, high: float) -> None:
    seen = share(hits, of)
    assert seen is not None
    assert (round(seen.low, 4), round(seen.high, 4)) == (low, high)


def test_nothing_has_no_share() -> None:
    assert share(0, 0) is None


@given(st.integers(1, 5000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_laws(seen: tuple[int, int]) -> None:
    hits, of = seen
    told, other = share(hits, of), share(of - hits, of)
    assert told is not None
    assert other is not None
    assert 0 <= told.low <= told.value == hits / of <= told.high <= 1
    assert told.high > told.low, "a sample is never sure"
    assert (told.low, told.high) == pytest.approx((1 - other.high, 1 - other.low)), "the mirror image of the rest"
    more = share(hits * 2, of * 2)
    assert more is not None
    assert more.high - more.low < told.high - told.low, "a larger sample says more"
