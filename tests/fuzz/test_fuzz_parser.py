"""The parser of deliveries under hostile bodies: total, quick, and never giving what must not be stored."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.bodies import KINDS, TOKEN, Sender
from tests.fuzz.laws import hold

_NAMES = [
    "event", "data", "auth", "FIELDS", "ID", "ENTITY_TYPE_ID", "document_id", "ts", "0", "2", "", "application_token",
    "member_id", "domain", "access_token", "auth[", "]",
]  # fmt: skip
_VALUES = st.one_of(
    st.sampled_from(
        ["ONCRMLEADADD", "ONCRMDYNAMICITEMADD", "ONCRMDYNAMICITEMADD_147", "ONX", "LEAD_5", TOKEN, "5", "-5"]
    ),
    st.sampled_from(["%", "%zz", "%00", "%ff", "%ed%a0%80", "%25", "+", "9" * 400, "2147483648", "1000000000000001"]),
    st.integers().map(str),
    st.text(max_size=20),
    st.binary(max_size=20),
)


@st.composite
def _bodies(draw: st.DrawFn) -> bytes:
    """Bodies made of the right words in wrong places, at any depth, with any bytes for values."""
    parts: list[bytes] = []
    for _ in range(draw(st.integers(0, 8))):
        path = draw(st.lists(st.sampled_from(_NAMES), min_size=1, max_size=8))
        key = path[0] + "".join(f"[{name}]" for name in path[1:])
        value = draw(_VALUES)
        raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
        parts.append(key.encode() + draw(st.sampled_from([b"=", b"", b"==", b"[="])) + raw)
    return b"&".join(parts)


@given(_bodies(), st.text(max_size=50))
@settings(max_examples=400)
def test_any_body_of_known_words_keeps_the_promises(body: bytes, query: str) -> None:
    hold(body, query)


@given(_bodies())
@settings(max_examples=200)
def test_so_does_one_whose_sender_has_a_right_token(body: bytes) -> None:
    hold(body + b"&auth[application_token]=" + TOKEN.encode())


@given(st.binary(max_size=600))
@settings(max_examples=200)
def test_so_do_any_bytes(body: bytes) -> None:
    hold(body)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("knows", [True, False], ids=["knows the token", "guesses"])
def test_so_do_the_bodies_of_the_fuzzer(kind: str, knows: bool) -> None:
    sender = Sender(random.Random(f"{kind}{knows}"), knows=knows)
    for _ in range(60):
        hold(KINDS[kind](sender))
