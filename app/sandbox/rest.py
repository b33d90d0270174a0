"""One HTTP request to the portal: limits, credentials, scripted faults, the method or the batch, the answer.

Called by the server (which waits in real time) and by `SandboxPortal.call` (which does not). Commands run
one by one; between them the generator yields the seconds they take.
"""

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from app.sandbox import batch
from app.sandbox.errors import RestError
from app.sandbox.faults import AFTER, BEFORE, COMMAND, Fault, FaultScript
from app.sandbox.limits import LeakyBucket, Limits, OperatingLedger
from app.sandbox.methods.base import Call, Reply
from app.sandbox.methods.table import METHODS, allowed
from app.sandbox.wire import Params
from app.sandbox.world import World

HTML_502 = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>502 Bad Gateway</body>\r\n</html>"
HTML_504 = "<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>504</body>\r\n</html>"
_LONG_ENOUGH = 0.02


@dataclass(slots=True)
class Stats:
    """What the portal counted since the last reset."""

    requests: int = 0
    commands: dict[str, int] = field(default_factory=dict[str, int])
    refused_503: int = 0
    refused_429: int = 0
    failed: int = 0
    faults: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body (a map, or HTML text); `fault` tells the server how to break the wire."""

    status: int
    body: Any
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One command's result or refusal, and its row of the `time` object."""

    reply: Reply | None
    error: RestError | None
    time: dict[str, Any]
    seconds: float


Steps = Generator[float, None, Answer]


