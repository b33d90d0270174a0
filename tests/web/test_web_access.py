"""Who may what: each endpoint by role, tokens over the API, guessing, proxies, and what the audit log tells of it."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from web_cards import judged_lead

from app.main import create_app
from app.serve import server_config
from app.settings import Settings
from app.store import audit, counters, tokens
from app.store.audit import AuditEntry, AuditFilter
from app.store.database import Database
from app.store.portals import Portal
from app.store.tokens import Role
from app.web.keys import signing_secret
from app.web.sessions import login_ticket
from app.web.short_bodies import LARGEST_BODY
from app.web.throttle import FAILURES_OF_ALL, FAILURES_OF_ONE, WINDOW_SECONDS

pytestmark = pytest.mark.anyio

ADMIN_TOKEN = "admin-token-of-the-tests"
ROLES: tuple[Role, ...] = ("viewer", "head", "admin")
# Reading is for viewers and changing for administrators; what is not so is listed here.
OTHERWISE: dict[str, Role] = {
    "POST /api/v1/cards/{type}/{id}/replay": "head",
    "GET /api/v1/exceptions": "head",
    "POST /api/v1/calculator/minimum": "viewer",
    "POST /api/v1/rules/check": "viewer",
    "POST /api/v1/preview": "viewer",
    "POST /api/v1/replays": "head",
    "POST /api/v1/replays/{id}/cancel": "head",
    "POST /api/v1/second-looks/{id}": "head",
    "POST /api/v1/absences": "head",
    "POST /api/v1/absences/{id}/withdraw": "head",
    "GET /api/v1/tokens": "admin",
    "GET /api/v1/audit": "admin",
}


class Clock:
    """The time of day, which passes only when told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(web_settings: Settings, database: Database, portal: Portal, clock: Clock) -> FastAPI:
    """The app with a clock of ours; nothing runs beside it, so `visits` is flushed by hand."""
    assert portal.id == 1
    return create_app(web_settings, database, clock=clock)


def asking(app: Any, address: str = "203.0.113.9", token: str | None = None) -> httpx.AsyncClient:
    """A browser or program at that address."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(address, 1)),
        base_url="https://ogon.example",
        headers={"authorization": f"Bearer {token}"} if token is not None else {},
    )


async def make(database: Database, name: str, role: Role, **values: Any) -> str:
    async with database.writing() as session:
        _, secret = await tokens.create(session, name=name, role=role, by="console:tests", **values)
    return secret.get_secret_value()


async def revoke(database: Database, name: str) -> None:
    async with database.writing() as session:
        await tokens.revoke(session, name, by="console:tests")


async def noted(database: Database, what: str) -> list[AuditEntry]:
    async with database.reading() as session:
        return await audit.page(session, AuditFilter(what=what))


def endpoints(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of everything under /api/v1."""
    paths: dict[str, dict[str, Any]] = app.openapi()["paths"]
    return [
        (method.upper(), path)
        for path, operations in paths.items()
        for method in operations
        if path.startswith("/api/v1/")
    ]


async def test_each_endpoint_is_open_from_its_role_on(timed: FastAPI, database: Database) -> None:
    """401 without a token, 403 below the role, something else from it on; no body is sent, so nothing changes."""
    held = {role: await make(database, role, role) for role in ROLES}
    held["ADMIN_TOKEN"] = ADMIN_TOKEN
    asked = endpoints(timed)
    refused: dict[str, list[str]] = {}
    expected: dict[str, list[str]] = {}
    async with asking(timed) as client:
        for method, path in asked:
            name = f"{method} {path}"
            needed = OTHERWISE.get(name, "viewer" if method == "GET" else "admin")
            address = re.sub(r"\{[^}]*\}", "1", path).replace("/tokens/1", "/tokens/nobody")
            assert (await client.request(method, address)).status_code == 401, name
            expected[name] = [role for role in ROLES if ROLES.index(role) < ROLES.index(needed)]
            refused[name] = []
            for who, token in held.items():
                answer = await client.request(method, address, headers={"authorization": f"Bearer {token}"})
                assert answer.status_code not in {401, 429, 500}, (name, who, answer.text)
                if answer.status_code == 403:
                    assert answer.json()["error"]["code"] == "role_too_low"
                    assert f"needs the role {needed}" in answer.json()["error"]["message"]
                    refused[name].append(who)
    assert refused == expected


