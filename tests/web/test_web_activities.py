"""What people did on a card, over the API: page by page, with what is not known told as such."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.domain.activity_kind import Activity, ActivityKind, WhyUnknown
from app.store import activities, histories, owner_changes
from app.store.database import Database
from app.store.owner_changes import SeenOwner
from app.store.portals import Portal

pytestmark = pytest.mark.anyio

ADMIN = {"authorization": "Bearer admin-token-of-the-tests"}
NOW = datetime(2026, 8, 21, 9, 0, tzinfo=UTC)
CALL = Activity(
    activity_id=1,
    kind=ActivityKind.CALL_OUT,
    provider="VOXIMPLANT_CALL",
    direction="out",
    completed=True,
    owner_type_id=1,
    owner_id=7,
    responsible_id=12,
    author_id=12,
    created_at=NOW,
    start_at=NOW,
    end_at=NOW,
    updated_at=NOW,
    why_unknown=WhyUnknown.NO_STATISTICS,
)


async def test_a_card_tells_what_was_done_whose_it_was_and_what_is_missing(
    client: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    letter = replace(CALL, activity_id=2, kind=ActivityKind.LETTER_OUT, happened=True, why_unknown=None)
    async with database.writing() as session:
        await activities.keep(session, portal.id, [CALL, letter, replace(CALL, activity_id=3, owner_id=8)])
        for user, minutes in ((12, 0), (13, 5)):
            seen = SeenOwner(7, user, NOW + timedelta(minutes=minutes), NOW + timedelta(minutes=minutes))
            await owner_changes.note(session, portal.id, 1, [seen])
        await histories.read(session, portal.id, histories.ACTIVITIES, since=NOW, now=NOW)
        await histories.refused(session, portal.id, histories.CALLS, why="no scope", now=NOW)

    told = (await client.get("/api/v1/cards/lead/7/activities", headers=ADMIN)).json()

    assert [(one["id"], one["kind"], one["happened"], one["why_unknown"]) for one in told["items"]] == [
        (2, "letter_out", "yes", None),
        (1, "call_out", "unknown", "no_call_statistics"),
    ]
    assert told["next_before"] is None
    assert [one["user"] for one in told["owners"]] == [12, 13]
    assert [(one["source"], one["refused"]) for one in told["histories"]] == [
        ("activities", None),
        ("calls", "no scope"),
    ]

    page = (await client.get("/api/v1/cards/lead/7/activities?limit=1", headers=ADMIN)).json()
    assert ([one["id"] for one in page["items"]], page["next_before"]) == ([2], 2)
    page = (await client.get("/api/v1/cards/lead/7/activities?limit=1&before=2", headers=ADMIN)).json()
    assert [one["id"] for one in page["items"]] == [1]


async def test_nothing_kept_is_no_error_and_nobody_without_a_token_sees_it(
    client: httpx.AsyncClient, portal: Portal
) -> None:
    path = f"/api/v1/cards/deal/9/activities?portal={portal.id}"
    assert (await client.get(path)).status_code == 401
    told = (await client.get(path, headers=ADMIN)).json()
    assert told == {"items": [], "next_before": None, "owners": [], "histories": []}
