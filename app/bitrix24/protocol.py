"""The wire format of Bitrix24 REST without any I/O: bytes of requests and the meaning of answers.

Called by the batcher and the loader. Must not import an HTTP library, keep state or read a clock.
Shapes: docs settings/how-to-call-rest-api/general-principles and .../batch.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from app.bitrix24 import encoding
from app.bitrix24.errors import Bitrix24Error, OperatingLimited, Rejected, ServerFault
from app.bitrix24.faults import fault

BATCH: Final = "batch"
LARGEST_BATCH: Final = 50
PAGE: Final = 50
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
KEYS: Final = tuple(f"{first}{second}" for first in "ab" for second in _LETTERS)[:LARGEST_BATCH]
"""Command keys. Letters only: numeric keys come back as lists."""

_OK: Final = 200
_CLIENT_ERROR: Final = 400


@dataclass(frozen=True, slots=True)
class Time:
    """The `time` object of an answer, as far as it was there; seconds.

    `operating` is the run time this method has used up for us in the last ten minutes: cumulative, not the cost
    of this call. `reset_in` is how long after the answer the oldest minute leaves that sum (docs: limits).
    `offset` is the portal's own `date_start`, which carries its time zone.
    """

    duration: float | None = None
    operating: float | None = None
    reset_at: float | None = None
    finish: float | None = None
    date_start: str = ""

    @classmethod
    def read(cls, raw: object) -> "Time":
        """From the answer's `time`; anything missing or odd is None."""
        if not isinstance(raw, dict):
            return NO_TIME
        told = cast("dict[str, Any]", raw)
        return cls(
            duration=_number(told.get("duration")),
            operating=_number(told.get("operating")),
            reset_at=_number(told.get("operating_reset_at")),
            finish=_number(told.get("finish")) or _number(told.get("start")),
            date_start=str(told.get("date_start") or ""),
        )


NO_TIME: Final = Time()


@dataclass(frozen=True, slots=True)
class Answer:
    """One method's answer: `result` as the portal gave it, `total` and `next` of list methods, `time`."""

    result: Any
    total: int | None = None
    next: int | None = None
    time: Time = NO_TIME


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What became of each command, in the order sent, and the `time` of the whole request."""

    outcomes: tuple[Answer | Bitrix24Error, ...]
    time: Time = NO_TIME


def batch_body(commands: Sequence[str]) -> bytes:
    """A `batch` request for up to 50 commands; an error in one does not stop the others."""
    return encoding.body({"halt": 0, "cmd": dict(zip(KEYS, commands, strict=False))})


def read_answer(status: int, content: bytes, *, method: str) -> Answer:
    """The answer of a single call. Raises the error it stands for."""
    told = _envelope(status, content, method=method)
    return Answer(
        result=told["result"],
        total=_whole(told.get("total")),
        next=_whole(told.get("next")),
        time=Time.read(told.get("time")),
    )


def read_batch(status: int, content: bytes, methods: Sequence[str]) -> BatchAnswer:
    """The answers of a batch of these methods. Raises when the batch as a whole failed.

    A command that is neither in `result` nor in `result_error` comes out as a `ServerFault`.
    """
    told = _envelope(status, content, method=BATCH)
    if not isinstance(told["result"], dict):
        raise ServerFault("A batch was answered without its results", method=BATCH, status=status)
    inside = cast("dict[str, Any]", told["result"])
    results, refusals = _map(inside.get("result")), _map(inside.get("result_error"))
    totals, nexts, times = (_map(inside.get(f"result_{name}")) for name in ("total", "next", "time"))
    outcomes: list[Answer | Bitrix24Error] = []
    for key, method in zip(KEYS, methods, strict=False):
        if key in refusals:
            outcomes.append(_refusal(refusals[key], Time.read(times.get(key)), method=method))
        elif key in results:
            answer = Answer(
                result=results[key],
                total=_whole(totals.get(key)),
                next=_whole(nexts.get(key)),
                time=Time.read(times.get(key)),
            )
            outcomes.append(answer)
        else:
            outcomes.append(ServerFault("The batch came back without an answer to this command", method=method))
    return BatchAnswer(tuple(outcomes), Time.read(told.get("time")))


def items_of(result: Any) -> list[Any]:
    """The rows of a list answer, whatever its container (docs differ by method: items, tasks, categories...)."""
    if isinstance(result, list):
        return cast("list[Any]", result)
    if isinstance(result, dict):
        inside = cast("dict[str, Any]", result)
        lists = [cast("list[Any]", value) for value in inside.values() if isinstance(value, list)]
        if len(lists) == 1:
            return lists[0]
        if not inside:
            return []
    raise Rejected("The answer is not a list of rows")


def _envelope(status: int, content: bytes, *, method: str) -> dict[str, Any]:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        start = " ".join(content[:200].decode("utf-8", "replace").split())
        raise ServerFault(f"The answer is not JSON; it starts: {start!r}", method=method, status=status)
    answer = cast("dict[str, Any]", told)
    if "error" in answer and "result" not in answer:
        raise _whole_fault(answer, method=method, status=status)
    if status >= _CLIENT_ERROR:
        raise fault(answer.get("error", ""), answer.get("error_description"), method=method, status=status)
    if "result" not in answer:
        raise ServerFault("The answer has neither a result nor an error", method=method, status=status)
    return answer


def _whole_fault(answer: Mapping[str, Any], *, method: str, status: int) -> Bitrix24Error:
    told = None if status == _OK else status
    error = fault(answer["error"], answer.get("error_description"), method=method, status=told)
    return _with_delay(error, Time.read(answer.get("time")))


def _refusal(raw: object, time: Time, *, method: str) -> Bitrix24Error:
    if isinstance(raw, dict):
        told = cast("dict[str, Any]", raw)
        return _with_delay(fault(told.get("error", ""), told.get("error_description"), method=method), time)
    return fault("", raw, method=method)


def _with_delay(error: Bitrix24Error, time: Time) -> Bitrix24Error:
    """The server's own delay, where it tells one."""
    if isinstance(error, OperatingLimited) and time.reset_at is not None and time.finish is not None:
        error.reset_in = max(0.0, time.reset_at - time.finish)
    return error


def _map(raw: object) -> dict[str, Any]:
    """PHP prints an empty map as `[]` and one with keys 0, 1, 2 as a list."""
    if isinstance(raw, dict):
        return cast("dict[str, Any]", raw)
    if isinstance(raw, list):
        return {str(index): value for index, value in enumerate(cast("list[Any]", raw))}
    return {}


def _number(raw: object) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    try:
        return float(raw)
    except (ValueError, OverflowError):
        return None


def _whole(raw: object) -> int | None:
    number = _number(raw)
    return int(number) if number is not None and abs(number) < 2**53 else None