async def test_a_token_is_shown_once_and_opens_the_api_until_it_is_revoked(timed: FastAPI, database: Database) -> None:
    async with asking(timed, token=ADMIN_TOKEN) as admin:
        made = await admin.post("/api/v1/tokens", json={"name": "Отдел продаж", "role": "head", "days": 30})
        assert made.status_code == 201
        token = made.json()["token"]
        assert made.json()["expires_at"] == "2026-12-22T12:00:00Z"
        assert made.json()["created_by"] == "ADMIN_TOKEN"
        listed = await admin.get("/api/v1/tokens")
        assert [line["name"] for line in listed.json()] == ["Отдел продаж"]
        assert token.split("_", 2)[2] not in listed.text + (await admin.get("/api/v1/audit")).text
        async with asking(timed, token=token) as head:
            assert (await head.get("/api/v1/cards")).status_code == 200
            ended = await admin.delete("/api/v1/tokens/Отдел продаж")
            assert ended.json()["revoked_by"] == "ADMIN_TOKEN"
            answer = await head.get("/api/v1/cards")
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "token_ended")
        assert (await admin.delete("/api/v1/tokens/Отдел продаж")).status_code == 404
        assert (await admin.get("/api/v1/tokens")).json() == []
        assert len((await admin.get("/api/v1/tokens?revoked=true")).json()) == 1
    changes = [(entry.who, entry.what, entry.subject) for entry in await noted(database, "token")]
    assert changes == [
        ("ADMIN_TOKEN", "token.revoked", "Отдел продаж"),
        ("ADMIN_TOKEN", "token.created", "Отдел продаж"),
    ]


async def test_what_no_token_can_be_is_refused_with_the_place(timed: FastAPI, database: Database) -> None:
    await make(database, "desk", "viewer")
    wrong = [
        ({"name": "desk", "role": "head"}, 409, "body.name"),
        ({"name": "ADMIN_TOKEN", "role": "head"}, 409, "body.name"),
        ({"name": "console:anna", "role": "head"}, 422, "body.name"),
        ({"name": "de\0sk", "role": "head"}, 422, "body.name"),
        ({"name": "new", "role": "boss"}, 422, "body.role"),
        ({"name": "new", "role": "head", "days": 0}, 422, "body.days"),
        ({"name": "new", "role": "head", "token": "mine"}, 422, "body.token"),
        ({"role": "head"}, 422, "body.name"),
    ]
    async with asking(timed, token=ADMIN_TOKEN) as admin:
        for body, status, path in wrong:
            answer = await admin.post("/api/v1/tokens", json=body)
            assert (answer.status_code, answer.json()["error"]["path"]) == (status, path), body
        assert (await admin.delete("/api/v1/tokens/a%00b")).status_code == 422
        assert len((await admin.get("/api/v1/tokens")).json()) == 1


async def test_a_token_ends_by_itself_and_administrators_cannot_lock_themselves_out(
    timed: FastAPI, database: Database, clock: Clock
) -> None:
    last = await make(database, "the only admin", "admin", expires_at=clock() + timedelta(days=1))
    async with asking(timed, token=last) as admin, asking(timed, token=ADMIN_TOKEN) as of_environment:
        clock.pass_(24 * 3600 - 1)
        assert (await admin.get("/api/v1/tokens")).status_code == 200
        clock.pass_(1)
        assert (await admin.get("/api/v1/tokens")).status_code == 401
        assert (await of_environment.get("/api/v1/tokens")).status_code == 200
        assert (await of_environment.delete("/api/v1/tokens/the only admin")).status_code == 200
        assert (await of_environment.post("/api/v1/tokens", json={"name": "new", "role": "admin"})).status_code == 201


async def test_an_ended_token_is_no_guess(timed: FastAPI, database: Database) -> None:
    forgotten, right = await make(database, "old script", "viewer"), await make(database, "desk", "viewer")
    await revoke(database, "old script")
    async with asking(timed) as office:
        for _ in range(FAILURES_OF_ONE + 1):
            answer = await office.get("/api/v1/cards", headers={"authorization": f"Bearer {forgotten}"})
            assert answer.status_code == 401
        answer = await office.get("/api/v1/cards", headers={"authorization": f"Bearer {right}"})
        assert answer.status_code == 200


async def test_the_last_use_is_written_beside_the_requests_once_a_minute(
    timed: FastAPI, database: Database, clock: Clock
) -> None:
    token = await make(database, "desk", "viewer")

    async def last_used() -> datetime | None:
        await timed.state.web.visits.flush()
        async with database.reading() as session:
            (known,) = await tokens.list_tokens(session)
        return known.last_used_at

    started = clock()
    assert await last_used() is None
    async with asking(timed, token=token) as client:
        await client.get("/api/v1/cards")
        assert await last_used() == started
        clock.pass_(59)
        await client.get("/api/v1/cards")
        assert await last_used() == started
        clock.pass_(1)
        await client.get("/api/v1/cards")
        assert await last_used() == started + timedelta(minutes=1)


