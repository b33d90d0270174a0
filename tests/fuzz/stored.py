"""What may stand in the database after a barrage, looked at from outside: plain SQL, none of our own reading.

Used by the fuzzer and its test. Gives sentences about what should not be; none is what we want.
"""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote_plus

import psycopg

from tests.fuzz.barrage import Outcome
from tests.fuzz.bodies import ACCESS, FORGED, MEMBER, REFRESH, TOKEN, YOUNG_TOKEN
from tests.fuzz.house import SECRET_KEY, WEBHOOK_CODE, Target

SECRETS = (TOKEN, YOUNG_TOKEN, ACCESS, REFRESH, SECRET_KEY, WEBHOOK_CODE)
_LARGEST_ID, _LARGEST_TYPE = 10**15, 2**31 - 1
_MOST_FORGED = 10**7
_FOREIGN = "The token is right, but no portal with this member_id"
_COUNTED = {"webhook_refused", "webhook_malformed"}
_UNTOUCHED = ("cards", "runs", "actions", "timers", "gaps", "stage_moves", "changed_cards", "procrastinate_jobs")


def rows_stored(conninfo: str) -> dict[str, int]:
    """How many rows are hints, and how many were kept as rejected, by reason."""
    with psycopg.connect(conninfo) as connection:
        query = "SELECT coalesce(rejected, ''), count(*) FROM journal GROUP BY 1 ORDER BY 2 DESC"
        return dict(connection.execute(query).fetchall())


def faults_of(conninfo: str, target: Target, outcome: Outcome) -> Iterator[str]:
    """Everything that should not be there."""
    with psycopg.connect(conninfo) as connection:
        columns = (
            "id, portal_id, source, event, entity_type_id, card_id, change, lane, body::text, dispatched_at, rejected"
        )
        rows = connection.execute(f"SELECT {columns} FROM journal ORDER BY id").fetchall()
        yield from _of_rows(rows, target)
        yield from _of_counts(rows, outcome)
        yield from _of_portals(
            connection.execute("SELECT id, domain, member_id, enabled FROM portals ORDER BY id"), target
        )
        for table in _UNTOUCHED:
            if (count := connection.execute(f"SELECT count(*) FROM {table}").fetchone()) != (0,):
                yield f"{count} rows in {table}"
        names = {row[0] for row in connection.execute("SELECT DISTINCT name FROM counters")}
        if not names <= _COUNTED:
            yield f"counters of other names: {names - _COUNTED}"
    yield from _of_log(target)


def _of_rows(rows: Iterable[tuple[Any, ...]], target: Target) -> Iterator[str]:
    for row in rows:
        number, portal_id, source, event, type_id, card_id, change, lane, body, dispatched_at, rejected = row
        if source not in ("webhook", "robot") or lane not in (0, 1, 2):
            yield f"row {number}: source {source}, lane {lane}"
        if card_id is not None and not 0 < card_id <= _LARGEST_ID:
            yield f"row {number}: card {card_id}"
        if card_id is not None and FORGED <= card_id < FORGED + _MOST_FORGED:
            yield f"row {number}: {event} of card {card_id}, from a sender without a right token"
        if type_id is not None and not 0 < type_id <= _LARGEST_TYPE:
            yield f"row {number}: entity type {type_id}"
        if any(secret.lower() in unquote_plus(f"{event} {body} {rejected}").lower() for secret in SECRETS):
            yield f"row {number}: a secret stands in it: {event} {body} {rejected}"
        if rejected is None:
            if portal_id not in (target.portal_id, target.young_id) or body is not None or dispatched_at is not None:
                yield f"row {number}: a hint of portal {portal_id} with more than a hint"
            if change not in ("add", "update", "delete", "move", "other") or not event.isascii() or len(event) > 100:
                yield f"row {number}: a hint of event {event!r}, change {change}"
        elif not rejected.strip() or dispatched_at is None or len(body or "") > 9000 or len(event) > 100:
            yield f"row {number}: rejected without a reason, too long, or waiting for dispatch"
        elif (portal_id is None) is not rejected.startswith(_FOREIGN):
            yield f"row {number}: rejected for {rejected!r} at portal {portal_id}"


def _of_counts(rows: Iterable[tuple[Any, ...]], outcome: Outcome) -> Iterator[str]:
    """Each 200 is one row; besides those only foreign ones, and those whose sender did not wait for the answer."""
    taken = sum(not (row[-1] or "").startswith(_FOREIGN) for row in rows)
    told = outcome.known[200]
    if not told <= taken <= told + outcome.unanswered_known:
        yield f"{told} deliveries were answered 200 (and {outcome.unanswered_known} not at all), {taken} are stored"


def _of_portals(rows: Iterable[tuple[Any, ...]], target: Target) -> Iterator[str]:
    known = {row[0]: row[1:] for row in rows}
    if set(known) != {target.portal_id, target.young_id} or not all(enabled for _, _, enabled in known.values()):
        yield f"the portals are {known}"
    elif known[target.portal_id][1] != MEMBER:
        yield f"a portal has another member_id now: {known[target.portal_id][1]!r}"
    else:
        member_id = known[target.young_id][1]
        if member_id is not None and not (member_id.isascii() and member_id.isalnum() and len(member_id) <= 64):
            yield f"a portal took this for its member_id: {member_id[:100]!r}"


def _of_log(target: Target) -> Iterator[str]:
    log = target.log.read_text(errors="replace")
    if "Traceback" in log:
        yield f"a traceback in the server's log: {log[log.index('Traceback') :][:2000]}"
    if any(secret in log for secret in SECRETS):
        yield "a secret stands in the server's log"
    if len(log) > 100_000:
        yield f"strangers wrote {len(log)} characters into the server's log"
