"""The webhook address: verify, write down, answer. Everything else happens in the worker.

Bare ASGI, called by `app/main.py` before the framework sees the request. A delivery is answered 200 only after
its journal row is committed. No answer says why a delivery was refused: every 403 is the same.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from app.bitrix24.events import DEEPEST, MOST_KEYS, BadEvent, Event, RobotCall, parse
from app.errors import OgonError
from app.store.journal import NewEntry
from app.store.journal_flush import RowsRefused
from app.web.admission import Admission, Claim, Foreign, Gate
from app.web.bare import Answer, Receive, Scope, Send, read_body, refusal_by_head
from app.web.gap_mark import GapMark
from app.web.group_commit import GroupCommit
from app.web.hints import of_event, of_foreign, of_not_understood, of_robot_call
from app.web.tally import Tally

PATH = "/webhooks/bitrix24"
_ROBOT_PATH = PATH + "/robot/"

STORED = Answer(200, "")
REFUSED = Answer(403, "Forbidden\n")
NOT_UNDERSTOOD = Answer(400, "The body is not understood.\n")
TRY_LATER = Answer(503, "The service cannot store this now.\n", ((b"retry-after", b"5"),))
NOTHING_HERE = Answer(404, "Not found\n")


@dataclass(frozen=True, slots=True)
class Intake:
    """All that a delivery meets on its way into the journal.

    `adopt(portal_id, member_id)` keeps the member_id of a portal that had none; `on_answer` hears every status.
    """

    admission: Admission
    journal: GroupCommit[NewEntry]
    tally: Tally
    gap: GapMark
    adopt: Callable[[int, str], Awaitable[None]]
    on_answer: Callable[[int], None] = lambda _status: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request whose path starts with PATH."""
        answer = refusal_by_head(scope)
        if answer is None:
            body = await read_body(receive)
            if body is None:
                return
            answer = body if isinstance(body, Answer) else await self._take(scope, body)
        self.on_answer(answer.status)
        if answer.status in {400, 413}:
            self.tally.count("webhook_malformed")
        await answer.send(send)

    async def _take(self, scope: Scope, body: bytes) -> Answer:
        path: str = scope["path"]
        secret = path.removeprefix(_ROBOT_PATH) if path.startswith(_ROBOT_PATH) else None
        if secret is None and path.rstrip("/") != PATH:
            return NOTHING_HERE
        try:
            return await self._take_delivery(body, scope["query_string"].decode("latin-1"), secret)
        except RowsRefused:
            return NOT_UNDERSTOOD
        except OgonError:
            # The database is away, too much waits, or the portals' secrets can't be read: not the sender's fault.
            self.gap.lost()
            return TRY_LATER
        except Exception:
            self.gap.lost()
            raise

    async def _take_delivery(self, body: bytes, query: str, secret: str | None) -> Answer:
        try:
            delivery = parse(body, query)
        except BadEvent as error:
            return await self._take_riddle(body, secret, str(error))
        match delivery:
            case Event() if secret is None:
                return await self._take_event(delivery)
            case RobotCall():
                return await self._take_robot_call(delivery, secret)
            case _:
                return self._refuse()

    async def _take_event(self, event: Event) -> Answer:
        passed = await self.admission.admit(Claim(event.application_token, event.member_id, event.domain))
        match passed:
            case Gate():
                if passed.member_id is None and event.member_id:
                    await self.adopt(passed.portal_id, event.member_id)
                    await self.admission.refresh()
                await self.journal.put(of_event(event, passed.portal_id))
                return STORED
            case Foreign():
                await self.journal.put(of_foreign(event))
                return self._refuse()
            case None:
                return self._refuse()

    async def _take_robot_call(self, call: RobotCall, secret: str | None) -> Answer:
        given = call.query.get("secret") if secret is None else secret
        gate = await self.admission.admit_robot(given) if isinstance(given, str) else None
        if gate is None:
            return self._refuse()
        await self.journal.put(of_robot_call(call, gate.portal_id))
        return STORED

    async def _take_riddle(self, body: bytes, secret: str | None, reason: str) -> Answer:
        """A body that is no event: kept with the reason where it proves itself, else told apart from nothing."""
        form = _flat_form(body)
        if form is None:
            return NOT_UNDERSTOOD
        claim = Claim(
            form.get("auth[application_token]", ""), form.get("auth[member_id]", ""), form.get("auth[domain]", "")
        )
        if secret is None and not claim.token and "event" not in form:
            return NOT_UNDERSTOOD
        passed = await (self.admission.admit(claim) if secret is None else self.admission.admit_robot(secret))
        if not isinstance(passed, Gate):
            return self._refuse()
        await self.journal.put(of_not_understood(reason, passed.portal_id))
        return STORED

    def _refuse(self) -> Answer:
        self.tally.count("webhook_refused")
        return REFUSED


def _flat_form(body: bytes) -> dict[str, str] | None:
    """The body's keys and values as they stand; None when it is no form, or one that is nested too deep."""
    try:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=MOST_KEYS))
    except ValueError:
        return None
    too_deep = any(key.count("[") > DEEPEST for key in form)
    return None if too_deep else form