async def guess(client: httpx.AsyncClient, path: str, wrong: str) -> httpx.Response:
    if path == "/login":
        return await client.post(path, data={"token": wrong})
    if path == "/login?ticket=":
        return await client.get("/login", params={"ticket": wrong})
    return await client.get(path, headers={"authorization": f"Bearer {wrong}"})


async def test_who_guesses_must_wait_and_nobody_else(
    timed: FastAPI, web_settings: Settings, database: Database, clock: Clock
) -> None:
    named = await make(database, "desk", "viewer")
    paths = ("/api/v1/cards", "/login", "/login?ticket=", "/metrics")
    for number, path in enumerate(paths):
        ticket = login_ticket(signing_secret(web_settings), now=int(clock().timestamp()))
        right = ticket if "ticket" in path else named
        async with asking(timed, f"203.0.113.{number}") as guesser, asking(timed, "198.51.100.1") as other:
            for wrong in ("guess", f"ogon_1_{'A' * 43}") * (FAILURES_OF_ONE // 2):
                assert (await guess(guesser, path, wrong)).status_code in {401, 403}
            for given in ("guess", f"ogon_1_{'B' * 43}"):
                answer = await guess(guesser, path, given)
                assert answer.status_code == 429
                assert answer.headers["retry-after"] == str(WINDOW_SECONDS)
            assert (await guess(other, path, "guess")).status_code in {401, 403}
            clock.pass_(WINDOW_SECONDS)
            assert (await guess(guesser, path, right)).status_code in {200, 303}


async def test_guesses_from_everywhere_lock_out_nobody_who_made_none(timed: FastAPI, database: Database) -> None:
    named = await make(database, "desk", "viewer")
    for number in range(FAILURES_OF_ALL):
        async with asking(timed, f"198.51.100.{number}") as guesser:
            assert (await guess(guesser, "/api/v1/cards", "guess")).status_code == 401
    async with asking(timed, "198.51.100.7") as guesser:
        assert (await guess(guesser, "/api/v1/cards", "guess")).status_code == 429
    async with asking(timed, "203.0.113.9") as clean:
        for right in (named, ADMIN_TOKEN):
            assert (await guess(clean, "/api/v1/cards", right)).status_code == 200


async def test_many_guesses_side_by_side_are_no_more_guesses(timed: FastAPI, database: Database) -> None:
    await make(database, "desk", "viewer")
    async with asking(timed) as guesser:
        answers = await asyncio.gather(
            *(guess(guesser, "/api/v1/cards", f"ogon_1_{number:043}") for number in range(4 * FAILURES_OF_ONE))
        )
        right = await guess(guesser, "/api/v1/cards", ADMIN_TOKEN)
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(401), statuses.count(429)) == (FAILURES_OF_ONE, 3 * FAILURES_OF_ONE)
    assert right.status_code == 200, "nobody guesses it, and its owner did nothing wrong"


async def test_a_short_admin_token_waits_with_its_address(timed: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed.state.web.doorkeeper, "admin_token", "short-one")
    async with asking(timed, "203.0.113.1") as guesser, asking(timed, "198.51.100.1") as other:
        for number in range(FAILURES_OF_ONE):
            assert (await guess(guesser, "/api/v1/cards", f"short-{number}")).status_code == 401
        assert (await guess(guesser, "/api/v1/cards", "short-one")).status_code == 429
        assert (await guess(other, "/api/v1/cards", "short-one")).status_code == 200


