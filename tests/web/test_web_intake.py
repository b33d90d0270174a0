"""The webhook address over ASGI, with a real database behind it: what is stored, what is refused, and how."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from web_delivery import DOMAIN, OTHER_TOKEN, TOKEN, deliver, event_body

from app.main import create_app
from app.settings import Settings
from app.store import counters, gaps, journal, portals
from app.store.database import Database
from app.store.portals import Portal
from app.store.secret_box import secret_box
from app.texts import catalogue
from app.web.admission import robot_path
from app.web.bare import TOO_SLOW, read_body
from app.web.keys import signing_secret

pytestmark = pytest.mark.anyio

ELSEWHERE = "f" * 32


async def stored(database: Database) -> list[journal.Entry]:
    async with database.reading() as session:
        return list(reversed(await journal.recent(session)))


async def test_a_genuine_delivery_is_in_the_journal_once_answered(
    client: httpx.AsyncClient, database: Database, portal: Portal
) -> None:
    answer = await deliver(client, event_body("ONCRMLEADADD", 7))
    assert (answer.status_code, answer.content) == (200, b"")
    (entry,) = await stored(database)
    assert (entry.portal_id, entry.source, entry.event) == (portal.id, "webhook", "ONCRMLEADADD")
    assert (entry.entity_type_id, entry.card_id, entry.change, entry.lane) == (1, 7, "add", 0)
    assert entry.rejected is None
    assert entry.dispatched_at is None


@pytest.mark.parametrize(
    ("event", "entity_type_id", "change", "lane"),
    [
        pytest.param("ONCRMLEADADD", 1, "add", 0, id="new lead is hot"),
        pytest.param("ONCRMLEADUPDATE", 1, "update", 1, id="lead changed"),
        pytest.param("ONCRMLEADDELETE", 1, "delete", 1, id="lead deleted"),
        pytest.param("ONCRMDEALADD", 2, "add", 1, id="new deal"),
        pytest.param("ONCRMDEALMOVETOCATEGORY", 2, "move", 1, id="deal moved to a pipeline"),
        pytest.param("ONCRMCONTACTUPDATE", 3, "update", 1, id="contact"),
        pytest.param("ONCRMCOMPANYUPDATE", 4, "update", 1, id="company"),
        pytest.param("onCrmActivityAdd", None, "add", 2, id="activity, in the docs' other spelling"),
        pytest.param("ONCRMQUOTEADD", 7, "add", 2, id="an object that is not judged"),
    ],
)
async def test_known_events_become_hints(
    client: httpx.AsyncClient, database: Database, event: str, entity_type_id: int | None, change: str, lane: int
) -> None:
    assert (await deliver(client, event_body(event, 12))).status_code == 200
    (entry,) = await stored(database)
    assert (entry.entity_type_id, entry.card_id, entry.change, entry.lane) == (entity_type_id, 12, change, lane)
    assert entry.rejected is None


@pytest.mark.parametrize(
    "auth",
    [
        pytest.param({}, id="by member_id"),
        pytest.param({"application_token": OTHER_TOKEN}, id="second token of the set"),
        pytest.param({"domain": "renamed.example"}, id="portal renamed: member_id counts"),
        pytest.param({"member_id": None}, id="by domain"),
        pytest.param({"member_id": None, "domain": DOMAIN.upper()}, id="by domain in other letters"),
        pytest.param({"member_id": None, "domain": None}, id="by token alone"),
    ],
)
async def test_the_portal_is_found(
    client: httpx.AsyncClient, database: Database, portal: Portal, auth: dict[str, str | None]
) -> None:
    assert (await deliver(client, event_body(**auth))).status_code == 200
    assert [entry.portal_id for entry in await stored(database)] == [portal.id]


REFUSALS = {
    "wrong token": event_body(application_token="guess"),
    "no token": event_body(application_token=None),
    "empty token": event_body(application_token=""),
    "beginning of the token": event_body(application_token=TOKEN[:-1]),
    "right token, but a portal we do not know": event_body(member_id=ELSEWHERE),
    "wrong token, unknown portal": event_body(member_id=ELSEWHERE, application_token="guess"),
    "wrong token, id missing": "event=ONCRMLEADADD&auth[application_token]=guess",
    "wrong token, unknown event": event_body("ONSOMETHING", application_token="guess"),
    "token not of latin letters": event_body(application_token="токен"),
    "robot call without a secret": "document_id[]=crm&document_id[]=CCrmDocumentLead&document_id[]=LEAD_7",
}


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in REFUSALS.items()])
async def test_every_refusal_looks_the_same(client: httpx.AsyncClient, body: str) -> None:
    answer = await deliver(client, body)
    assert answer.status_code == 403
    assert answer.content == b"Forbidden\n"
    assert dict(answer.headers) == {"content-type": "text/plain; charset=utf-8", "content-length": "10"}


async def test_a_refusal_leaves_only_a_count(client: httpx.AsyncClient, app, database: Database) -> None:
    for _ in range(3):
        await deliver(client, event_body(application_token="guess"))
    assert await stored(database) == []
    await app.intake_run.intake.tally.flush()
    async with database.reading() as session:
        counted = await counters.since(session, datetime.now(UTC).date(), name="webhook_refused")
    assert [count.value for count in counted] == [3]


async def test_a_right_token_with_a_foreign_member_id_is_kept_for_the_admin(
    client: httpx.AsyncClient, database: Database
) -> None:
    assert (await deliver(client, event_body(member_id=ELSEWHERE, domain="other.example"))).status_code == 403
    (entry,) = await stored(database)
    assert entry.portal_id is None
    assert "no portal with this member_id" in (entry.rejected or "")
    assert "other.example" in entry.body
    assert entry.dispatched_at is not None
    assert TOKEN not in str(entry.body)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(event_body("ONTASKADD"), "Unknown event: take it off", id="unknown event"),
        pytest.param(event_body(card_id="seven"), "not a positive number", id="id is no number"),
        pytest.param(event_body(card_id="-7"), "not a positive number", id="negative id"),
        pytest.param(event_body("ON'; DROP"), "of no known form", id="an event of no name"),
        pytest.param(
            event_body("ONCRMDYNAMICITEMADD") + "&data[FIELDS][ENTITY_TYPE_ID]=2147483648",
            "entity type id is not a positive number",
            id="a type larger than any",
        ),
        pytest.param(f"event=ONCRMLEADADD&auth[application_token]={TOKEN}", "which object", id="no id"),
        pytest.param(f"auth[application_token]={TOKEN}", "neither an event", id="no event"),
    ],
)
async def test_what_proves_itself_and_is_not_understood_is_kept_with_the_reason(
    client: httpx.AsyncClient, database: Database, portal: Portal, body: str, said: str
) -> None:
    assert (await deliver(client, body)).status_code == 200
    (entry,) = await stored(database)
    assert entry.portal_id == portal.id
    assert said in (entry.rejected or "")
    assert TOKEN not in str(entry.body)
    assert catalogue("ru").gettext(entry.rejected or "") != entry.rejected
    async with database.reading() as session:
        assert (await journal.backlog(session)).waiting == 0


DEEP = event_body() + "&data[a][b][c][d][e][f]=1"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(DEEP, id="nested over 5"),
        pytest.param("", id="empty"),
        pytest.param('{"event": "ONCRMLEADADD"}', id="JSON under a form's name"),
        pytest.param("greeting=hello", id="a form, but no delivery"),
        pytest.param("&".join(f"k{n}=1" for n in range(1200)), id="over a thousand keys"),
        pytest.param(b"event=\xff\xfe", id="not UTF-8"),
    ],
)
async def test_what_is_no_delivery_is_answered_400(
    client: httpx.AsyncClient, database: Database, body: str | bytes
) -> None:
    assert (await deliver(client, body)).status_code == 400
    assert await stored(database) == []


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencodedx"],
)
async def test_only_forms_are_read(client: httpx.AsyncClient, database: Database, content_type: str) -> None:
    answer = await deliver(client, event_body(), headers={"content-type": content_type})
    assert answer.status_code == 400
    assert await stored(database) == []


async def test_a_charset_beside_the_content_type_is_fine(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "Application/X-WWW-Form-Urlencoded; charset=UTF-8"}
    assert (await deliver(client, event_body(), headers=headers)).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_only_post_is_answered(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/webhooks/bitrix24")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


async def test_a_large_body_is_refused_by_its_announced_length(app) -> None:
    sent = await bare_request(app, headers=[(b"content-length", b"65537")], chunks=None)
    assert sent[0]["status"] == 413


async def test_a_large_body_without_a_length_is_refused_while_it_comes(app) -> None:
    sent = await bare_request(app, headers=[], chunks=[b"a" * 40_000, b"b" * 40_000])
    assert sent[0]["status"] == 413


async def test_64_kib_exactly_is_still_read(client: httpx.AsyncClient, database: Database) -> None:
    body = event_body() + "&filler="
    assert (await deliver(client, body + "x" * (64 * 1024 - len(body)))).status_code == 200
    assert len(await stored(database)) == 1


async def test_a_sender_who_hangs_up_leaves_nothing(app, database: Database) -> None:
    assert await bare_request(app, headers=[], chunks=[b"event=ONCRM"], hang_up=True) == []
    assert await stored(database) == []


async def test_a_body_that_never_comes_whole_is_given_up() -> None:
    never = asyncio.Event()

    async def receive() -> dict:
        await never.wait()
        return {}

    assert await read_body(receive, patience=0.01) is TOO_SLOW


async def test_many_at_once_are_all_stored(client: httpx.AsyncClient, database: Database) -> None:
    answers = await asyncio.gather(*(deliver(client, event_body("ONCRMLEADUPDATE", n)) for n in range(1, 61)))
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(entry.card_id or 0 for entry in await stored(database)) == list(range(1, 61))


async def test_a_row_that_the_database_refuses_does_not_hold_up_the_others(
    client: httpx.AsyncClient, database: Database
) -> None:
    async with database.writing() as session:
        await session.execute(text("ALTER TABLE journal ADD CHECK (card_id <> 5)"))
    answers = await asyncio.gather(*(deliver(client, event_body("ONCRMLEADUPDATE", n)) for n in (1, 5, 2)))
    assert [answer.status_code for answer in answers] == [200, 400, 200]
    assert sorted(entry.card_id or 0 for entry in await stored(database)) == [1, 2]


@pytest.mark.parametrize(
    ("document", "entity_type_id", "card_id", "lane"),
    [("LEAD_3817", 1, 3817, 0), ("DEAL_90", 2, 90, 1), ("DYNAMIC_147_1", 147, 1, 1)],
)
async def test_a_robot_call_with_its_secret_is_a_hint(
    client: httpx.AsyncClient,
    database: Database,
    web_settings: Settings,
    portal: Portal,
    document: str,
    entity_type_id: int,
    card_id: int,
    lane: int,
) -> None:
    body = urlencode([("document_id[]", "crm"), ("document_id[]", "Any"), ("document_id[]", document)])
    path = robot_path(signing_secret(web_settings), portal.id)
    answers = [
        await client.post(path, content=body, headers={"content-type": "application/x-www-form-urlencoded"}),
        await deliver(client, body, path=f"?secret={path.rsplit('/', 1)[1]}"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    for entry in await stored(database):
        assert (entry.portal_id, entry.source) == (portal.id, "robot")
        assert (entry.entity_type_id, entry.card_id, entry.lane) == (entity_type_id, card_id, lane)


async def test_a_robot_call_with_another_secret_is_refused(client: httpx.AsyncClient, database: Database) -> None:
    body = "document_id[]=crm&document_id[]=CCrmDocumentLead&document_id[]=LEAD_7"
    answer = await deliver(client, body, path="/robot/guess")
    assert (answer.status_code, answer.content) == (403, b"Forbidden\n")
    assert (await deliver(client, event_body(), path="/robot/guess")).status_code == 403
    assert await stored(database) == []


async def test_a_slash_at_the_end_loses_no_delivery(client: httpx.AsyncClient, database: Database) -> None:
    assert (await deliver(client, event_body(), path="/")).status_code == 200
    assert len(await stored(database)) == 1


async def test_unknown_paths_below_are_not_found(client: httpx.AsyncClient) -> None:
    assert (await deliver(client, event_body(), path="s")).status_code == 404
    assert (await deliver(client, event_body(), path="/elsewhere")).status_code == 404


async def read_anew(app) -> None:
    """The portals as they are now: a reading that was under way already may have begun before the change."""
    await app.intake_run.intake.admission.refresh()
    await app.intake_run.intake.admission.refresh()


async def test_a_portal_without_member_id_takes_that_of_its_first_delivery(
    client: httpx.AsyncClient, app, database: Database, web_settings: Settings
) -> None:
    async with database.writing() as session:
        young = await portals.add(
            session,
            secret_box(web_settings),
            webhook=SecretStr("https://young.example/rest/1/code00001/"),
            application_tokens=[SecretStr("young-token")],
        )
    await read_anew(app)
    said = {"member_id": ELSEWHERE, "domain": "young.example", "application_token": "young-token"}
    assert (await deliver(client, event_body(**said))).status_code == 200
    async with database.reading() as session:
        assert (await portals.get(session, young.id)).member_id == ELSEWHERE
    assert (await deliver(client, event_body(**(said | {"member_id": "e" * 32})))).status_code == 403
    assert (await deliver(client, event_body(**(said | {"domain": "moved.example"})))).status_code == 200


@pytest.mark.parametrize(
    "strange",
    [
        pytest.param("1 OR 1=1", id="no name"),
        pytest.param("é" * 20, id="not of latin letters"),
        pytest.param("f" * 65, id="long"),
        pytest.param(random.Random(1).randbytes(20_000).hex(), id="too long for any index"),
    ],
)
async def test_a_strange_member_id_is_not_kept(
    client: httpx.AsyncClient, app, database: Database, web_settings: Settings, strange: str
) -> None:
    async with database.writing() as session:
        young = await portals.add(
            session,
            secret_box(web_settings),
            webhook=SecretStr("https://young.example/rest/1/code00001/"),
            application_tokens=[SecretStr("young-token")],
        )
    await read_anew(app)
    said = {"member_id": strange, "domain": "young.example", "application_token": "young-token"}
    assert (await deliver(client, event_body(**said))).status_code == 403
    async with database.reading() as session:
        assert (await portals.get(session, young.id)).member_id is None
    (entry,) = await stored(database)
    assert "no portal with this member_id" in (entry.rejected or "")
    assert await unswept(database) == []


async def test_the_token_is_not_stored_wherever_it_stands(client: httpx.AsyncClient, database: Database) -> None:
    for body in (
        event_body("ONTASKADD", card_id=TOKEN) + f"&data[note]=x{TOKEN.upper()}x&{TOKEN}=1",
        event_body(domain=f"https://{TOKEN}.example", member_id=ELSEWHERE),
        event_body(f"ON_{TOKEN}"),
        event_body("ONPLAIN", application_token=OTHER_TOKEN) + f"&event=ON{OTHER_TOKEN}",
    ):
        await deliver(client, body)
    entries = await stored(database)
    assert len(entries) == 4
    assert "token" not in str(entries).replace("The token is right", "").replace("a token of its own", "").lower()


async def test_a_portal_added_while_running_is_found(
    client: httpx.AsyncClient, app, database: Database, web_settings: Settings
) -> None:
    async with database.writing() as session:
        await portals.add(
            session,
            secret_box(web_settings),
            webhook=SecretStr("https://late.example/rest/1/code00002/"),
            application_tokens=[SecretStr("late-token")],
            member_id=ELSEWHERE,
        )
    async with asyncio.timeout(180):
        body = event_body(member_id=ELSEWHERE, application_token="late-token")
        while (await deliver(client, body)).status_code != 200:  # noqa: ASYNC110 - read at most once a second
            await asyncio.sleep(0.2)


async def test_a_switched_off_portal_is_refused(
    client: httpx.AsyncClient, app, database: Database, portal: Portal
) -> None:
    async with database.writing() as session:
        await portals.set_enabled(session, portal.id, enabled=False)
    await read_anew(app)
    assert (await deliver(client, event_body())).status_code == 403


async def test_with_the_database_away_a_delivery_is_answered_503_and_leaves_a_gap_mark(
    client: httpx.AsyncClient, database: Database, database_conninfo: str, server_conninfo: str
) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database_conninfo)["dbname"]
    assert (await deliver(client, event_body(card_id=1))).status_code == 200
    async with await psycopg.AsyncConnection.connect(server_conninfo, autocommit=True) as admin:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        answer = await deliver(client, event_body(card_id=2))
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    async with asyncio.timeout(180):
        while not await unswept(database):  # noqa: ASYNC110 - written by a task of the app, when the database is back
            await asyncio.sleep(0.05)
        while (await deliver(client, event_body(card_id=3))).status_code != 200:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    assert [entry.card_id for entry in await stored(database)] == [1, 3]


@pytest.mark.usefixtures("portal")
async def test_with_another_secret_key_a_delivery_is_answered_503_and_leaves_a_gap_mark(
    web_settings: Settings, database: Database
) -> None:
    app = create_app(web_settings.model_copy(update={"secret_key": SecretStr("quite another secret key")}), database)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ogon.example") as client:
        answer = await deliver(client, event_body())
    assert answer.status_code == 503
    async with asyncio.timeout(180):
        while not await unswept(database):  # noqa: ASYNC110 - written by a task of the app
            await asyncio.sleep(0.05)


async def unswept(database: Database) -> list[gaps.Gap]:
    async with database.reading() as session:
        return await gaps.unswept(session)


async def test_no_200_before_the_commit(client: httpx.AsyncClient, database: Database, database_conninfo: str) -> None:
    async with locked_journal(database_conninfo):
        waiting = [asyncio.create_task(deliver(client, event_body(card_id=n))) for n in (1, 2, 3)]
        done, _ = await asyncio.wait(waiting, timeout=0.3)
        assert done == set()
    assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200, 200, 200]
    assert sorted(entry.card_id or 0 for entry in await stored(database)) == [1, 2, 3]


@pytest.mark.usefixtures("portal")
async def test_shutting_down_commits_what_waits(
    web_settings: Settings, database: Database, database_conninfo: str
) -> None:
    app = create_app(web_settings, database)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://ogon.example") as client:
        async with app.router.lifespan_context(app), locked_journal(database_conninfo):
            late = [asyncio.create_task(deliver(client, event_body(card_id=n))) for n in (1, 2)]
            await asyncio.wait(late, timeout=0.3)
        assert [answer.status_code for answer in await asyncio.gather(*late)] == [200, 200]
        assert (await deliver(client, event_body(card_id=3))).status_code == 503
    assert sorted(entry.card_id or 0 for entry in await stored(database)) == [1, 2]


@contextlib.asynccontextmanager
async def locked_journal(conninfo: str) -> AsyncIterator[None]:
    """Nothing can be written to the journal until the end."""
    async with await psycopg.AsyncConnection.connect(conninfo) as holder:
        await holder.execute("LOCK TABLE journal IN EXCLUSIVE MODE")
        yield
        await holder.rollback()


async def bare_request(app, *, headers, chunks: list[bytes] | None, hang_up: bool = False) -> list[dict]:
    """One POST by hand, to send what httpx would not; `chunks` None: the body must not even be asked for."""
    sent: list[dict] = []
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks or ()]
    if hang_up:
        messages.append({"type": "http.disconnect"})

    async def receive() -> dict:
        assert messages, "asked for more of the body than it needs"
        return messages.pop(0)

    async def send(message) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/webhooks/bitrix24",
        "query_string": b"",
        "headers": [(b"content-type", b"application/x-www-form-urlencoded"), *headers],
    }
    await app(scope, receive, send)
    return sent