class Rest:
    """The REST entrance of one portal."""

    def __init__(
        self, world: World, limits: Limits, *, secret: str, faults: FaultScript, ticks: Callable[[], float]
    ) -> None:
        self.world = world
        self.limits = limits
        self.secret = secret
        self.faults = faults
        self.stats = Stats()
        self.ledger = OperatingLedger()
        self.lock = threading.RLock()
        self._bucket = LeakyBucket()
        self._ticks = ticks

    def request(self, method: str, params: Params, *, user: str, secret: str) -> Steps:
        """Run one HTTP request to its answer; every request counts for the bucket, a wrong one too."""
        self.stats.requests += 1
        if self.limits.enforced and not self._bucket.admit(self.limits, self._ticks()):
            self.stats.refused_503 += 1
            return _refused(RestError("QUERY_LIMIT_EXCEEDED", "Too many requests", 503))
        if not secret:
            return _refused(RestError("NO_AUTH_FOUND", "Wrong authorization data", 401))
        if (user, secret) != (str(self.world.owner_id), self.secret):
            return _refused(RestError("INVALID_CREDENTIALS", "Invalid request credentials", 401))
        name = method.strip("/").removesuffix(".json").lower()
        commands = batch.read_commands(params) if name == "batch" else []
        hit = self.faults.strike(BEFORE, [name, *(one.method for one in commands)])
        if hit is not None:
            return self._broken(hit)
        steps = self._batch(commands, params) if name == "batch" else self._single(name, params)
        return self._ended(steps, [name, *(one.method for one in commands)])

    def _broken(self, fault: Fault) -> Steps:
        self.stats.faults += 1
        if fault.kind == "html502":
            return _answered(Answer(502, HTML_502))
        self.stats.refused_503 += 1
        return _refused(RestError("QUERY_LIMIT_EXCEEDED", "Too many requests", 503))

    def _ended(self, steps: Steps, names: list[str]) -> Steps:
        answer = yield from steps
        hit = self.faults.strike(AFTER, names)
        if hit is None:
            return answer
        self.stats.faults += 1
        return Answer(answer.status, answer.body, hit)

    def _single(self, name: str, params: Params) -> Steps:
        outcome = self._run(name, params)
        yield min(outcome.seconds, self.limits.request_seconds)
        if outcome.seconds > self.limits.request_seconds:
            return Answer(504, HTML_504)
        if outcome.error is not None:
            return Answer(outcome.error.status, outcome.error.body())
        reply = outcome.reply or Reply(None)
        body: dict[str, Any] = {"result": reply.result}
        if reply.next is not None:
            body["next"] = reply.next
        if reply.total is not None:
            body["total"] = reply.total
        body["time"] = outcome.time
        return Answer(200, body)

    def _batch(self, commands: list[batch.Command], params: Params) -> Steps:
        """Always 200; a request that would run too long is cut, what ran stays done."""
        started = self.world.time.stamp()
        halt = batch.halts(params)
        collected = batch.Collected()
        spent = owed = 0.0
        for index, command in enumerate(commands):
            outcome = self._command(index, command, collected)
            spent += outcome.seconds
            owed += outcome.seconds
            if spent > self.limits.request_seconds:
                yield max(0.0, self.limits.request_seconds - spent + owed)
                return Answer(504, HTML_504)
            if owed >= _LONG_ENOUGH:
                yield owed
                owed = 0.0
            _collect(collected, command.key, outcome)
            if outcome.error is not None and halt:
                break
        yield owed
        return Answer(200, {"result": collected.body(), "time": self._time(started, spent)})

    def _command(self, index: int, command: batch.Command, collected: batch.Collected) -> Outcome:
        if index >= batch.MOST_COMMANDS:
            return Outcome(None, batch.TOO_LONG, {}, 0)
        if command.method == "batch":
            return Outcome(None, batch.NOT_ALLOWED, {}, 0)
        return self._run(command.method, batch.resolved(command.params, collected.results))

    def _run(self, name: str, params: Params) -> Outcome:
        """One command under the lock: checks, the method, the booking of its run time."""
        with self.lock:
            stamp = self.world.time.stamp()
            self.stats.commands[name] = self.stats.commands.get(name, 0) + 1
            try:
                reply, error = self._reply(name, params, stamp), None
            except RestError as refusal:
                reply, error = None, refusal
                self.stats.failed += 1
            if name not in METHODS or (error is not None and error.code == "OPERATION_TIME_LIMIT"):
                return Outcome(None, error, {}, 0)
            seconds = self.limits.cost_of(name)
            operating = self.ledger.book(name, seconds, stamp)
            row = self._time(stamp, seconds)
            row |= {"operating_reset_at": self.ledger.reset_at(name, stamp), "operating": round(operating, 6)}
            return Outcome(reply, error, row, seconds)

    def _reply(self, name: str, params: Params, stamp: float) -> Reply:
        method = METHODS.get(name)
        if method is None:
            raise RestError("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)
        if not allowed(self.world, method):
            text = "The request requires higher privileges than provided by the webhook token"
            raise RestError("insufficient_scope", text, 403)
        over = self.ledger.spent(name, stamp) > self.limits.operating_seconds
        hit = self.faults.strike(COMMAND, [name])
        if hit is not None:
            self.stats.faults += 1
        if (self.limits.enforced and over) or (hit is not None and hit.kind == "429"):
            self.stats.refused_429 += 1
            raise RestError("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", 429)
        if hit is not None:
            raise RestError(hit.code, hit.description, hit.status)
        return method.run(Call(self.world, params))

    def _time(self, stamp: float, seconds: float) -> dict[str, Any]:
        text = self.world.time.text
        return {
            "start": round(stamp, 6),
            "finish": round(stamp + seconds, 6),
            "duration": round(seconds, 6),
            "processing": round(seconds, 6),
            "date_start": text(stamp),
            "date_finish": text(stamp + seconds),
        }


def _collect(collected: batch.Collected, key: str, outcome: Outcome) -> None:
    if outcome.error is not None:
        collected.errors[key] = outcome.error.body()
        return
    reply = outcome.reply or Reply(None)
    collected.results[key] = reply.result
    collected.times[key] = outcome.time
    if reply.total is not None:
        collected.totals[key] = reply.total
    if reply.next is not None:
        collected.nexts[key] = reply.next


def _answered(answer: Answer) -> Steps:
    yield 0.0
    return answer


def _refused(error: RestError) -> Steps:
    return _answered(Answer(error.status, error.body()))