async def test_bursts_are_noted_and_counted_without_the_token(timed: FastAPI, database: Database, clock: Clock) -> None:
    visits = timed.state.web.visits
    for address in ("198.51.100.1", "198.51.100.2"):
        async with asking(timed, address) as guesser:
            for _ in range(FAILURES_OF_ONE + 1):
                await guess(guesser, "/api/v1/cards", "my-secret-guess")
    await visits.flush()
    async with asking(timed, "198.51.100.3") as guesser:
        for _ in range(FAILURES_OF_ONE):
            await guess(guesser, "/login", "my-secret-guess")
    await visits.flush()
    (first,) = await noted(database, "access.burst")
    assert (first.who, first.subject) == ("ogon", "198.51.100.1")
    assert first.detail == {"sources": ["198.51.100.1", "198.51.100.2"], "source_count": 2}
    clock.pass_(60)
    await visits.flush()
    await visits.flush()
    assert [entry.subject for entry in await noted(database, "access.burst")] == ["198.51.100.3", "198.51.100.1"]
    await timed.intake_run.intake.tally.flush()
    async with database.reading() as session:
        rows = (await session.scalars(text("SELECT to_jsonb(audit_log)::text FROM audit_log"))).all()
        counted = {one.name: one.value for one in await counters.since(session, clock().date())}
    assert counted == {"access_failed": 3 * FAILURES_OF_ONE, "access_throttled": 2}
    assert not any("my-secret-guess" in row for row in rows)
    async with asking(timed, token=ADMIN_TOKEN) as admin:
        assert f'name="access_failed",portal="0"}} {3 * FAILURES_OF_ONE}.0' in (await admin.get("/metrics")).text


async def test_where_a_request_comes_from(timed: FastAPI, web_settings: Settings, database: Database) -> None:
    for proxies, forwarded, counts_as in (
        ((), "203.0.113.50", "127.0.0.1"),
        (("127.0.0.1",), "203.0.113.50", "203.0.113.50"),
        (("127.0.0.1",), "6.6.6.6, 203.0.113.50", "203.0.113.50"),
        (("127.0.0.0/8", "10.0.0.0/8"), "6.6.6.6, 203.0.113.50, 10.0.0.7", "203.0.113.50"),
        (("10.0.0.0/8",), "203.0.113.50", "127.0.0.1"),
    ):
        settings = Settings.model_validate({**web_settings.model_dump(), "trusted_proxies": proxies})
        config = server_config(settings, timed)
        config.load()
        async with asking(config.loaded_app, "127.0.0.1") as client:
            await client.post("/login", data={"token": ADMIN_TOKEN}, headers={"x-forwarded-for": forwarded})
            newest, *_ = await noted(database, "session.opened")
            assert newest.detail["source"] == counts_as, (proxies, forwarded)
            stranger = await client.get("/metrics", headers={"x-forwarded-for": forwarded})
            assert stranger.status_code == 403, "a forwarded request is none of the machine itself"
            assert (await client.get("/metrics")).status_code == 200


@pytest.fixture
async def reader(timed: FastAPI, database: Database, portal: Portal) -> AsyncIterator[dict[Role, httpx.AsyncClient]]:
    """A browser for each role, signed in with a token of its own."""
    await judged_lead(database, portal.id, 7)
    clients = {role: asking(timed) for role in ROLES}
    for role, client in clients.items():
        answer = await client.post("/login", data={"token": f" {await make(database, role, role)} "})
        assert answer.status_code == 303
    yield clients
    for client in clients.values():
        await client.aclose()


async def test_pages_show_and_take_what_the_role_allows(
    reader: dict[Role, httpx.AsyncClient], database: Database
) -> None:
    for role, client in reader.items():
        page = (await client.get("/cards/lead/7")).text
        assert f'<span class="quiet">{role}</span>' in page
        assert ("Judge again" in page) is (role != "viewer")
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)
        assert csrf is not None
        answer = await client.post("/cards/lead/7/replay", data={"csrf": csrf[1], "portal": 1})
        assert answer.status_code == (403 if role == "viewer" else 303)
        foreign = await client.post("/cards/lead/7/replay", data={"csrf": "guess", "portal": 1})
        assert foreign.status_code == 403
    replayed = [(entry.who, entry.subject, entry.portal_id) for entry in await noted(database, "card.replayed")]
    assert replayed == [("admin", "lead 7", 1), ("head", "lead 7", 1)]


async def test_a_session_ends_with_its_token_and_with_nobody_elses(
    reader: dict[Role, httpx.AsyncClient], database: Database, clock: Clock
) -> None:
    await revoke(database, "head")
    answer = await reader["head"].get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert "ogon_session" not in reader["head"].cookies
    assert (await reader["admin"].get("/")).status_code == 200
    await make(database, "head", "viewer")
    assert (await reader["head"].get("/")).status_code == 303, "another token of that name is another token"
    brief = await make(database, "brief", "viewer", expires_at=clock() + timedelta(minutes=5))
    await reader["head"].post("/login", data={"token": brief})
    assert (await reader["head"].get("/")).status_code == 200
    clock.pass_(300)
    assert (await reader["head"].get("/")).status_code == 303
    assert "was revoked or has expired" in (await reader["head"].post("/login", data={"token": brief})).text


