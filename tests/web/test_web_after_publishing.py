"""The API of what follows publishing: judging again, the effect, the second looks."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert, text
from web_cards import judged_lead

from app.domain.ruleset import DEFAULT
from app.store import audit, effects, rejudging, rulesets, second_looks
from app.store.audit import AuditFilter
from app.store.models import ReplayRow, SecondLookRow, SecondLookWeekRow
from app.store.ruleset_document import ruleset_to_document

pytestmark = pytest.mark.anyio

ADMIN = "admin-token-of-the-tests"
BEARER = {"Authorization": f"Bearer {ADMIN}"}
DOCUMENT = ruleset_to_document(DEFAULT)
WEEKS = (date(2026, 11, 9), date(2026, 11, 16))
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


async def _get(client, path, status=200, **query):
    answer = await client.get(f"/api/v1{path}", headers=BEARER, params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


async def _publish(database, portal, version):
    async with database.writing() as session:
        return await rulesets.publish(
            session, portal_id=portal.id, edited_version=version - 1, document=DOCUMENT, author="a", reason="r"
        )


async def test_progress_of_judging_again(database, client, portal):
    for number in (1, 2):
        await judged_lead(database, portal.id, number)
    await _publish(database, portal, 1)
    told = await _get(client, "/rules/1/rejudging")
    assert (told["state"], told["total"], told["done"]) == ("due", 2, 0)
    await rejudging.step(database, settle=timedelta(0))
    await _publish(database, portal, 2)
    assert (await _get(client, "/rules/1/rejudging"))["state"] == "superseded"
    metrics = (await client.get("/metrics", headers=BEARER)).text
    assert f'ogon_rejudging_left{{portal="{portal.id}"}} 2.0' in metrics
    async with database.writing() as session:
        await session.execute(
            text('UPDATE rejudgings SET judged = 5, changes = \'[[1, "junk", "deal", 3]]\', finished_at = now()')
        )
    told = await _get(client, "/rules/2/rejudging")
    assert (told["state"], told["total"], told["done"], told["changed"]) == ("finished", 5, 5, 3)
    assert told["changes"] == [{"type": "lead", "before": "junk", "after": "deal", "cards": 3}]

    assert (await _get(client, "/rules/3/rejudging", 404))["error"]["code"] == "version_unknown"
    async with database.writing() as session:
        await session.execute(text("DELETE FROM rejudgings"))
    assert (await _get(client, "/rules/2/rejudging", 404))["error"]["code"] == "rejudging_unknown"
    assert (await client.get("/api/v1/rules/1/rejudging")).status_code == 401


async def test_the_effect_of_a_version(database, client, portal):
    async with database.writing() as session:
        cells = [[1, "junk", "deal", 1], [1, "junk", "junk", 2], [1, "deal", "deal", 1], [2, "AAA", "AAA", 5]]
        since, until = NOW - timedelta(days=30), NOW
        made = insert(ReplayRow).values(
            portal_id=portal.id, draft=DOCUMENT, since=since, until=until, asked_by="a", state="done",
            tally={"cells": cells, "gaps": {"rows_not_read": 4}},
        )  # fmt: skip
        replay = (await session.execute(made.returning(ReplayRow.id))).scalar_one()
    published = await _publish(database, portal, 1)
    waiting = await _get(client, "/rules/1/effect")
    assert (waiting["state"], waiting["fact"], waiting["previous"]) == ("waiting", None, None)
    assert datetime.fromisoformat(waiting["due_at"]) == published.created_at + timedelta(days=14)
    basis = waiting["forecast"]
    assert (basis["replay"], basis["compared"], basis["changed"], basis["not_compared"]) == (replay, 9, 1, 4)

    await judged_lead(database, portal.id, 1)
    async with database.writing() as session:
        await session.execute(text("UPDATE runs SET opened_at = now() + interval '1 hour'"))
    await effects.step(database, now=published.created_at + timedelta(days=14))
    told = await _get(client, "/rules/1/effect")
    assert (told["state"], told["previous"], told["rejudged"]) == ("computed", None, {"judged": 0, "changed": 0})
    assert (told["fact"]["cards"], told["fact"]["new_cards"]) == (1, 1)
    lines = {(line["type"], line["result"]): line for line in told["lines"]}
    assert list(lines) == [("lead", "deal"), ("lead", "junk"), ("lead", "needs_data"), ("deal", "AAA")]
    assert lines["lead", "deal"]["forecast"] == {"cards": 2, "share": 0.5}
    assert lines["lead", "deal"]["fact"] == {"cards": 0, "share": 0}
    asked = lines["lead", "needs_data"]
    assert (asked["forecast"]["cards"], asked["fact"], asked["previous"]) == (0, {"cards": 1, "share": 1}, None)
    assert lines["deal", "AAA"]["fact"] is None, "no deal was judged, so there is no share of deals"
    assert (await _get(client, "/rules/2/effect", 404))["error"]["code"] == "version_unknown"


async def test_second_looks_tell_the_false_reject_rate(database, client, portal):
    assert (await _get(client, "/second-looks"))["rejects"]["rate"] is None, "nothing is known, not even 0"
    run_id = await judged_lead(database, portal.id, 1, outcome="junk")
    async with database.writing() as session:
        for week in WEEKS:
            draw = {"portal_id": portal.id, "week": week, "drawn_at": NOW, "seed": 5, "size": 10}
            await session.execute(insert(SecondLookWeekRow).values(**draw, population={"junk": 9, "company": 1}))
        rows = [(WEEKS[0], n, "junk", "right") for n in range(1, 9)] + [(WEEKS[0], 9, "junk", "wrong")]
        rows += [(WEEKS[0], 10, "company", "wrong"), (WEEKS[1], 11, "junk", None), (WEEKS[1], 12, "junk", None)]
        looks = [
            {
                "portal_id": portal.id, "week": week, "card_id": card_id, "outcome": outcome, "run_id": run_id,
                "facts_digest": "d", "answer": answer, "answered_how": answer and "portal",
            }
            for week, card_id, outcome, answer in rows
        ]  # fmt: skip
        await session.execute(insert(SecondLookRow), looks)

    told = await _get(client, "/second-looks", limit=3)
    rejects = told["rejects"]
    assert (rejects["drawn"], rejects["right"], rejects["wrong"], rejects["unanswered"]) == (12, 8, 2, 2)
    assert (rejects["rate"], round(rejects["low"], 4), round(rejects["high"], 4)) == (0.2, 0.0567, 0.5098)
    rates = {line["outcome"]: line["rate"] for line in told["by_outcome"]}
    assert rates == {"company": 1.0, "junk": pytest.approx(1 / 9)}
    newest, before = told["by_week"]
    assert (newest["week"], newest["rate"], newest["unanswered"]) == ("2026-W47", None, 2)
    assert (before["week"], before["rate"], before["population"]) == ("2026-W46", 0.2, {"junk": 9, "company": 1})
    assert (told["total"], [line["lead"] for line in told["items"]]) == (12, [11, 12, 1])
    assert told["items"][0]["address"].endswith("/crm/lead/details/11/")
    open_ones = await _get(client, "/second-looks", answer="none", outcome="junk", since="2026-11-16")
    assert [line["lead"] for line in open_ones["items"]] == [11, 12]
    assert (await _get(client, "/second-looks", 422, since="2026-11-16", until="2026-11-01"))["error"][
        "path"
    ] == "since"


async def test_a_second_look_is_answered_by_a_head(database, client, portal):
    await judged_lead(database, portal.id, 1, outcome="junk")
    monday = second_looks.last_week(date(2026, 11, 24))
    async with database.writing() as session:
        await session.execute(
            text('UPDATE runs SET verdict = \'{"outcome": "junk"}\', opened_at = :at'), {"at": NOW - timedelta(days=4)}
        )
        await second_looks.draw(session, portal.id, week=monday, size=5, seed=1, now=NOW)
    (look,) = (await _get(client, "/second-looks"))["items"]
    said = {"answer": "wrong", "who": "Anna", "why": "A plant, not a shop"}
    path = f"/api/v1/second-looks/{look['id']}"
    answer = await client.post(path, headers=BEARER, json=said)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["answer"], answer.json()["answered_how"]) == ("wrong", "api")
    answer = await client.post(path, headers=BEARER, json={**said, "answer": "right"})
    assert answer.json()["answer"] == "right", "a second answer takes the place of the first"
    assert (await client.post(path, headers=BEARER, json={**said, "why": " "})).status_code == 422
    assert (await client.post("/api/v1/second-looks/99", headers=BEARER, json=said)).status_code == 404
    viewer = await client.post("/api/v1/tokens", headers=BEARER, json={"name": "looker", "role": "viewer"})
    token = {"Authorization": f"Bearer {viewer.json()['token']}"}
    assert (await client.post(path, headers=token, json=said)).status_code == 403
    assert (await client.get("/api/v1/second-looks", headers=token)).status_code == 200
    async with database.reading() as session:
        noted = await audit.page(session, AuditFilter(what="second_look"))
    assert [(entry.who, entry.subject, entry.detail["answer"]) for entry in noted] == [
        ("ADMIN_TOKEN", "lead 1", "right"),
        ("ADMIN_TOKEN", "lead 1", "wrong"),
    ]