async def test_sign_ins_are_noted_and_a_session_of_one_is_none_of_another(
    timed: FastAPI, web_settings: Settings, database: Database, clock: Clock
) -> None:
    await make(database, "desk", "viewer")
    now = int(clock().timestamp())
    async with asking(timed) as client:
        assert (await client.post("/login", data={"token": ADMIN_TOKEN})).status_code == 303
        for subject, who in (("1", "desk"), ("console", "console")):
            ticket = login_ticket(signing_secret(web_settings), now=now, subject=subject)
            assert (await client.get("/login", params={"ticket": ticket})).status_code == 303
            assert f'<span class="quiet">{who}</span>' in (await client.get("/")).text
        value, expires, signature = client.cookies["ogon_session"].split(".")
        client.cookies.clear()
        forged = value.replace("console", "admin")
        answer = await client.get("/", headers={"cookie": f"ogon_session={forged}.{expires}.{signature}"})
        assert answer.status_code == 303
        unknown = login_ticket(signing_secret(web_settings), now=now, subject="2")
        assert (await client.get("/login", params={"ticket": unknown})).status_code == 403
    opened = [(entry.who, entry.detail["role"]) for entry in await noted(database, "session.opened")]
    assert opened == [("console", "admin"), ("desk", "viewer"), ("ADMIN_TOKEN", "admin")]


async def test_another_site_signs_nobody_in(timed: FastAPI) -> None:
    async with asking(timed) as client:
        for site in ("cross-site", "same-site", "none"):
            answer = await client.post("/login", data={"token": ADMIN_TOKEN}, headers={"sec-fetch-site": site})
            assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
        answer = await client.post("/login", data={"token": ADMIN_TOKEN}, headers={"sec-fetch-site": "same-origin"})
        assert answer.status_code == 303


@pytest.mark.parametrize("declared", [True, False], ids=["with a length", "in chunks"])
async def test_a_stranger_fills_no_memory(timed: FastAPI, declared: bool) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 64 * LARGEST_BODY:
            sent += 65536
            yield b"x" * 65536

    length = {"content-length": str(64 * LARGEST_BODY)} if declared else {}
    async with asking(timed) as client:
        for path, kind in (("/api/v1/tokens", "application/json"), ("/login", "application/x-www-form-urlencoded")):
            sent = 0
            answer = await client.post(path, content=body(), headers={"content-type": kind, **length})
            assert answer.status_code == 413, path
            assert "1 MiB" in answer.text
            assert sent <= LARGEST_BODY + 2 * 65536


async def test_named_tokens_open_the_api_without_admin_token(web_settings: Settings, database: Database) -> None:
    token = await make(database, "desk", "viewer")
    app = create_app(web_settings.model_copy(update={"admin_token": None}), database)
    async with asking(app) as client:
        assert (await guess(client, "/api/v1/portals", token)).status_code == 200
        assert (await guess(client, "/api/v1/portals", "guess")).status_code == 503
        assert (await guess(client, "/api/v1/portals", f"ogon_1_{'A' * 43}")).status_code == 401
        assert (await client.post("/login", data={"token": token})).status_code == 303


async def test_the_audit_log_is_read_page_by_page(timed: FastAPI, database: Database) -> None:
    for number in range(5):
        await make(database, f"desk {number}", "viewer")
    await revoke(database, "desk 3")
    async with asking(timed, token=ADMIN_TOKEN) as admin:
        seen: list[str] = []
        query: dict[str, Any] = {"limit": 2, "what": "token.created"}
        for _ in range(4):
            page = (await admin.get("/api/v1/audit", params=query)).json()
            seen += [item["subject"] for item in page["items"]]
            if page["next_before"] is None:
                break
            query["before"] = page["next_before"]
        assert seen == [f"desk {number}" for number in (4, 3, 2, 1, 0)]
        of_one = (await admin.get("/api/v1/audit", params={"subject": "desk 3"})).json()["items"]
        assert [item["what"] for item in of_one] == ["token.revoked", "token.created"]
        at = of_one[0]["at"]
        assert [item["id"] for item in (await admin.get("/api/v1/audit", params={"since": at})).json()["items"]] == [6]
        for query in (
            {"who": "a\0"},
            {"what": "Token"},
            {"since": "2026-11-22T12:00:00"},
            {"before": 0},
            {"portal": 2**31},
        ):
            assert (await admin.get("/api/v1/audit", params=query)).status_code == 422, query
        for query in ({"since": "0001-01-01T00:00:00+14:00"}, {"until": "9999-12-31T23:59:59-14:00"}):
            assert len((await admin.get("/api/v1/audit", params=query)).json()["items"]) == 6, query
